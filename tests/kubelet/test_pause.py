"""The sandbox's program runs on this machine's kernel, and its image is the same bytes every time."""

from __future__ import annotations

import io
import json
import platform
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from kubelite.kubelet.pause import encode_program, pause_image

ARCHITECTURES = {"amd64": 62, "arm64": 183}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_program_is_a_small_executable_of_its_machine(architecture: str) -> None:
    program = encode_program(architecture)
    assert program[:4] == b"\x7fELF"
    assert int.from_bytes(program[18:20], "little") == ARCHITECTURES[architecture]
    assert len(program) < 512


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_image_is_reproducible_and_its_id_is_its_configurations_digest(architecture: str) -> None:
    archive, image_id = pause_image(architecture, "kubelite/pause:1")
    assert (archive, image_id) == pause_image(architecture, "kubelite/pause:1")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        (entry,) = json.loads(_content(files, "manifest.json"))
        assert entry["RepoTags"] == ["kubelite/pause:1"]
        assert f"sha256:{entry['Config'].removesuffix('.json')}" == image_id
        assert json.loads(_content(files, entry["Config"]))["architecture"] == architecture


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        pause_image("riscv64", "kubelite/pause:1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_sleeps_until_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    program = tmp_path / "pause"
    program.write_bytes(encode_program({"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]))
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def _content(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(name)
    assert member is not None
    return member.read()
