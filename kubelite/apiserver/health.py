"""healthz, livez and readyz: named checks, each a function that says what is wrong.

Source: k8s.io/apiserver pkg/server/healthz
"""

from __future__ import annotations

from collections.abc import Callable

from kubelite.api.query import Query
from kubelite.apiserver.answers import TEXT, Answer

#: Gives what is wrong, or an empty string.
Check = Callable[[], str]
ROOTS = ("/healthz", "/livez", "/readyz")


class Health:
    """`ready` are the checks that only readiness asks for. Components add theirs before the server runs."""

    def __init__(self) -> None:
        self.live: dict[str, Check] = {"ping": lambda: "", "log": lambda: "", "etcd": lambda: ""}
        self.ready: dict[str, Check] = {}

    def answer(self, path: str, query: Query) -> Answer | None:
        """None: there is no such check."""
        root, _, name = path.strip("/").partition("/")
        checks = {**self.live, **(self.ready if root == "readyz" else {})}
        if name:
            if name not in checks:
                return None
            checks = {name: checks[name]}
        excluded = set(query.get("exclude", ()))
        lines, failed = [], False
        for check, ask in checks.items():
            if check in excluded:
                lines.append(f"[+]{check} excluded: ok")
                continue
            wrong = ask()
            failed = failed or bool(wrong)
            lines.append(f"[-]{check} failed: reason withheld" if wrong else f"[+]{check} ok")
        if failed:
            body = "\n".join([*lines, f"{root} check failed", ""])
            return Answer(code=500, body=body.encode(), type=TEXT)
        body = "\n".join([*lines, f"{root} check passed", ""]) if "verbose" in query and not name else "ok"
        return Answer(body=body.encode(), type=TEXT, headers={"X-Content-Type-Options": "nosniff"})
