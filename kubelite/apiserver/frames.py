"""A watch's bytes: changes to chunked frames, bookmarks, the end; and what happens when the client is slow.

The feed is the registry's sink. It writes one chunk per delivery, straight to the connection's transport; frames of the
native form are shared by all watchers (`Entry.frame`). A client that does not read pauses the registry's handle and keeps no
memory here; if it falls off the window it gets an ERROR event (410) and the end, and lists again.
Source: k8s.io/apiserver pkg/endpoints/handlers/watch.go, https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio

from kubelite.api import codec
from kubelite.api.errors import StatusError
from kubelite.api.scheme import Resource
from kubelite.apiserver.interface import Change, WatchHandle

#: How often a watcher that asked for bookmarks gets one. Source: k8s.io/apiserver pkg/storage/cacher
BOOKMARK_EVERY_S = 60.0

Encode = Callable[[Change], bytes]
#: (revision, whether it ends the initial events) to a frame.
EncodeBookmark = Callable[[int, bool], bytes]


class Channel(Protocol):
    """Where the frames go."""

    def write(self, data: bytes) -> bool:
        """False: the client is slow; the feed's `resume` is called when it has caught up."""


def encode_native(change: Change) -> bytes:
    return change.entry.frame(change.type)


def bookmark_frame(kind: str, api_version: str, revision: int, initial_end: bool, rest: str = "") -> bytes:
    """
    >>> bookmark_frame("Pod", "v1", 7, False)
    b'{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7"}}}\\n'
    """
    notes = ',"annotations":{"k8s.io/initial-events-end":"true"}' if initial_end else ""
    head = f'{{"kind":"{kind}","apiVersion":"{api_version}"'
    meta = f'"metadata":{{"resourceVersion":"{revision}"{notes}}}'
    return f'{{"type":"BOOKMARK","object":{head},{meta}{rest}}}}}\n'.encode()


def native_bookmark(resource: Resource) -> EncodeBookmark:
    return lambda revision, initial_end: bookmark_frame(resource.kind, resource.group_version, revision, initial_end)


def error_frame(error: StatusError) -> bytes:
    return b'{"type":"ERROR","object":%b}\n' % codec.encode(error.status())


class Feed:
    """Implements `interface.WatchSink`. Made before the registry's watch is opened, attached to its channel after."""

    def __init__(self, encode: Encode, bookmark: EncodeBookmark | None, *, initial_end: bool = False) -> None:
        self.ended = anyio.Event()
        self._encode = encode
        self._bookmark = bookmark
        self._initial_end = initial_end
        self._handle: WatchHandle | None = None
        self._channel: Channel | None = None
        self._seen = 0
        self._told = 0

    def opened(self, handle: WatchHandle) -> None:
        """Holds the watch until there is a channel."""
        self._handle = handle
        handle.pause()

    def attach(self, channel: Channel) -> None:
        self._channel = channel
        self.resume()

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        self._seen = revision
        encode = self._encode
        data = b"".join([encode(change) for change in changes])
        if self._initial_end and self._bookmark is not None:
            self._initial_end = False
            data += self._bookmark(revision, True)
        if data:
            self._told = revision
            self._write(data)

    def lost(self, error: Exception) -> None:
        if isinstance(error, StatusError):
            self._write(error_frame(error))
        self.ended.set()

    def end(self) -> None:
        self.ended.set()

    def tell_progress(self) -> None:
        """A bookmark, if the client asked for them and there is something new to tell."""
        if self._bookmark is not None and self._seen > self._told:
            self._told = self._seen
            self._write(self._bookmark(self._seen, False))

    def resume(self) -> None:
        if self._handle is not None:
            self._handle.resume()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
        self._channel = self._handle = None

    async def run(self, timeout_s: float) -> None:
        """Returns when the watch has ended or its time is over; sends bookmarks meanwhile."""
        until = anyio.current_time() + timeout_s
        every = BOOKMARK_EVERY_S if self._bookmark is not None else timeout_s
        while not self.ended.is_set() and (left := until - anyio.current_time()) > 0:
            with anyio.move_on_after(min(every, left)):
                await self.ended.wait()
            self.tell_progress()

    def _write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.write(data) and self._handle is not None:
            self._handle.pause()
