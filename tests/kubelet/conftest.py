from __future__ import annotations

import pytest

from tests.packages import program


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """What the tests look with."""
    program("ip")
