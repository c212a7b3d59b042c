"""What kubectl prints: the printer of each kind, and how a cell's value is told. Pure functions of (object, now).

A printer is a table of columns and a function from an object to its cells. Kinds without one show their name and when they
were created. The kinds are in `table_pods`, `table_workloads`, `table_network` and `table_cluster`.
Source: kubernetes pkg/printers/internalversion/printers.go, k8s.io/apimachinery/pkg/util/duration
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kubelite.api.custom import CustomObject
from kubelite.api.meta import LabelSelector, Time
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import parse_rfc3339

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"


class Column(msgspec.Struct, frozen=True):
    """priority 0 is always shown, 1 with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


class Printer(msgspec.Struct, frozen=True):
    """`conditions` says of a row what a client may want to hide, as JSON values."""

    columns: tuple[Column, ...]
    cells: Callable[[Any, float], Sequence[Any]]
    conditions: Callable[[Any], Sequence[Mapping[str, str]]] | None = None


NAME = Column("Name", format="name", description="The object's name, unique within its namespace and kind.")
AGE = Column("Age", description="How long ago the object was created.")


def columns(*names: str, wide: Sequence[str] = (), **types: str) -> tuple[Column, ...]:
    """Columns by name, wide ones last; `types` overrides "string" (with _ for what a keyword cannot hold).

    >>> [(c.name, c.type, c.priority) for c in columns("Name", "Up-to-date", wide=["IP"], up_to_date="integer")]
    [('Name', 'string', 0), ('Up-to-date', 'integer', 0), ('IP', 'string', 1)]
    """
    known = {"Name": NAME, "Age": AGE}

    def one(name: str, priority: int) -> Column:
        type_ = types.get(name.lower().replace("-", "_").replace(" ", "_"), "string")
        return known.get(name) or Column(name, type_, priority=priority)

    return (*(one(name, 0) for name in names), *(one(name, 1) for name in wide))


def human_duration(seconds: float) -> str:
    """A span as kubectl shows it: two units at most, coarser as it grows.

    >>> [human_duration(s) for s in (-3, 5, 119, 120, 310, 3 * 3600, 30 * 3600, 9 * 86400, 3 * 31536000)]
    ['<invalid>', '5s', '119s', '2m', '5m10s', '3h', '30h', '9d', '3y']
    """
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    minutes, hours, days, years = total // 60, total // 3600, total // 86400, total // (86400 * 365)
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


def since(time: Time | None, now: float) -> str:
    """How long ago `time` was."""
    return human_duration(now - parse_rfc3339(time)) if time else UNKNOWN


def age(obj: Any, now: float) -> str:
    return since(obj.metadata.creation_timestamp, now)


def joined(values: Iterable[str], empty: str = NONE) -> str:
    return ",".join(values) or empty


def labels_text(labels: Mapping[str, str], empty: str = NONE) -> str:
    return joined((f"{key}={value}" for key, value in sorted(labels.items())), empty)


def selector_text(selector: LabelSelector | None) -> str:
    """A label selector as a query string.

    >>> selector_text(LabelSelector(match_labels={"app": "a"}))
    'app=a'
    """
    if selector is None:
        return NONE
    terms = {key: f"{key}={value}" for key, value in selector.match_labels.items()}
    for wanted in selector.match_expressions:
        values = ",".join(sorted(wanted.values))
        operator = wanted.operator
        terms[wanted.key] = {
            "In": f"{wanted.key} in ({values})",
            "NotIn": f"{wanted.key} notin ({values})",
            "Exists": wanted.key,
            "DoesNotExist": f"!{wanted.key}",
        }.get(operator, wanted.key)
    return joined((terms[key] for key in sorted(terms)), NONE)


def container_columns(template: Any) -> tuple[str, str]:
    """(names, images) of a pod template's containers."""
    containers = template.spec.containers if template is not None and template.spec is not None else ()
    return ",".join(entry.name for entry in containers), ",".join(entry.image for entry in containers)


def _generic(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.metadata.creation_timestamp


_CREATED = Column("Created At", type="date", description="When the object was created.")
GENERIC = Printer((NAME, _CREATED), _generic)


def printer_of(resource: Resource) -> Printer:
    """The printer of a resource's kind."""
    if issubclass(resource.type, CustomObject):
        from kubelite.apiserver.custom_table import custom_printer

        return custom_printer(resource.type.definition)
    from kubelite.apiserver.table_printers import PRINTERS

    return PRINTERS.get((resource.group, resource.kind), GENERIC)
