"""YAML as kubectl and the API server read it: as another way to write JSON, with Go's rules for plain scalars. Pure.

`y` and `on` are booleans, `80:80` and `2026-01-01` texts, keys are always texts. PyYAML is imported when the first text comes.
Source: sigs.k8s.io/yaml and its fork of go-yaml v2 (resolve.go)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from kubelite.api.json_text import Repeated

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_INTEGER = re.compile(r"[-+]?(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|[1-9][0-9]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_TEXT_TAG = "tag:yaml.org,2002:str"
#: What PyYAML takes for a text only when it is tagged as one.
_NEVER_TEXT = re.compile(r"[-+]?(0|[1-9][0-9_]*)|true|false|yes|no|on|off|null|~", re.ASCII)
_MAX_NODES = 500_000  # aliases multiply


def load(text: str | bytes) -> Any:
    """The only document of the text. Raises: ValueError."""
    documents = list(load_all(text))
    if len(documents) > 1:
        raise ValueError("yaml: expected a single document")
    return documents[0] if documents else None


def load_all(text: str | bytes) -> Iterator[Any]:
    """The documents, as plain JSON data; a document with repeated keys is a `Repeated`. Raises: ValueError."""
    import yaml

    try:
        for node in yaml.compose_all(text, _loader()):
            yield _Document().value(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"yaml: {where}{getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise ValueError("yaml: exceeded max depth") from None


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Document:
    def __init__(self) -> None:
        self._problems: list[str] = []
        self._nodes = 0

    def value(self, root: Any) -> Any:
        value = self._value(root)
        if self._problems and isinstance(value, dict):
            return Repeated(value, texts=("yaml: unmarshal errors:\n  " + "\n  ".join(self._problems),))
        return value

    def _value(self, node: Any) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise ValueError("yaml: document contains excessive aliasing")
        match node.id:
            case "sequence":
                return [self._value(item) for item in node.value]
            case "mapping":
                return self._mapping(node)
        return _scalar(node)

    def _mapping(self, node: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                raise ValueError(f"yaml: line {key_node.start_mark.line + 1}: invalid map key")
            if key_node.value == "<<" and not key_node.style:
                for source in value_node.value if value_node.id == "sequence" else [value_node]:
                    merged = self._value(source) | merged if source.id == "mapping" else merged
                continue
            key = _key(_scalar(key_node))
            if key in own:
                self._problems.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            own[key] = self._value(value_node)
        return merged | own if merged else own


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _scalar(node: Any) -> Any:
    text: str = node.value
    if node.style or (node.tag == _TEXT_TAG and _NEVER_TEXT.fullmatch(text)):  # quoted, block or tagged as text
        return text
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if not text or text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        digits = plain.lstrip("+-")
        is_octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
        number = int(digits, 8) if is_octal else int(digits, 0)
        return -number if plain[0] == "-" else number
    if _FLOAT.fullmatch(plain):
        real = float(plain)
        return text if math.isinf(real) else int(real) if real.is_integer() else real
    return text
