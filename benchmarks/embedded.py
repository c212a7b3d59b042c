"""Claim: `Cluster()` is up within 50 ms in a warm process, and within 250 ms in a cold one, imports included.

Needs nothing: `python -m benchmarks.embedded`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from benchmarks.figures import Figure, arguments, progress, show

WARM_LIMIT_MS = 50
COLD_LIMIT_MS = 250
COLD = """
import time
begun = time.perf_counter()
import asyncio
from kubelite import Cluster
async def main():
    async with Cluster():
        print((time.perf_counter() - begun) * 1000)
asyncio.run(main())
"""


async def warm(rounds: int) -> tuple[float, ...]:
    """Milliseconds to enter `Cluster()`, again and again in one process."""
    from kubelite import Cluster

    samples = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        async with Cluster():
            samples.append((time.perf_counter() - begun) * 1000)
    return tuple(samples[1:])


def main() -> None:
    options = arguments(__doc__ or "", rounds=15).parse_args()
    cold = []
    for number in range(options.rounds):
        progress(f"cold start {number + 1} of {options.rounds}")
        cold.append(float(subprocess.run([sys.executable, "-c", COLD], check=True, capture_output=True).stdout))
    figures = [
        Figure("Cluster(), warm process", "ms", asyncio.run(warm(options.rounds)), WARM_LIMIT_MS),
        Figure("Cluster(), cold process with imports", "ms", tuple(cold), COLD_LIMIT_MS),
    ]
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
