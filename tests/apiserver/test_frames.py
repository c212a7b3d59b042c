"""The feed between the registry's watch and a client's connection."""

from __future__ import annotations

import anyio

from kubelite.api.errors import Expired
from kubelite.api.scheme import Scheme
from kubelite.apiserver.frames import Feed, encode_native, native_bookmark
from kubelite.apiserver.interface import Change, Entry

PODS = Scheme().resource("", "v1", "pods")
BOOKMARK = native_bookmark(PODS)


class Handle:
    """Says whether it is paused or closed."""

    def __init__(self) -> None:
        self.state = "open"

    def pause(self) -> None:
        self.state = "paused"

    def resume(self) -> None:
        self.state = "open"

    def close(self) -> None:
        self.state = "closed"


class Channel:
    """Takes `room` writes before it is slow."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.written: list[bytes] = []

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return len(self.written) < self.room


def change(name: str, revision: int) -> Change:
    return Change("ADDED", Entry(PODS, f'{{"metadata":{{"name":"{name}"}}}}'.encode(), revision))


def connected(feed: Feed, room: int = 100) -> tuple[Handle, Channel]:
    handle, channel = Handle(), Channel(room)
    feed.opened(handle)
    assert handle.state == "paused"
    feed.attach(channel)
    assert handle.state == "open"
    return handle, channel


async def test_delivery_is_one_write_and_progress_none() -> None:
    feed = Feed(encode_native, None)
    _, channel = connected(feed)
    feed.deliver([change("a", 5), change("b", 6)], 6)
    feed.deliver([], 7)
    assert [data.count(b"\n") for data in channel.written] == [2]


async def test_slow_client_pauses_the_watch_and_resumes_it() -> None:
    feed = Feed(encode_native, None)
    handle, _ = connected(feed, room=1)
    feed.deliver([change("a", 5)], 5)
    assert handle.state == "paused"
    feed.resume()
    assert handle.state == "open"
    feed.close()
    assert handle.state == "closed"


async def test_bookmark_ends_the_initial_state_once_and_tells_later_progress() -> None:
    feed = Feed(encode_native, BOOKMARK, initial_end=True)
    _, channel = connected(feed)
    feed.deliver([], 5)
    feed.tell_progress()
    feed.deliver([], 9)
    feed.tell_progress()
    feed.tell_progress()
    assert channel.written == [BOOKMARK(5, True), BOOKMARK(9, False)]


async def test_lost_watch_is_an_error_event_and_the_end() -> None:
    feed = Feed(encode_native, None)
    _, channel = connected(feed)
    feed.lost(Expired("too old resource version: 1 (9)"))
    with anyio.fail_after(1):
        await feed.run(60)
    assert channel.written[0].startswith(b'{"type":"ERROR","object":{"kind":"Status"')
    assert b'"code":410' in channel.written[0]
