"""WebSocket framing and channel messages, as clients cut and mask them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st

from kubelite.api import channels
from kubelite.api.channels import Broken, Closing, Message, Pinged, WebSocket


def masked(opcode: int, payload: bytes, *, final: bool = True, key: bytes = b"\x01\x02\x03\x04") -> bytes:
    size = len(payload)
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", size)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@given(st.binary(max_size=500), st.binary(min_size=4, max_size=4))
def test_unmasking_is_the_bytewise_xor(data: bytes, key: bytes) -> None:
    assert channels.unmask(data, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


@given(st.lists(st.binary(max_size=400), max_size=6), st.integers(1, 64))
def test_messages_arrive_whole_however_the_bytes_are_cut(messages: list[bytes], size: int) -> None:
    socket = WebSocket()
    wire = b"".join(masked(2, message) for message in messages)
    found = [event for at in range(0, len(wire), size) for event in socket.receive(wire[at : at + size])]
    assert found == [Message(message) for message in messages]


def test_parts_of_a_message_are_joined_around_a_ping() -> None:
    wire = masked(2, b"he", final=False) + masked(9, b"?") + masked(0, b"llo") + masked(8, struct.pack(">H", 1000))
    assert list(WebSocket().receive(wire)) == [Pinged(b"?"), Message(b"hello"), Closing(1000)]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_every_size_has_its_length_form(size: int) -> None:
    assert list(WebSocket().receive(masked(2, bytes(size)))) == [Message(bytes(size))]
    assert len(channels.encode_message(bytes(size))) == size + (2 if size < 126 else 4 if size < 65536 else 10)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x82\x01x", 1002),  # not masked
        (b"\xf2\x80\0\0\0\0", 1002),  # reserved bits
        (masked(5, b""), 1002),  # no such opcode
        (b"\x82\xff" + struct.pack(">Q", 1 << 40), 1009),  # too big, said up front
    ],
)
def test_broken_peer_is_told_the_closing_code(wire: bytes, code: int) -> None:
    with pytest.raises(Broken) as caught:
        list(WebSocket().receive(wire))
    assert caught.value.code == code


def test_best_common_protocol_is_chosen() -> None:
    assert channels.choose(["v4.channel.k8s.io", "v5.channel.k8s.io"], channels.EXEC_PROTOCOLS) == channels.V5
    assert channels.choose(["x"], channels.EXEC_PROTOCOLS) == ""
