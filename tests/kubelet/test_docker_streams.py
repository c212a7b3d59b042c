"""Frames come apart wherever the connection cuts them; limits cut where they say."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

from hypothesis import given, strategies as st

from kubelite.client.streams import LogOptions
from kubelite.kubelet.docker_streams import demultiplexed, limited, log_parameters


async def each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20))), st.lists(st.integers(1, 30)))
async def test_payloads_survive_every_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(struct.pack(">BxxxL", stream, len(payload)) + payload for stream, payload in frames)
    chunks = []
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    assert [one async for one in demultiplexed(each([*chunks, data]))] == [payload for _, payload in frames]


@given(st.lists(st.binary(max_size=8)), st.integers(0, 40))
async def test_a_limit_keeps_exactly_the_first_bytes(chunks: list[bytes], limit: int) -> None:
    kept = b"".join([one async for one in limited(each(chunks), limit)])
    assert kept == b"".join(chunks)[:limit]


def test_options_become_the_engines_query() -> None:
    assert log_parameters(LogOptions(stream="Stderr", since=1.5)) == {
        "stdout": "0",
        "stderr": "1",
        "follow": "0",
        "timestamps": "0",
        "tail": "all",
        "since": "1.500000000",
    }
