"""Text into a tree. Pure.

Source: cel-spec doc/langdef.md (Syntax, Macros), cel-go parser/{parser,macro}.go, ext/comprehensions.go
"""

from __future__ import annotations

from typing import Any, NoReturn

from kubelite.api.cel.errors import CompileError
from kubelite.api.cel.lexer import RESERVED, Malformed, Word, read_words
from kubelite.api.cel.tree import Call, Const, Ident, ListLiteral, Macro, MapLiteral, Node, Select, depth
from kubelite.api.cel.values import MAX_INT, MIN_INT, UInt

#: Beyond this a tree is refused, as parsing, checking and evaluating it need stack.
_DEEPEST = 200
_NESTED = 60
_TOO_DEEP = "expression recursion limit exceeded: 250"
_LONGEST = 100_000
_LEVELS = {"||": 1, "&&": 2, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_LEVELS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3)
_KEYWORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_STARTERS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
#: Macros by name and number of arguments: how many of the arguments are variables.
_MACROS = {
    ("all", 2): 1,
    ("exists", 2): 1,
    ("exists_one", 2): 1,
    ("existsOne", 2): 1,
    ("map", 2): 1,
    ("map", 3): 1,
    ("filter", 2): 1,
    ("optMap", 2): 1,
    ("optFlatMap", 2): 1,
    ("all", 3): 2,
    ("exists", 3): 2,
    ("existsOne", 3): 2,
    ("exists_one", 3): 2,
    ("transformList", 3): 2,
    ("transformList", 4): 2,
    ("transformMap", 3): 2,
    ("transformMap", 4): 2,
    ("transformMapEntry", 3): 2,
    ("transformMapEntry", 4): 2,
}


def parse(source: str) -> Node:
    """Raises: CompileError."""
    try:
        if len(source) > _LONGEST:
            text = f"expression code point size exceeds limit: size: {len(source)}, limit {_LONGEST}"
            raise Malformed(0, text)
        root = _Parser(read_words(source)).whole()
        if depth(root) > _DEEPEST:
            raise Malformed(0, _TOO_DEEP)
    except Malformed as error:
        raise CompileError(source, [error.issue]) from None
    return root


class _Parser:
    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._next = 0
        self._level = 0

    @property
    def _word(self) -> Word:
        return self._words[self._next]

    def _take(self) -> Word:
        word = self._word
        self._next += 1
        return word

    def _eats(self, text: str) -> bool:
        word = self._word
        if word.kind in ("symbol", "name") and word.text == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str, expected: str = "") -> Word:
        word = self._word
        if word.kind != "symbol" or word.text != text:
            self._mismatch(expected or f"'{text}'")
        return self._take()

    def _mismatch(self, expected: str) -> NoReturn:
        word = self._word
        raise Malformed(word.at, f"Syntax error: mismatched input '{word.text}' expecting {expected}")

    def whole(self) -> Node:
        root = self._expression()
        if self._word.kind != "end":
            word = self._word
            is_last = self._words[self._next + 1].kind == "end"
            how = "extraneous" if is_last else "mismatched"
            raise Malformed(word.at, f"Syntax error: {how} input '{word.text}' expecting <EOF>")
        return root

    def _expression(self) -> Node:
        self._level += 1
        if self._level > _NESTED:
            raise Malformed(self._word.at, _TOO_DEEP)
        node = self._binary(1)
        if self._word.text == "?" and self._word.kind == "symbol":
            at = self._take().at
            yes = self._binary(1)
            self._expect(":")
            node = Call(at=at, function="_?_:_", args=(node, yes, self._expression()))
        self._level -= 1
        return node

    def _binary(self, lowest: int) -> Node:
        left = self._unary()
        while (level := self._operator()) >= lowest:
            word = self._take()
            right = self._binary(level + 1)
            function = "@in" if word.text == "in" else f"_{word.text}_"
            args: tuple[Node, ...] = (left, right)
            if level < 3 and isinstance(left, Call) and left.function == function and left.target is None:
                args = (*left.args, right)  # a chain of them is one node, however long
            left = Call(at=word.at, function=function, args=args)
        return left

    def _operator(self) -> int:
        word = self._word
        return _LEVELS.get(word.text, 0) if word.kind in ("symbol", "name") else 0

    def _unary(self) -> Node:
        word = self._word
        if word.kind != "symbol" or word.text not in ("!", "-"):
            return self._member(self._primary())
        signs = 0
        while self._word.kind == "symbol" and self._word.text == word.text:
            self._take()
            signs += 1
        number = self._word
        if word.text == "-" and number.kind == "number" and not isinstance(number.value, UInt):
            self._take()
            node: Node = Const(at=word.at, value=_bounded(-number.value, word.at))
            node, signs = self._member(node), signs - 1
        else:
            node = self._member(self._primary())
        if signs % 2 == 0:
            return node
        return Call(at=word.at, function="!_" if word.text == "!" else "-_", args=(node,))

    def _member(self, node: Node) -> Node:
        while self._word.kind == "symbol":
            at = self._word.at
            if self._eats("."):
                is_optional = self._eats("?")
                name = self._field()
                if not is_optional and self._word.text == "(" and self._word.kind == "symbol":
                    node = self._call(node, name)
                else:
                    node = Select(at=at, operand=node, field=name, is_optional=is_optional)
            elif self._eats("["):
                is_optional = self._eats("?")
                index = self._expression()
                self._expect("]")
                node = Call(at=at, function="_[?_]" if is_optional else "_[_]", args=(node, index))
            elif self._word.text == "{" and isinstance(node, Ident | Select):
                raise Malformed(at, f"undeclared reference to '{_dotted(node)}' (in container '')")
            else:
                break
        return node

    def _field(self) -> str:
        word = self._word
        if word.kind != "name" or word.text == "in" or word.text in _KEYWORDS:
            self._mismatch("IDENTIFIER")
        return self._take().text.strip("`")

    def _primary(self) -> Node:
        word = self._word
        if word.kind == "number":
            return Const(at=self._take().at, value=_bounded(word.value, word.at))
        if word.kind == "string":
            return Const(at=self._take().at, value=word.value)
        if word.kind == "symbol" and word.text in ("(", "[", "{"):
            self._take()
            return self._bracketed(word)
        self._eats(".")  # a leading dot means the root, which is where names are looked for anyway
        word = self._word
        if word.kind != "name" or word.text == "in" or word.text.startswith("`"):
            self._mismatch(_STARTERS)
        self._take()
        if word.text in _KEYWORDS:
            return Const(at=word.at, value=_KEYWORDS[word.text])
        if self._word.kind == "symbol" and self._word.text == "(":
            return self._call(None, word.text)
        if word.text in RESERVED:
            raise Malformed(word.at, f"reserved identifier: {word.text}")
        return Ident(at=word.at, name=word.text)

    def _bracketed(self, opening: Word) -> Node:
        if opening.text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if opening.text == "[":
            return self._list(opening.at)
        entries: list[tuple[Node, Node, bool]] = []
        while not self._eats("}"):
            is_optional = self._eats("?")
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression(), is_optional))
            if not self._eats(","):
                self._expect("}", "{'}', ','}")
                break
        return MapLiteral(at=opening.at, entries=tuple(entries))

    def _list(self, at: int) -> Node:
        items: list[Node] = []
        optional: set[int] = set()
        while not self._eats("]"):
            if self._eats("?"):
                optional.add(len(items))
            items.append(self._expression())
            if not self._eats(","):
                self._expect("]", "{']', ','}")
                break
        return ListLiteral(at=at, items=tuple(items), optional=frozenset(optional))

    def _call(self, target: Node | None, name: str) -> Node:
        at = self._expect("(").at
        args: list[Node] = []
        while not self._eats(")"):
            args.append(self._expression())
            if not self._eats(","):
                self._expect(")", "{')', ','}")
                break
        if target is None and name == "has" and len(args) == 1:
            if not isinstance(args[0], Select) or args[0].is_test:
                raise Malformed(args[0].at, "invalid argument to has() macro")
            field = args[0]
            return Select(at=at, operand=field.operand, field=field.field, is_test=True, is_optional=field.is_optional)
        variables = _MACROS.get((name, len(args))) if target is not None else None
        if target is None or variables is None:
            return Call(at=at, function=name, target=target, args=tuple(args))
        return _macro(name, at, target, args, variables)


def _macro(name: str, at: int, target: Node, args: list[Node], count: int) -> Node:
    names: list[str] = []
    for arg in args[:count]:
        if not isinstance(arg, Ident):
            raise Malformed(arg.at, "argument must be a simple name" if count > 1 else "argument is not an identifier")
        names.append(arg.name)
    if len(set(names)) < count:
        raise Malformed(args[1].at, f"duplicate variable name: {names[0]}")
    return Macro(at=at, name=name, range=target, variables=tuple(names), args=tuple(args[count:]))


def _bounded(value: Any, at: int) -> Any:
    if type(value) is int and not MIN_INT <= value <= MAX_INT:
        raise Malformed(at, "invalid int literal")
    return value


def _dotted(node: Node) -> str:
    match node:
        case Ident():
            return node.name
        case Select():
            return f"{_dotted(node.operand)}.{node.field}"
    return ""
