from __future__ import annotations

import pytest

from kubelite.api.timestamp import parse_rfc3339, rfc3339, rfc3339_micro


def test_times_are_printed_as_metav1_prints_them_and_read_back() -> None:
    assert rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert rfc3339_micro(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert parse_rfc3339("2023-11-14T22:13:20.250000Z") == 1_700_000_000.25
    assert parse_rfc3339("2023-11-14T23:13:20+01:00") == 1_700_000_000
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_rfc3339("yesterday")
