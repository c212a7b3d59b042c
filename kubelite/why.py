"""`python -m kubelite why KIND/NAME`: how an object came to be as it is, from the store's retained history.

Every write carries its cause (apiserver/commits, client/host): the user, the controller with its key and the revision that it
reacted to, what the scheduler weighed, and the time. `explain` follows these from each change of an object back to a user's
request, and finds fields that several writers set to and fro.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec

from kubelite.api.scheme import Scheme
from kubelite.api.timestamp import rfc3339
from kubelite.store.cli import answers
from kubelite.store.control import Request
from kubelite.store.store import StoreError

DEPTH = 12  #: how far back one change is followed
FIELDS = 6  #: as many changed fields are named
FIGHT = 3  #: so many returns to an earlier value by another writer are a fight
_TRIGGER = re.compile(r"^(?P<actor>\S+) (?P<key>.*?) @(?P<revision>\d+)(?:: (?P<why>.*))?$", re.DOTALL)
_SILENT = ("metadata.managedFields", "metadata.resourceVersion", "metadata.generation")

#: The store's "events" of a key, or of "@REVISION", as JSON lines.
Source = Callable[[str], AsyncIterator[str]]


class Change(msgspec.Struct, frozen=True):
    """What one revision did to one key."""

    revision: int
    key: str
    cause: str
    before: str
    after: str


class Cause(msgspec.Struct, frozen=True):
    user: str = ""
    cause: str = ""
    at: float = 0.0

    @property
    def trigger(self) -> int:
        """The revision that it was a reaction to; 0: none is known."""
        found = _TRIGGER.match(self.cause)
        return int(found["revision"]) if found else 0

    @property
    def writer(self) -> str:
        """Who it was, without what made them."""
        found = _TRIGGER.match(self.cause)
        return found["actor"] if found else self.cause.partition(" ")[0] or self.user


def key_of(what: str, namespace: str, scheme: Scheme) -> str:
    """The store's key of `kind/name`, where kind may be a plural, a short name, or `plural.group`. Raises: ValueError.

    >>> key_of("deploy/web", "default", Scheme())
    '/registry/deployments.apps/default/web'
    """
    kind, _, name = what.partition("/")
    wanted = kind.lower()
    for resource in scheme:
        names = (resource.plural, resource.singular, resource.group_resource, *resource.short_names)
        if wanted in names and "get" in resource.verbs and name:
            return resource.key(name, namespace)
    if "." in kind and name:
        return f"/registry/{wanted}/{namespace}/{name}" if namespace else f"/registry/{wanted}/{name}"
    raise ValueError(f"{what!r} is no KIND/NAME that this cluster has")


async def explain(source: Source, key: str) -> list[str]:
    """The lines of the story of `key`. Raises: ValueError when nothing is retained of it; StoreError."""
    changes = await _changes(source, key)
    if not changes:
        raise ValueError(f"nothing is known of {_short(key)}: it never was, or its history is no longer kept")
    lines = [_short(key)]
    shown: set[int] = set()
    for change in changes:
        lines += await _chain(source, change, shown)
    return [*lines, *fights(changes)]


async def _changes(source: Source, of: str) -> list[Change]:
    return [msgspec.json.decode(line, type=Change) async for line in source(of)]


async def _chain(source: Source, change: Change, shown: set[int]) -> list[str]:
    """A change, and below it what each was a reaction to."""
    lines: list[str] = []
    path: list[int] = []
    current: Change | None = change
    while current is not None and len(path) < DEPTH:
        indent = "  " + "   " * len(path)
        arrow = "<- " if path else ""
        lines.append(f"{indent}{arrow}{_told(current, with_key=bool(path))}")
        if current.revision in shown:
            lines[-1] += " (see above)"
            break
        if current.revision in path:
            lines[-1] += " (a loop)"
            break
        path.append(current.revision)
        trigger = _cause(current).trigger
        found = await _changes(source, f"@{trigger}") if trigger else []
        if trigger and not found:
            lines.append(f"{indent}   <- {trigger} is no longer kept")
        current = found[0] if found else None
    shown.update(path)
    return lines


def _cause(change: Change) -> Cause:
    try:
        return msgspec.json.decode(change.cause, type=Cause)
    except msgspec.DecodeError:
        return Cause(cause=change.cause)


def _told(change: Change, *, with_key: bool) -> str:
    cause = _cause(change)
    at = f" {rfc3339(cause.at)}" if cause.at else ""
    what = "deleted" if not change.after else "created" if not change.before else _fields(change)
    subject = f" {_short(change.key)}" if with_key else ""
    return f"{change.revision}{at}{subject} {what} by {cause.cause or cause.user or 'nobody who said so'}"


def _fields(change: Change) -> str:
    names = [path for path, _, _ in changed_fields(change)]
    more = f" and {len(names) - FIELDS} more" if len(names) > FIELDS else ""
    return f"changed in {', '.join(names[:FIELDS])}{more}" if names else "changed"


def changed_fields(change: Change) -> list[tuple[str, Any, Any]]:
    """(path, before, after) of every field that differs; lists are compared as a whole."""
    try:
        before, after = msgspec.json.decode(change.before or "{}"), msgspec.json.decode(change.after or "{}")
    except msgspec.DecodeError:
        return []
    return [entry for entry in _differences("", before, after) if entry[0] not in _SILENT]


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(f"{path}.{name}" if path else name, before.get(name), after.get(name))
    else:
        yield path, before, after


def fights(changes: Sequence[Change]) -> list[str]:
    """Fields that different writers take back from each other again and again."""
    history: dict[str, list[tuple[str, Any, int]]] = {}
    for change in changes:
        if change.before and change.after:
            writer = _cause(change).writer
            for path, before, after in changed_fields(change):
                history.setdefault(path, [("", before, 0)]).append((writer, after, change.revision))
    lines = []
    for path, steps in history.items():
        returns = [
            at for at in range(2, len(steps)) if steps[at][1] == steps[at - 2][1] and steps[at][0] != steps[at - 1][0]
        ]
        if len(returns) >= FIGHT:
            (one, first, _), (other, second, _) = steps[-2], steps[-1]
            revisions = f"{steps[1][2]} to {steps[-1][2]}"
            lines.append(
                f"loop: {path} went to and fro {len(returns)} times in revisions {revisions}: "
                f"{one} sets {msgspec.json.encode(first).decode()}, {other} sets {msgspec.json.encode(second).decode()}"
            )
    return lines


def _short(key: str) -> str:
    return key.removeprefix("/registry/")


def main(argv: Sequence[str], *, data_dir: Path) -> int:
    """Prints the story; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kubelite why",
        description="Says how an object came to be as it is, within the retained history.",
    )
    parser.add_argument("what", metavar="KIND/NAME", help="for example pod/web-0 or deploy/web")
    parser.add_argument("-n", "--namespace", default="default", help="default: %(default)s")
    parser.add_argument("--data-dir", type=Path, default=data_dir, help="the daemon's (default: %(default)s)")
    options = parser.parse_args(argv)

    async def run() -> list[str]:
        key = key_of(options.what, options.namespace, Scheme())
        return await explain(lambda of: answers(options.data_dir, Request(command="events", argument=of)), key)

    try:
        sys.stdout.write("\n".join(anyio.run(run)) + "\n")
    except (ValueError, StoreError, OSError) as error:
        sys.stderr.write(f"kubelite why: {error}\n")
        return 2
    return 0
