from __future__ import annotations

from kubelite.actor.backoff import Backoff


def test_delays_double_up_to_the_cap_and_never_overflow() -> None:
    backoff = Backoff(base_s=0.005, cap_s=60)
    delays = [backoff.next("key") for _ in range(2000)]
    assert delays[:3] == [0.005, 0.01, 0.02]
    assert delays[-1] == 60
    assert delays == sorted(delays)


def test_keys_do_not_share_failures() -> None:
    backoff = Backoff(base_s=1, cap_s=10)
    backoff.next("a")
    backoff.next("a")
    assert backoff.next("b") == 1
    backoff.forget("a")
    assert backoff.next("a") == 1
