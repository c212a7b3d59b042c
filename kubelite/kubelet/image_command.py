"""`python -m kubelite image`: images on a host without a registry. The host's Docker engine is the cluster's.

Source: https://docs.docker.com/reference/api/engine/ (ImageLoad, ImagePrune)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import anyio

from kubelite.kubelet.docker_client import EngineClient
from kubelite.kubelet.docker_images import DockerImages


def parser(docker_socket: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m kubelite image", description="Images that pods can use at once.")
    made.add_argument("--docker-socket", default=docker_socket, help="the engine's socket (default: %(default)s)")
    verbs = made.add_subparsers(dest="verb", required=True)
    load = verbs.add_parser("import", help="add the images of archives made by `docker save`")
    load.add_argument("archive", nargs="+", help="a file, or - for standard input")
    verbs.add_parser("list", help="show the images")
    prune = verbs.add_parser("prune", help="remove images without a name that no container uses")
    prune.add_argument("--all", action="store_true", help="remove every image that no container uses")
    return made


def main(words: Sequence[str], docker_socket: str) -> int:
    """Runs the command; returns the process's exit code. Raises: RuntimeFailed, OSError."""
    anyio.run(_run, parser(docker_socket).parse_args(words))
    return 0


async def _run(options: argparse.Namespace) -> None:
    client = EngineClient(options.docker_socket)
    images = DockerImages(client)
    try:
        if options.verb == "import":
            for archive in options.archive:
                with ExitStack() as stack:
                    source = sys.stdin.buffer if archive == "-" else stack.enter_context(Path(archive).open("rb"))  # noqa: ASYNC230
                    for name in await images.load_image(source):
                        _say(f"imported {name}")
        elif options.verb == "list":
            for image in sorted(await images.list_images(), key=lambda each: each.tags):
                for name in image.tags or ("<none>",):
                    _say(f"{name:<50} {image.id.removeprefix('sha256:')[:12]} {image.size_bytes / 1e6:10.1f} MB")
        else:
            removed, freed = await images.prune(everything=options.all)
            _say(f"removed {removed} images, {freed / 1e6:.1f} MB")
    finally:
        await client.close()


def _say(line: str) -> None:
    print(line)  # noqa: T201  the command line speaks here
