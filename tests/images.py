"""Images for tests and examples, made of Debian's busybox-static: no registry is needed.

`python tests/images.py [NAME...]` loads them into the local engine; README's first screen does that. The bytes depend on the
installed busybox only, so loading is needed once and the id is the same in every run.
Source: https://packages.debian.org/busybox-static
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import anyio

from kubelite.kubelet.docker_client import EngineClient
from kubelite.kubelet.docker_images import DockerImages
from kubelite.kubelet.engine import engine_problem, install_engine
from kubelite.kubelet.pause import encode_image, encode_tar
from tests.packages import program

BUSYBOX = "kubelite.test/busybox:1"
_BINARY = Path("/bin/busybox")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def busybox_image(tag: str = BUSYBOX) -> tuple[bytes, str]:
    """(archive, image id): sh, httpd, wget, nslookup, nc and the other applets under /bin; /www is httpd's directory."""
    program("busybox")
    applets = subprocess.run([_BINARY, "--list"], check=True, capture_output=True, text=True).stdout.split()
    files = {
        "bin/": (b"", 0o755),
        "bin/busybox": (_BINARY.read_bytes(), 0o755),
        "etc/": (b"", 0o755),
        "etc/passwd": (b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644),
        "etc/group": (b"root:x:0:\nnogroup:x:65534:\n", 0o644),
        "root/": (b"", 0o700),
        "tmp/": (b"", 0o1777),
        "www/": (b"", 0o755),
    }
    links = {f"bin/{applet}": "busybox" for applet in sorted(applets) if applet != "busybox"}
    config: dict[str, object] = {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}
    architecture = _ARCHITECTURES[platform.machine()]
    return encode_image(encode_tar(files, links), architecture=architecture, tag=tag, config=config)


async def load_images(*tags: str, socket: str = "/var/run/docker.sock") -> None:
    """Makes sure that the engine has the busybox image under each of `tags` (default: BUSYBOX)."""
    client = EngineClient(socket)
    images = DockerImages(client)
    try:
        for tag in tags or (BUSYBOX,):
            archive, image_id = busybox_image(tag)
            present = await images.image_status(tag)
            if present is None or present.id != image_id:
                await images.load_image(archive)
    finally:
        await client.close()


async def bring_up_engine() -> None:
    """A running engine with the busybox image, whatever the machine had before: tests never skip for want of one."""
    if engine_problem():
        await install_engine(say=_say)
    await load_images()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    anyio.run(load_images, *sys.argv[1:])
