"""The SPDY codec against itself, against broken peers, and against what spdystream sends."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, strategies as st

from kubelite.api import spdy
from kubelite.api.spdy import Opened, Pinged, ProtocolError, Received, Replied, Reset, Spdy

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
FRAMES = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.dictionaries(TEXT.map(str.lower), TEXT, max_size=4), st.booleans()),
        st.tuples(st.just("data"), st.binary(max_size=300), st.booleans()),
        st.tuples(st.just("ping"), st.integers(0, 2**32 - 1), st.booleans()),
    ),
    max_size=12,
)


def test_the_dictionary_is_that_of_the_specification() -> None:
    assert (len(spdy.DICTIONARY), hex(zlib.adler32(spdy.DICTIONARY))) == (1423, "0xe3c6a7c2")


@given(FRAMES, st.integers(1, 40))
def test_events_are_those_sent_however_the_bytes_are_cut(frames: list[tuple[str, object, bool]], size: int) -> None:
    sender, receiver = Spdy(), Spdy()
    wire = b""
    expected: list[spdy.Event] = []
    for kind, value, fin in frames:
        if kind == "open" and isinstance(value, dict):
            wire += sender.encode_open(3, value, fin=fin)
            expected.append(Opened(3, {key.lower(): text for key, text in value.items()}, fin))
        elif kind == "data" and isinstance(value, bytes):
            wire += sender.encode_data(3, value, fin=fin)
            expected.append(Received(3, value, fin))
        elif isinstance(value, int):
            wire += spdy.encode_ping(value)
            expected.append(Pinged(value))
    found = [event for at in range(0, len(wire), size) for event in receiver.receive(wire[at : at + size])]
    assert found == expected


def test_replies_and_resets_name_their_stream() -> None:
    client, server = Spdy(), Spdy()
    assert list(client.receive(server.encode_reply(5) + spdy.encode_reset(7))) == [Replied(5, {}), Reset(7, 5)]


def test_settings_and_window_updates_are_passed_over() -> None:
    settings = bytes.fromhex("8003000400000004") + bytes(4)
    window = bytes.fromhex("8003000900000008") + bytes(8)
    assert list(Spdy().receive(settings + window + spdy.encode_ping(1))) == [Pinged(1)]


@pytest.mark.parametrize(
    "wire",
    [
        bytes.fromhex("8002000600000004") + bytes(4),  # version 2
        bytes.fromhex("00000001ffffffff"),  # 16 MiB
        bytes.fromhex("8003000100000002") + bytes(2),  # a short SYN_STREAM
        bytes.fromhex("800300010000000e") + bytes(10) + b"junk",  # headers that are not compressed
    ],
)
def test_broken_peer_is_told_apart(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Spdy().receive(wire))
