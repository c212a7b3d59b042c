"""Field errors in the API's own words, and the formats that names, labels and numbers must have.

Pure text in, messages out; which field must have which format is decided by the other `validation_*` files.
Source: k8s.io/apimachinery v0.33 pkg/util/validation/field/errors.go and pkg/util/validation/validation.go
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kubelite.api.errors import FieldError

Errors = list[FieldError]
#: Of ports.
PROTOCOLS = ("SCTP", "TCP", "UDP")
#: A format: a text to what is wrong with it.
Format = Callable[[str], list[str]]


def show(value: Any) -> str:
    """A bad value as messages print it: texts quoted, numbers and booleans plain.

    >>> show("a"), show(5), show(True)
    ('"a"', '5', 'true')
    """
    return msgspec.json.encode(value).decode()


def required(path: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", path, f"Required value: {detail}" if detail else "Required value")


def invalid(path: str, value: Any, detail: str) -> FieldError:
    shown = f"Invalid value: {show(value)}"
    return FieldError("FieldValueInvalid", path, f"{shown}: {detail}" if detail else shown)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    listed = ", ".join(show(item) for item in supported)
    return FieldError("FieldValueNotSupported", path, f"Unsupported value: {show(value)}: supported values: {listed}")


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", path, f"Duplicate value: {show(value)}")


def not_found(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", path, f"Not found: {show(value)}")


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", path, f"Forbidden: {detail}")


def too_long(path: str, limit_bytes: int) -> FieldError:
    return FieldError("FieldValueTooLong", path, f"Too long: may not be more than {limit_bytes} bytes")


def too_many(path: str, count: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", path, f"Too many: {count}: must have at most {limit} items")


IMMUTABLE = "field is immutable"


def immutable(path: str, new: Any, old: Any) -> Errors:
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def non_negative(path: str, value: int | None) -> Errors:
    return [] if not value or value > 0 else [invalid(path, value, "must be greater than or equal to 0")]


def one_of(path: str, value: str, supported: Iterable[str]) -> Errors:
    """`supported` in the order in which the message lists it."""
    return [] if value in supported else [not_supported(path, value, supported)]


def formatted(path: str, value: str, format_: Format) -> Errors:
    return [invalid(path, value, message) for message in format_(value)]


def duplicates(values: Iterable[tuple[str, Any]]) -> Errors:
    """Reports each (path, value) whose value came before."""
    seen: set[Any] = set()
    found: Errors = []
    for path, value in values:
        if value in seen:
            found.append(duplicate(path, value))
        seen.add(value)
    return found


def regex_message(text: str, pattern: str, *examples: str) -> str:
    """
    >>> regex_message("is bad", "[a]", "a", "aa")
    "is bad (e.g. 'a',  or 'aa', regex used for validation is '[a]')"
    """
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {listed}regex used for validation is '{pattern}')"


def longest(limit: int) -> str:
    return f"must be no more than {limit} characters"


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"

_LABEL_RE, _SUBDOMAIN_RE, _DNS1035_RE, _QUALIFIED_RE, _VALUE_RE, _CONFIG_KEY_RE, _HEADER_RE, _IDENTIFIER_RE = (
    re.compile(pattern)
    for pattern in (_LABEL, _SUBDOMAIN, _DNS1035, _QUALIFIED, _VALUE, _CONFIG_KEY, _HEADER, _IDENTIFIER)
)

_LABEL_TEXT = regex_message(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT = regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_DNS1035_TEXT = regex_message(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    _DNS1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_TEXT = regex_message(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_TEXT = regex_message(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_TEXT = regex_message(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_HEADER_TEXT = regex_message(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name"
)
_ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_IDENTIFIER_TEXT = regex_message(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    _IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)


def _format(value: str, regex: re.Pattern[str], text: str, limit: int) -> list[str]:
    found = [longest(limit)] if len(value) > limit else []
    if not regex.fullmatch(value):
        found.append(text)
    return found


def dns_label(value: str) -> list[str]:
    """
    >>> dns_label("a.b")
    ['must not contain dots']
    """
    found = [longest(63)] if len(value) > 63 else []
    if not _LABEL_RE.fullmatch(value):
        found.append("must not contain dots" if _SUBDOMAIN_RE.fullmatch(value) else _LABEL_TEXT)
    return found


def dns_subdomain(value: str) -> list[str]:
    return _format(value, _SUBDOMAIN_RE, _SUBDOMAIN_TEXT, 253)


def dns1035_label(value: str) -> list[str]:
    return _format(value, _DNS1035_RE, _DNS1035_TEXT, 63)


def label_value(value: str) -> list[str]:
    return _format(value, _VALUE_RE, _VALUE_TEXT, 63)


def http_header(value: str) -> list[str]:
    return [] if _HEADER_RE.fullmatch(value) else [_HEADER_TEXT]


def c_identifier(value: str) -> list[str]:
    return [] if _IDENTIFIER_RE.fullmatch(value) else [_IDENTIFIER_TEXT]


def env_name(value: str) -> list[str]:
    """The format since v1.32: any printable ASCII text without "="."""
    if not value:
        return ["environment variable name must be non-empty"]
    return [] if value.isascii() and value.isprintable() and "=" not in value else [_ENV_TEXT]


def config_key(value: str) -> list[str]:
    found = _format(value, _CONFIG_KEY_RE, _CONFIG_KEY_TEXT, 253)
    if value in (".", ".."):
        found.append(f"must not be '{value}'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found


def qualified_name(value: str) -> list[str]:
    """`name` or `prefix/name`, the format of label keys."""
    if len(value) <= 63 and _QUALIFIED_RE.fullmatch(value):
        return []
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [
            f"a qualified name {_QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {message}" for message in dns_subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append(f"name part {longest(63)}")
    if not _QUALIFIED_RE.fullmatch(name):
        found.append(f"name part {_QUALIFIED_TEXT}")
    return found


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [between(1, 65535)]


def port_name(value: str) -> list[str]:
    found = [longest(15)] if len(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def path_segment(value: str) -> list[str]:
    """The loosest format of a name: it must be one segment of a URL's path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in ("/", "%") if char in value]


def validate_ip(path: str, address: str) -> Errors:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return [invalid(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []
