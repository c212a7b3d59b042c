"""The door: an expression is compiled against declared variables, then evaluated as often as it takes. Pure.

>>> program = compile_expression("self.size() > minimum", {"self": STRING, "minimum": INT})
>>> program.evaluate({"self": "abc", "minimum": 2}).value
True
>>> program.evaluate({"self": "abc", "minimum": 2}, limit=1).error
'operation cancelled: actual cost limit exceeded'
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from kubelite.api.cel.checker import Checked, check, check_literals
from kubelite.api.cel.errors import CelError, CompileError, CostExceeded
from kubelite.api.cel.evaluator import Compiler
from kubelite.api.cel.frame import Eval, Frame
from kubelite.api.cel.functions import Functions, Library
from kubelite.api.cel.parser import parse
from kubelite.api.cel.tree import Node, names
from kubelite.api.cel.types import INT, STRING, Type

__all__ = ["INT", "STRING", "Outcome", "Program", "compile_expression"]

#: What one evaluation may cost. Source: k8s.io/apiserver pkg/apis/cel/config.go
PER_CALL = 1_000_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an evaluation: a value, or an error if that is not empty."""

    value: Any = None
    error: str = ""
    cost: int = 0
    is_exceeded: bool = False  #: it was given up as too costly


class Program(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    type: Type
    names: frozenset[str]  #: identifiers that the expression mentions
    root: Node
    checked: Checked
    run: Eval

    def evaluate(self, variables: Mapping[str, Any], *, limit: int = PER_CALL) -> Outcome:
        frame = Frame(dict(variables), limit)
        try:
            value = self.run(frame)
            if frame.left < 0:
                raise CostExceeded
        except CelError as error:
            return Outcome(error=str(error), cost=limit - frame.left)
        except CostExceeded as error:
            return Outcome(error=str(error), cost=limit - frame.left, is_exceeded=True)
        return Outcome(value=value, cost=limit - frame.left)


def compile_expression(
    source: str, variables: Mapping[str, Type], *, extra: tuple[tuple[str, Any], ...] = ()
) -> Program:
    """`extra`: signatures with what carries them out, beside the standard ones. Raises: CompileError."""
    root = parse(source)
    functions = _functions(extra)
    checked = check(root, variables, functions)
    if issues := checked.issues or check_literals(root):
        raise CompileError(source, issues)
    run = Compiler(checked, functions).make(root)
    return Program(source=source, type=checked.type, names=frozenset(names(root)), root=root, checked=checked, run=run)


@lru_cache(maxsize=8)
def _functions(extra: tuple[tuple[str, Any], ...]) -> Functions:
    from kubelite.api.cel import (
        library_kubernetes as kubernetes,
        library_lists as lists,
        library_net as net,
        library_standard as standard,
        library_text as text,
        library_time as time,
    )

    libraries: list[Library] = [
        standard.OPERATORS,
        standard.CONVERSIONS,
        standard.TEXTS,
        standard.OPTIONALS,
        time.TIMES,
    ]
    libraries += [text.STRINGS, lists.LISTS, lists.SETS, lists.REGEX, net.URLS, net.ADDRESSES]
    libraries += [kubernetes.QUANTITIES, kubernetes.VERSIONS, kubernetes.FORMATS, dict(extra)]
    return Functions(libraries)
