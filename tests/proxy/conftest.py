from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.packages import program

from .netns import Namespace


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """What the tests look with."""
    program("ip")
    program("nft")


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made
