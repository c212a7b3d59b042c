"""Regular expressions as RE2 has them: none takes more than linear time. Pure; the one file that knows google-re2."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from kubelite.api.cel.errors import CelError

_KEPT = 256
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
#: What Go says of a pattern that is none, where that is not what RE2 says.
_IN_GO = {
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "trailing \\": "trailing backslash at end of expression",
}


@lru_cache(maxsize=_KEPT)
def compiled(pattern: str) -> Any:
    """What has `search`, `finditer` and so on. Raises: CelError."""
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        raw = error.args[0]
        problem, _, part = (raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)).partition(": ")
        raise CelError(f"error parsing regexp: {_IN_GO.get(problem, problem)}: `{part}`") from None
