"""What kinds and fields mean, in a line each: `kubectl explain` and OpenAPI tell it. Loaded when OpenAPI is asked for.

A module per group holds its `TEXT`: a line `Type: meaning` for each type, and below it, indented, `field meaning`. What a type
says nothing about has the meaning that `common` gives its name everywhere.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import msgspec

#: Groups whose types are told in another module than their own.
_MODULES = {
    "admissionregistration_v1": "extension",
    "apiextensions_v1": "extension",
    "apiregistration_v1": "extension",
    "metrics_v1beta1": "extension",
    "apps_v1": "workloads",
    "autoscaling_v1": "workloads",
    "autoscaling_v2": "workloads",
    "batch_v1": "workloads",
    "policy_v1": "workloads",
    "authentication_v1": "rights",
    "authorization_v1": "rights",
    "certificates_v1": "rights",
    "rbac_v1": "rights",
    "core_v1": "core",
    "meta": "common",
    "discovery_v1": "network",
    "networking_v1": "network",
    "coordination_v1": "cluster",
    "events_v1": "cluster",
    "flowcontrol_v1": "cluster",
    "node_v1": "cluster",
    "scheduling_v1": "cluster",
    "storage_v1": "cluster",
}


class Meaning(msgspec.Struct):
    """Of one type."""

    text: str
    fields: dict[str, str]


def parse(text: str) -> dict[str, Meaning]:
    """
    >>> parse("Pod: Containers.\\n spec What is wanted.")["Pod"].fields
    {'spec': 'What is wanted.'}
    """
    found: dict[str, Meaning] = {}
    meaning = Meaning("", {})
    for line in text.strip().splitlines():
        if line.startswith(" "):
            name, _, told = line.strip().partition(" ")
            meaning.fields[name] = told
        else:
            name, _, told = line.partition(": ")
            meaning = found[name] = Meaning(told, {})
    return found


@lru_cache(maxsize=32)
def _of_module(name: str) -> dict[str, Meaning]:
    return parse(import_module(f"{__name__}.{name}").TEXT)


def type_meaning(type_: Any) -> str:
    """Empty for a type that nobody described."""
    found = _find(type_)
    return found.text if found is not None else ""


def field_meaning(type_: Any, field: str) -> str:
    """`field` as it is written on the wire."""
    found = _find(type_)
    if found is not None and field in found.fields:
        return found.fields[field]
    return _of_module("common")["*"].fields.get(field, "")


def _find(type_: Any) -> Meaning | None:
    module = type_.__module__.rpartition(".")[2]
    known = _of_module(_MODULES[module]) if module in _MODULES else {}
    return known.get(f"{module}.{type_.__name__}") or known.get(type_.__name__)
