from __future__ import annotations

from collections.abc import Iterator

import pytest

from .netns import Namespace


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made
