"""The command line: `python -m kubelite [settings]` runs a cluster; `cleanup` and `store` are commands of their own.

What a person did wrong, or what the host lacks, is one line on stderr and exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from kubelite.config import Config, ConfigError, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the process's exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if argv and argv[0] == "cleanup":
            return _cleanup(argv[1:])
        if argv and argv[0] == "store":
            from kubelite.store.cli import main as store_main

            return store_main(argv[1:])
        return _serve(load(argv, os.environ))
    except ConfigError as error:
        return _refuse(str(error))


def _refuse(line: str) -> int:
    print(f"kubelite: {line}", file=sys.stderr)  # noqa: T201  the command line speaks here
    return 2


def _serve(config: Config) -> int:
    from functools import partial

    import anyio

    from kubelite.actor.log import configure
    from kubelite.cluster import HostProblem

    configure(level=config.log_level, format=config.log_format)
    os.umask(0o077)
    try:
        anyio.run(partial(_run, config))
    except* HostProblem as group:
        return _refuse(str(_first(group)))
    return 0


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _run(config: Config) -> None:
    import anyio

    from kubelite.cluster import Cluster

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as group:
            group.start_soon(_serve_until_cancelled, Cluster(config))
            async for _ in signals:
                group.cancel_scope.cancel()
                break


async def _serve_until_cancelled(cluster) -> None:  # type: ignore[no-untyped-def]
    import anyio

    async with cluster:
        line = f"kubelite is ready at {cluster.server}, kubeconfig {cluster.config.kubeconfig_path}"
        print(line, flush=True)  # noqa: T201
        await anyio.sleep_forever()


if __name__ == "__main__":
    sys.exit(main())
