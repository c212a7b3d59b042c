"""How functions are declared: a table of signatures with what carries each out, and how a call finds its own. Pure.

A function with several signatures is chosen by the Python types of its arguments, so that the same table serves checked and
dynamic values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.types import Signature, Type, is_variable, parse_signature
from kubelite.api.cel.values import Duration, Opaque, OpenList, Optional, Timestamp, TypeName, UInt

Implementation = Callable[..., Any]
#: A library: signatures and what carries them out.
Library = Mapping[str, Implementation]

_KINDS: dict[str, tuple[type[Any], ...]] = {
    "bool": (bool,),
    "int": (int,),
    "uint": (UInt,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "null": (type(None),),
    "list": (list, OpenList),
    "map": (dict,),
    "duration": (Duration,),
    "timestamp": (Timestamp,),
    "optional": (Optional,),
    "type": (TypeName,),
}


class Overload(msgspec.Struct, frozen=True):
    signature: Signature
    run: Implementation

    def takes(self, kinds: tuple[type[Any], ...]) -> bool:
        args = self.signature.args
        return len(args) == len(kinds) and all(_takes(type_, kind) for type_, kind in zip(args, kinds, strict=True))


def _takes(type_: Type, kind: type[Any]) -> bool:
    if type_.kind == "dyn" or is_variable(type_):
        return True
    if (known := _KINDS.get(type_.kind)) is not None:
        return kind in known
    return issubclass(kind, Opaque) and kind.type_name == type_.kind


class Function:
    """All signatures of a name, members or not."""

    def __init__(self) -> None:
        self.overloads: list[Overload] = []
        self._chosen: dict[tuple[type[Any], ...], Implementation] = {}

    def choose(self, kinds: tuple[type[Any], ...]) -> Implementation:
        """Raises: CelError."""
        found = self._chosen.get(kinds)
        if found is None:
            found = next((overload.run for overload in self.overloads if overload.takes(kinds)), None)
            if found is None:
                raise CelError("no such overload")
            self._chosen[kinds] = found
        return found


class Functions:
    """What can be called: by name, and whether on a receiver."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        self._by_name: dict[tuple[str, bool], Function] = {}
        for library in libraries:
            for text, run in library.items():
                signature = parse_signature(text)
                function = self._by_name.setdefault((signature.name, signature.is_member), Function())
                function.overloads.append(Overload(signature, run))

    def find(self, name: str, *, is_member: bool) -> Function | None:
        return self._by_name.get((name, is_member))
