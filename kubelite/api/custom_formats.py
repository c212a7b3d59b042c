"""The formats of strings that schemas may name. A format that is not known here is no restriction. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/validation/formats.go, k8s.io/kube-openapi pkg/validation/strfmt
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

_HOST = re.compile(r"([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?")
_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)(\d+(\.\d*)?(ns|us|µs|ms|s|m|h|d|w))*|0")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:\d{2})")
_COLOUR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def _tried(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether `parse` takes a text."""

    def check(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _uuid(version: str = "[0-9a-f]", variant: str = "[0-9a-f]") -> Callable[[str], bool]:
    pattern = re.compile(_UUID % (version, variant), re.IGNORECASE)
    return lambda value: pattern.fullmatch(value) is not None


def _date_time(value: str) -> bool:
    return _DATE_TIME.fullmatch(value) is not None and _tried(datetime.fromisoformat)(value.upper()[:19])


def _email(value: str) -> bool:
    name, _, host = value.rpartition("@")
    return bool(name) and _HOST.fullmatch(host) is not None and not re.search(r"\s", name)


def _uri(value: str) -> bool:
    try:
        return bool(urlsplit(value).scheme) or value.startswith("/")
    except ValueError:
        return False


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _tried(date.fromisoformat),
    "date-time": _date_time,
    "datetime": _date_time,
    "byte": _tried(lambda value: b64decode(value, validate=True)),
    "ipv4": _tried(ipaddress.IPv4Address),
    "ipv6": _tried(ipaddress.IPv6Address),
    "cidr": _tried(
        lambda value: ipaddress.ip_network(value, strict=False) if "/" in value else ipaddress.ip_address("")
    ),
    "mac": lambda value: re.fullmatch(r"([0-9a-fA-F]{2}[:-]){5,7}[0-9a-fA-F]{2}", value) is not None,
    "hostname": lambda value: len(value) <= 255 and _HOST.fullmatch(value) is not None,
    "email": _email,
    "uri": _uri,
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "duration": lambda value: _DURATION.fullmatch(value) is not None,
    "hexcolor": lambda value: _COLOUR.fullmatch(value) is not None,
}


def is_format(name: str, value: str) -> bool:
    """Whether `value` is of the format.

    >>> is_format("ipv4", "10.0.0.1"), is_format("date-time", "yesterday"), is_format("nonsense", "x")
    (True, False, True)
    """
    check = _FORMATS.get(name)
    return check is None or check(value)
