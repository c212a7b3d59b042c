"""The one door to nftables: applies text as one transaction, in a thread, one at a time.

Uses libnftables in process (0.3 ms a transaction), else the `nft` command (16 ms). Knows nothing of what the text says.
Source: man libnftables
"""

from __future__ import annotations

import ctypes
import subprocess
from functools import partial

import anyio
import anyio.to_thread

_TIMEOUT_S = 20


class NftablesError(Exception):
    """The kernel or nft refused, or neither library nor command is there; one line."""


class Nftables:
    """An nftables context of the network namespace in which it is first used."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(1)
        self._library: _Library | None = None
        self._looked = False

    async def apply(self, text: str) -> None:
        """All of `text` or nothing. When cancelled, it still ends before this returns.

        Raises: NftablesError.
        """
        await anyio.to_thread.run_sync(self._run, text, limiter=self._limiter)

    def _run(self, text: str) -> None:
        if not self._looked:
            self._library = _load()
            self._looked = True
        output = self._library.run(text) if self._library else _run_command(text)
        if output is not None:
            raise NftablesError(_explain(output))

    def close(self) -> None:
        if self._library:
            self._library.close()
        self._library, self._looked = None, False


class _Library:
    def __init__(self, library: ctypes.CDLL) -> None:
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        for name in ("buffer_error", "buffer_output", "get_error_buffer", "free"):
            getattr(library, f"nft_ctx_{name}").argtypes = [ctypes.c_void_p]
        self._library = library
        self._context = library.nft_ctx_new(0)
        library.nft_ctx_buffer_error(self._context)
        library.nft_ctx_buffer_output(self._context)

    def run(self, text: str) -> str | None:
        """What went wrong, or None."""
        if self._library.nft_run_cmd_from_buffer(self._context, text.encode()) == 0:
            return None
        message: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        return message.decode(errors="replace")

    def close(self) -> None:
        self._library.nft_ctx_free(self._context)


def _load() -> _Library | None:
    try:
        return _Library(ctypes.CDLL("libnftables.so.1"))
    except OSError:
        return None


def _run_command(text: str) -> str | None:
    run = partial(subprocess.run, ["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    try:
        done = run(timeout=_TIMEOUT_S)
    except FileNotFoundError:
        return "neither libnftables nor nft is installed: install the package libnftables1 or nftables"
    except subprocess.TimeoutExpired:
        return f"nft did not end within {_TIMEOUT_S} s"
    return None if done.returncode == 0 else done.stderr or f"nft ended with exit code {done.returncode}"


def _explain(output: str) -> str:
    line = next((line for line in output.splitlines() if line.strip()), "unknown error").strip()
    hint = " (needs root or CAP_NET_ADMIN)" if "Operation not permitted" in line else ""
    return f"nftables: {line}{hint}"[:400]
