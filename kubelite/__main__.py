"""The command line: `python -m kubelite [settings]` runs a cluster; `cleanup`, `image`, `store`, `why` are other commands.

What a person did wrong, or what the host lacks, is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kubelite.config import Config, ConfigError, load
from kubelite.data_dir import DataDir, HostProblem

if TYPE_CHECKING:
    from kubelite.cluster import Cluster


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words and words[0] == "cleanup":
            return _cleanup(words[1:])
        if words and words[0] == "image":
            return _image(words[1:])
        if words and words[0] == "store":
            from kubelite.store.cli import main as store_main

            return store_main(words[1:], data_dir=Path(load([], os.environ).data_dir))
        if words and words[0] == "why":
            from kubelite.why import main as why_main

            config = load([], os.environ)
            return why_main(words[1:], data_dir=Path(config.data_dir), store=config.store)
        return _serve(load(words, os.environ))
    except (ConfigError, HostProblem) as error:
        print(f"kubelite: {error}", file=sys.stderr)  # noqa: T201  the command line speaks here
        return 2


def _serve(config: Config) -> int:
    import gc

    import anyio

    from kubelite.actor.log import configure

    configure(level=config.log_level, format=config.log_format)
    os.umask(0o077)
    gc.disable()  # until everything is loaded: it would look through the same classes again and again
    anyio.run(_run, config)
    return 0


async def _run(config: Config) -> None:
    """Runs the cluster until SIGTERM, SIGINT, or SIGPWR, which says that the machine goes down."""
    import anyio

    failure: Exception | None = None
    running: list[Cluster] = []
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGPWR) as signals:
        async with anyio.create_task_group() as group:

            async def shut_down(cluster: Cluster) -> None:
                await cluster.shut_down_nodes()
                group.cancel_scope.cancel()

            async def stop() -> None:
                async for number in signals:
                    if running and (number == signal.SIGPWR or config.shutdown_on_stop):
                        group.start_soon(shut_down, running.pop())
                    else:  # also the second one: somebody does not want to wait
                        group.cancel_scope.cancel()
                        return

            group.start_soon(stop)
            try:
                await _run_cluster(config, running)
            except Exception as error:  # noqa: BLE001  leaves the group as itself, not wrapped
                failure = error
                group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _run_cluster(config: Config, running: list[Cluster]) -> None:
    import gc

    import anyio

    from kubelite.cluster import Cluster

    async with AsyncExitStack() as stack:
        with _no_authorities():
            cluster = await stack.enter_async_context(Cluster(config, serve=True))
        gc.freeze()
        gc.enable()
        running.append(cluster)
        line = f"kubelite is ready at {cluster.server}, kubeconfig {cluster.kubeconfig}"
        print(line, flush=True)  # noqa: T201  the line that a user and a script wait for
        await anyio.sleep_forever()


@contextmanager
def _no_authorities() -> Iterator[None]:
    """While aiohttp is imported: it would read the system's certificate authorities, which costs 50 ms and is for nothing."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = os.devnull
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def _image(words: Sequence[str]) -> int:
    from kubelite.kubelet.image_command import main as image_main
    from kubelite.kubelet.runtime import RuntimeFailed

    try:
        return image_main(words, load([], os.environ).docker_socket)
    except (RuntimeFailed, OSError) as error:
        raise HostProblem(str(error)) from error


def _cleanup(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m kubelite cleanup",
        description="Removes the containers, interfaces, rules, mounts and cgroups of a kubelite that does not run.",
    )
    parser.add_argument("--data-dir", default=Config().data_dir, help="its data directory (default: %(default)s)")
    parser.add_argument(
        "--docker-socket", default=Config().docker_socket, help="the engine's socket (default: %(default)s)"
    )
    parser.add_argument("--all", action="store_true", help="remove its data too")
    options = parser.parse_args(words)
    path = Path(options.data_dir)
    if not path.is_dir():
        return 0
    with DataDir(path) as data:
        if data.has_node:
            import anyio

            from kubelite.docker_node import remove_node

            anyio.run(remove_node, data, options.docker_socket)
        if options.all:
            data.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
