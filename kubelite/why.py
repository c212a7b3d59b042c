"""`python -m kubelite why KIND/NAME`: how an object came to be as it is, from the store's retained history.

Every write carries its cause (apiserver/commits, client/host): the user, the controller with its key and the revision that it
reacted to, what the scheduler weighed, and the time. `explain` follows these from each change of an object back to a user's
request, and finds fields that several writers set to and fro; `told` says it to people, `encode` to programs.
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
from kubelite.store.store import StoreError

DEPTH = 12  #: how far back one change is followed
FIELDS = 6  #: as many changed fields are named to people
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


class Step(msgspec.Struct, frozen=True, rename="camel"):
    """A change, and what it was a reaction to. `manager` is the field manager, of an object that has such.

    `because` is None at the start of the chain, and where `note` says why it ends: the cause is "above" (shown before), "loop"
    (it is its own cause) or "forgotten" (no longer kept).
    """

    revision: int
    at: str
    object: str
    what: str  #: created, changed or deleted
    fields: tuple[str, ...]
    user: str
    by: str
    manager: str
    trigger: int | None
    note: str = ""
    because: Step | None = None


class Side(msgspec.Struct, frozen=True):
    writer: str
    value: Any


class Loop(msgspec.Struct, frozen=True, rename="camel"):
    """A field that several writers set to and fro."""

    field: str
    returns: int
    first_revision: int
    last_revision: int
    sides: tuple[Side, Side]


class Story(msgspec.Struct, frozen=True):
    object: str
    changes: tuple[Step, ...]
    loops: tuple[Loop, ...]


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


async def explain(source: Source, key: str) -> Story:
    """The story of `key`. Raises: ValueError when nothing is retained of it; StoreError."""
    history = _History(source)
    changes = await history.of(key)
    if not changes:
        raise ValueError(f"nothing is known of {_short(key)}: it never was, or its history is no longer kept")
    shown: set[int] = set()
    steps = [await _chain(history, change, shown) for change in changes]
    return Story(_short(key), tuple(steps), tuple(fights(changes)))


class _History:
    """Asks for everything once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, list[Change]] = {}

    async def of(self, what: str) -> list[Change]:
        if what not in self._known:
            self._known[what] = [msgspec.json.decode(line, type=Change) async for line in self._source(what)]
        return self._known[what]


async def _chain(history: _History, change: Change, shown: set[int]) -> Step:
    """A change with all that led to it."""
    path: list[Change] = []
    note = ""
    current: Change | None = change
    while current is not None and not note:
        path.append(current)
        if current.revision in shown:
            note = "above"
        elif current.revision in [each.revision for each in path[:-1]]:
            note = "loop"
        elif trigger := _cause(current).trigger:
            found = await history.of(f"@{trigger}")
            note = "" if found and len(path) < DEPTH else "forgotten"
            current = _meant(found, current)
        else:
            break
    shown.update(each.revision for each in path)
    step: Step | None = None
    for each in reversed(path):
        step = _step(each, step, "" if step else note)
    assert step is not None
    return step


def _meant(found: Sequence[Change], reaction: Change) -> Change | None:
    """Of what one transaction did, what is named like the key that was decided on."""
    decided = _TRIGGER.match(_cause(reaction).cause)
    name = f"/{decided['key']}" if decided else ""
    return next((change for change in found if change.key.endswith(name)), found[0] if found else None)


def _step(change: Change, because: Step | None, note: str) -> Step:
    cause = _cause(change)
    return Step(
        revision=change.revision,
        at=rfc3339(cause.at) if cause.at else "",
        object=_short(change.key),
        what="deleted" if not change.after else "changed" if change.before else "created",
        fields=tuple(path for path, _, _ in changed_fields(change)) if change.before and change.after else (),
        user=cause.user,
        by=cause.cause or cause.user,
        manager=_manager(change),
        trigger=cause.trigger or None,
        note=note,
        because=because,
    )


def _cause(change: Change) -> Cause:
    try:
        return msgspec.json.decode(change.cause, type=Cause)
    except msgspec.DecodeError:
        return Cause(cause=change.cause)


def _manager(change: Change) -> str:
    """The field manager whose entry the change touched."""
    before, after = (
        _decoded(text).get("metadata", {}).get("managedFields", ()) for text in (change.before, change.after)
    )
    return next((entry.get("manager", "") for entry in after if entry not in before), "")


def _decoded(text: str) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(text or "{}"))
    except (msgspec.DecodeError, TypeError, ValueError):
        return {}


def changed_fields(change: Change) -> list[tuple[str, Any, Any]]:
    """(path, before, after) of every field that differs; lists are compared as a whole."""
    before, after = _decoded(change.before), _decoded(change.after)
    return [entry for entry in _differences("", before, after) if entry[0] not in _SILENT]


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(f"{path}.{name}" if path else name, before.get(name), after.get(name))
    else:
        yield path, before, after


def fights(changes: Sequence[Change]) -> Iterator[Loop]:
    """Fields that different writers, or field managers of one user, take back from each other again and again."""
    history: dict[str, list[tuple[str, Any, int]]] = {}
    for change in changes:
        if change.before and change.after:
            cause = _cause(change)
            writer = cause.writer if cause.trigger else _manager(change) or cause.writer
            for path, before, after in changed_fields(change):
                history.setdefault(path, [("", before, 0)]).append((writer, after, change.revision))
    for path, steps in history.items():
        returns = [
            at for at in range(2, len(steps)) if steps[at][1] == steps[at - 2][1] and steps[at][0] != steps[at - 1][0]
        ]
        if len(returns) >= FIGHT:
            sides = (Side(*steps[-2][:2]), Side(*steps[-1][:2]))
            yield Loop(path, len(returns), steps[1][2], steps[-1][2], sides)


def _short(key: str) -> str:
    return key.removeprefix("/registry/")


# For people


def told(story: Story) -> list[str]:
    """The lines of a story."""
    lines = [story.object]
    for change in story.changes:
        step: Step | None = change
        depth = 0
        while step is not None:
            indent = "  " + "   " * depth
            lines.append(f"{indent}{'<- ' if depth else ''}{_line(step, with_object=bool(depth))}")
            if step.note == "forgotten":
                lines.append(f"{indent}   <- {step.trigger} is no longer kept")
            step, depth = step.because, depth + 1
    return [*lines, *map(_loop_line, story.loops)]


def _line(step: Step, *, with_object: bool) -> str:
    names = step.fields
    what = step.what
    if names:
        what += f" in {', '.join(names[:FIELDS])}" + (f" and {len(names) - FIELDS} more" if len(names) > FIELDS else "")
    ends = {"above": " (see above)", "loop": " (a loop)"}
    subject = f" {step.object}" if with_object else ""
    at = f" {step.at}" if step.at else ""
    return f"{step.revision}{at}{subject} {what} by {step.by or 'nobody who said so'}{ends.get(step.note, '')}"


def _loop_line(loop: Loop) -> str:
    one, other = (f"{side.writer} sets {msgspec.json.encode(side.value).decode()}" for side in loop.sides)
    return (
        f"loop: {loop.field} went to and fro {loop.returns} times in revisions {loop.first_revision} to "
        f"{loop.last_revision}: {one}, {other}"
    )


# For programs


def encode(story: Story) -> str:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(story), indent=2).decode()


def main(argv: Sequence[str], *, data_dir: Path, store: str) -> int:
    """Prints the story; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kubelite why",
        description="Says how an object came to be as it is, within the retained history.",
    )
    parser.add_argument("what", metavar="KIND/NAME", help="for example pod/web-0 or deploy/web")
    parser.add_argument("-n", "--namespace", default="default", help="default: %(default)s")
    parser.add_argument("--data-dir", type=Path, default=data_dir, help="the daemon's (default: %(default)s)")
    parser.add_argument("--store", default=store, help="the daemon's, if it is an etcd://… (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")
    options = parser.parse_args(argv)

    async def run() -> Story:
        from kubelite.store.history import opened_history

        key = key_of(options.what, options.namespace, Scheme())
        async with opened_history(options.data_dir, options.store) as source:
            return await explain(source, key)

    try:
        story = anyio.run(run)
    except (ValueError, StoreError, OSError) as error:
        sys.stderr.write(f"kubelite why: {error}\n")
        return 2
    sys.stdout.write((encode(story) if options.json else "\n".join(told(story))) + "\n")
    return 0
