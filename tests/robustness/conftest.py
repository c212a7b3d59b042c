"""The preloaded shim, compiled here."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packages import program


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "syncfs.so"
    source = Path(__file__).with_name("syncfs.c")
    subprocess.run(
        [program("cc"), "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


@pytest.fixture
def shim(shim_library: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Preloads the shim, with these settings, into every process started from now on."""

    def preload(**settings: str) -> None:
        monkeypatch.setenv("LD_PRELOAD", str(shim_library))
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    return preload
