"""The columns that a custom kind's definition asks for. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/registry/customresource/tableconvertor, k8s.io/client-go/util/jsonpath
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from kubelite.api import codec
from kubelite.api.apiextensions_v1 import CustomResourceColumnDefinition
from kubelite.api.custom import CustomObject, Definition
from kubelite.api.timestamp import parse_rfc3339
from kubelite.apiserver.table_columns import NAME, Column, Printer, human_duration

_AGE = CustomResourceColumnDefinition(
    name="Age", type="date", json_path=".metadata.creationTimestamp", description="When the object was created."
)
_STEP = re.compile(
    r"""\.(?P<key>(?:\\.|[^.\[\\])+) | \[(?P<index>-?\d+)\] | \[(?P<all>\*)\] | \[['"](?P<quoted>[^'"]+)['"]\]
    | \[\?\(@\.(?P<field>[\w.-]+)\s*(?P<operator>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.-]+)\)\]""",
    re.VERBOSE,
)
Step = Callable[[Any], Iterator[Any]]


def custom_printer(definition: Definition) -> Printer:
    """The printer of a version."""
    wanted = definition.columns or (_AGE,)
    columns = tuple(
        Column(
            item.name,
            item.type,
            item.format,
            item.description or f"Custom resource definition column (in JSONPath format): {item.json_path}",
            item.priority,
        )
        for item in wanted
    )
    paths = [(item.type, parse_path(item.json_path)) for item in wanted]

    def cells(obj: CustomObject, now: float) -> Sequence[Any]:
        plain = codec.to_builtins(obj)
        return [obj.metadata.name, *(_cell(type_, find(plain), now) for type_, find in paths)]

    return Printer((NAME, *columns), cells)


def parse_path(path: str) -> Callable[[Any], list[Any]]:
    """What a JSON path finds; one that is not understood finds nothing.

    >>> parse_path('.a[?(@.type=="Ready")].status')({"a": [{"type": "Ready", "status": "True"}]})
    ['True']
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return lambda _: []
        steps.append(_step(match))
        at = match.end()

    def find(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [item for each in found for item in step(each)]
        return found

    return find


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return _Index(int(match["index"]))
    if match["all"]:
        return _every
    if match["field"] is not None:
        wanted = match["value"].strip("\"'")
        return _Filter(match["field"].split("."), wanted, equal=match["operator"] == "==")
    return _Key((match["quoted"] or match["key"]).replace("\\", ""))


def _every(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()


class _Key(msgspec.Struct, frozen=True):
    key: str

    def __call__(self, value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and self.key in value:
            yield value[self.key]


class _Index(msgspec.Struct, frozen=True):
    index: int

    def __call__(self, value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= self.index < len(value):
            yield value[self.index]


class _Filter(msgspec.Struct, frozen=True):
    keys: list[str]
    wanted: str
    equal: bool

    def __call__(self, value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            found = item
            for key in self.keys:
                found = found.get(key) if isinstance(found, dict) else None
            if (_text(found) == self.wanted) == self.equal and found is not None:
                yield item


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if value is not None else ""


def _cell(type_: str, found: list[Any], now: float) -> Any:
    """The value as the column's type has it; None where it does not fit."""
    if not found or (value := found[0]) is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match type_:
        case "string":
            return _text(value)
        case "integer" if is_number:
            return int(value)
        case "number" if is_number:
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            try:
                return human_duration(now - parse_rfc3339(value))
            except ValueError:
                return "<invalid>"
    return None
