"""The columns of custom kinds."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.apiserver.custom_table import custom_printer, parse_path
from tests.api.custom_kinds import version, widget, widgets

PLAIN = {"a": {"b.c": 1, "list": [{"type": "Ready", "status": "True"}, {"type": "Up"}]}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (r".a.b\.c", [1]),
        (".a['b.c']", [1]),
        (".a.list[0].status", ["True"]),
        (".a.list[-1].type", ["Up"]),
        (".a.list[*].type", ["Ready", "Up"]),
        ('.a.list[?(@.type=="Ready")].status', ["True"]),
        ('.a.list[?(@.type!="Ready")].type', ["Up"]),
        (".nowhere.at.all", []),
        ("no path", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert parse_path(path)(PLAIN) == found


def test_cells_are_of_their_columns_type_or_empty() -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Parts", "type": "string", "jsonPath": ".spec.parts", "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".spec.free.since"},
        {"name": "Flag", "type": "boolean", "jsonPath": ".spec.size"},
    ]
    (type_,) = widgets(version(additionalPrinterColumns=columns))
    printer = custom_printer(type_.definition)
    obj = widget(type_, size=3, parts=[{"id": "x"}], free={"since": "1970-01-01T00:00:00Z"})
    assert printer.cells(obj, 60.0) == ["w", 3, '[{"id":"x"}]', "60s", None]
    assert [column.priority for column in printer.columns] == [0, 0, 1, 0, 0]


def test_without_columns_the_age_is_shown() -> None:
    (type_,) = widgets()
    assert [column.name for column in custom_printer(type_.definition).columns] == ["Name", "Age"]
