from __future__ import annotations

import pytest

from kubelite.actor.clock import SUFFIX_ALPHABET, SeededClock, SystemClock


def test_a_suffix_is_drawn_from_the_safe_alphabet() -> None:
    suffix = SystemClock().suffix(200)
    assert len(suffix) == 200
    assert set(suffix) <= set(SUFFIX_ALPHABET)


def test_the_same_seed_gives_the_same_ids() -> None:
    first, second = SeededClock(7), SeededClock(7)
    assert [first.uid(), first.suffix(), first.randrange(9), first.token(4)] == [
        second.uid(),
        second.suffix(),
        second.randrange(9),
        second.token(4),
    ]
    assert SeededClock(8).uid() != SeededClock(7).uid()


async def test_a_seeded_clock_starts_at_its_start_and_moves_with_the_loop() -> None:
    clock = SeededClock(start=1000.0)
    assert clock.now() == pytest.approx(1000.0, abs=0.1)
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
