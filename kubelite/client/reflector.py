"""List, then watch, then again: the state machine that keeps a copy of one kind. Pure.

`step(state, input)` says what the copy must do (`outputs`) and what to ask of the server next (`state`). A list replaces the
copy as a whole, by the difference, so that readers never see it half full; a lost place (410) leads back to a list.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from kubelite.api.meta import Object
from kubelite.client.interface import Listing, WatchEvent


class NeedList(msgspec.Struct, frozen=True):
    """Ask for a list; after a failure wait for the back-off first."""

    after_failure: bool = False


class NeedWatch(msgspec.Struct, frozen=True):
    """Ask for a watch from here."""

    resource_version: str
    after_failure: bool = False


State: TypeAlias = NeedList | NeedWatch


class Lost(msgspec.Struct, frozen=True):
    """The server no longer has our place."""


class Failed(msgspec.Struct, frozen=True):
    """The server did not answer, or the stream broke."""


Input: TypeAlias = Listing[Any] | list[WatchEvent[Any]] | Lost | Failed


class Upsert(msgspec.Struct, frozen=True, gc=False):
    obj: Any


class Remove(msgspec.Struct, frozen=True, gc=False):
    """`obj` is the last state known."""

    obj: Any


Output: TypeAlias = Upsert | Remove


def step(state: State, given: Input, known: Mapping[tuple[str, str], Object]) -> tuple[State, list[Output]]:
    """The next state and the changes of the copy; `known` is the copy by (namespace, name), read only for a list."""
    match given:
        case Listing():
            listed = {(obj.metadata.namespace, obj.metadata.name): obj for obj in given.items}
            outputs: list[Output] = [Remove(obj) for key, obj in known.items() if key not in listed]
            outputs += [
                Upsert(obj)
                for key, obj in listed.items()
                if key not in known or known[key].metadata.resource_version != obj.metadata.resource_version
            ]
            return NeedWatch(given.resource_version), outputs
        case list():
            outputs = []
            version = state.resource_version if isinstance(state, NeedWatch) else ""
            for event in given:
                version = event.object.metadata.resource_version or version
                if event.type == "DELETED":
                    outputs.append(Remove(event.object))
                elif event.type != "BOOKMARK":
                    outputs.append(Upsert(event.object))
            return NeedWatch(version), outputs
        case Lost():
            return NeedList(), []
        case Failed():
            if isinstance(state, NeedWatch):
                return NeedWatch(state.resource_version, after_failure=True), []
            return NeedList(after_failure=True), []
