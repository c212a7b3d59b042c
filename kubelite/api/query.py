"""Query strings: what a URL says behind its question mark. Pure.

Source: k8s.io/apimachinery/pkg/runtime (conversion of url.Values)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from kubelite.api.errors import BadRequest

Query = Mapping[str, Sequence[str]]


def parse_query(raw: str) -> dict[str, list[str]]:
    """
    >>> parse_query("a=1&a=2&b")
    {'a': ['1', '2'], 'b': ['']}
    """
    return parse_qs(raw, keep_blank_values=True) if raw else {}


def first(query: Query, name: str) -> str:
    """The first value of a parameter, or an empty string."""
    values = query.get(name)
    return values[0] if values else ""


def parse_bool(text: str) -> bool:
    """A boolean of a query: absent, "0" and "false" are false, everything else (also a bare `?watch`) is true.

    Source: k8s.io/apimachinery/pkg/runtime Convert_Slice_string_To_bool
    """
    return text.lower() not in ("false", "0")


def flag(query: Query, name: str) -> bool:
    return name in query and parse_bool(first(query, name))


def parse_integer(query: Query, name: str) -> int | None:
    """Raises: BadRequest when the parameter is no number."""
    text = first(query, name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
