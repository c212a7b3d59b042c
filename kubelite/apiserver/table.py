"""Objects as tables and as bare metadata: what `kubectl get` and metadata-only caches ask for. Pure but for its clock.

Which columns a kind has is decided in `table_columns*`. Source: k8s.io/apiserver pkg/endpoints/handlers/response.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from kubelite.actor.clock import Clock
from kubelite.api import errors
from kubelite.api.query import Query, first
from kubelite.api.scheme import Resource
from kubelite.apiserver.frames import Encode, EncodeBookmark, bookmark_frame
from kubelite.apiserver.interface import Change, Entry, Page
from kubelite.apiserver.table_columns import GENERIC, Printer, printer_of

Include = Literal["None", "Metadata", "Object"]
_GROUP = "meta.k8s.io"


class _Metadata(msgspec.Struct):
    """Only the metadata of a stored object, as the bytes it is."""

    metadata: msgspec.Raw


_METADATA = msgspec.json.Decoder(_Metadata)


def parse_include(query: Query) -> Include:
    """Raises: BadRequest."""
    value = first(query, "includeObject")
    if value not in ("", "None", "Metadata", "Object"):
        why = f"includeObject: Invalid value: \"{value}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.BadRequest(f"Unable to convert to Table as requested: {why}")
    return "None" if value == "None" else "Object" if value == "Object" else "Metadata"


def encode_list_meta(version: str, continue_: str = "", remaining: int | None = None) -> bytes:
    """A list's metadata; a zero revision is none."""
    meta: dict[str, Any] = {"resourceVersion": version} if version not in ("", "0") else {}
    if continue_:
        meta["continue"] = continue_
    if remaining is not None:
        meta["remainingItemCount"] = remaining
    return msgspec.json.encode(meta)


def encode_partial(entry: Entry, version: str = "v1") -> bytes:
    """The object's metadata as PartialObjectMetadata."""
    head = f'{{"kind":"PartialObjectMetadata","apiVersion":"{_GROUP}/{version}","metadata":'
    return b"%b%b}" % (head.encode(), bytes(_METADATA.decode(entry.item()).metadata))


def encode_partial_list(page: Page, version: str = "v1") -> bytes:
    head = f'{{"kind":"PartialObjectMetadataList","apiVersion":"{_GROUP}/{version}","metadata":'
    meta = encode_list_meta(str(page.revision), page.continue_, page.remaining)
    items = b",".join([b'{"metadata":%b}' % bytes(_METADATA.decode(entry.item()).metadata) for entry in page.entries])
    return b'%b%b,"items":[%b]}' % (head.encode(), meta, items)


def partial_frames(version: str) -> tuple[Encode, EncodeBookmark]:
    def encode(change: Change) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (change.type.encode(), encode_partial(change.entry, version))

    def bookmark(revision: int, initial_end: bool) -> bytes:
        return bookmark_frame("PartialObjectMetadata", f"{_GROUP}/{version}", revision, initial_end)

    return encode, bookmark


class TableView:
    """One kind's table at `now` (unix seconds)."""

    def __init__(self, resource: Resource, include: Include, now: float, version: str = "v1") -> None:
        self._printer: Printer = printer_of(resource)
        self._include = include
        self._now = now
        self._version = version

    def encode(
        self,
        entries: Iterable[Entry],
        revision: str,
        continue_: str = "",
        remaining: int | None = None,
        *,
        headers: bool = True,
    ) -> bytes:
        rows = b",".join([self._row(entry) for entry in entries])
        columns = b',"columnDefinitions":%b' % msgspec.json.encode(self._printer.columns) if headers else b""
        head = f'{{"kind":"Table","apiVersion":"{_GROUP}/{self._version}","metadata":'
        meta = encode_list_meta(revision, continue_, remaining)
        listed = b"[%b]" % rows if rows or self._printer is not GENERIC else b"null"
        return b'%b%b%b,"rows":%b}' % (head.encode(), meta, columns or b',"columnDefinitions":null', listed)

    def _row(self, entry: Entry) -> bytes:
        cells = msgspec.json.encode(self._printer.cells(entry.object, self._now))
        if self._printer.conditions and (conditions := self._printer.conditions(entry.object)):
            cells += b',"conditions":%b' % msgspec.json.encode(conditions)
        match self._include:
            case "None":
                return b'{"cells":%b}' % cells
            case "Object":
                return b'{"cells":%b,"object":%b}' % (cells, entry.wire())
            case _:
                return b'{"cells":%b,"object":%b}' % (cells, encode_partial(entry, self._version))


class TableFrames:
    """Watch events as tables: the first one says what the columns are."""

    def __init__(self, resource: Resource, include: Include, clock: Clock, version: str = "v1") -> None:
        self._resource = resource
        self._include = include
        self._clock = clock
        self._version = version
        self._headers = True

    def encode(self, change: Change) -> bytes:
        view = TableView(self._resource, self._include, self._clock.now(), self._version)
        body = view.encode([change.entry], str(change.entry.revision), headers=self._headers)
        self._headers = False
        return b'{"type":"%b","object":%b}\n' % (change.type.encode(), body)

    def bookmark(self, revision: int, initial_end: bool) -> bytes:
        rest = ',"columnDefinitions":null,"rows":[]'
        return bookmark_frame("Table", f"{_GROUP}/{self._version}", revision, initial_end, rest)
