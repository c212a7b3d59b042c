"""When a probe's answers become a result, and where it is sent. Pure: the prober does the waiting and asking.

A result changes after as many equal answers in a row as its threshold says. A liveness or startup probe that has failed says
nothing more: the container is killed.
Source: pkg/kubelet/prober/worker.go, https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import msgspec

from kubelite.api.core_v1 import Container, EphemeralContainerCommon, HTTPGetAction, Probe
from kubelite.api.meta import IntOrString
from kubelite.kubelet.pod_actions import ProbeKind

USER_AGENT = "kube-probe/1.33"
KINDS: tuple[ProbeKind, ...] = ("startup", "liveness", "readiness")


class Streak(msgspec.Struct, frozen=True):
    """Equal answers in a row."""

    ok: bool | None = None
    length: int = 0


def initial_result(kind: ProbeKind) -> bool | None:
    """What holds before the first answer; None is unknown."""
    return {"liveness": True, "readiness": False, "startup": None}[kind]


def step(streak: Streak, probe: Probe, *, ok: bool) -> tuple[Streak, bool | None]:
    """The new streak, and the result if it is long enough to be one.

    >>> step(Streak(False, 1), Probe(failure_threshold=3), ok=False)
    (Streak(ok=False, length=2), None)
    >>> step(Streak(False, 2), Probe(failure_threshold=3), ok=False)
    (Streak(ok=False, length=3), False)
    """
    streak = Streak(ok, streak.length + 1 if streak.ok is ok else 1)
    needed = (probe.success_threshold or 1) if ok else (probe.failure_threshold or 3)
    return streak, ok if streak.length >= needed else None


def is_over(kind: ProbeKind, result: bool | None) -> bool:
    """Whether the probe of this container has nothing more to say."""
    return (kind == "startup" and result is not None) or (kind == "liveness" and result is False)


def probe_of(container: Container | EphemeralContainerCommon, kind: ProbeKind) -> Probe | None:
    match kind:
        case "startup":
            return container.startup_probe
        case "liveness":
            return container.liveness_probe
        case "readiness":
            return container.readiness_probe


def period_s(probe: Probe) -> float:
    return float(probe.period_seconds or 10)


def timeout_s(probe: Probe) -> float:
    return float(probe.timeout_seconds or 1)


def port_number(port: IntOrString, container: Container | EphemeralContainerCommon) -> int:
    """A number, or that of the container's port of that name. Raises: ValueError."""
    if isinstance(port, str) and not port.isdigit():
        found = next((each.container_port for each in container.ports if each.name == port), 0)
        if not found:
            raise ValueError(f"couldn't find port: {port!r} in container {container.name}")
        port = found
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {port}")
    return number


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A GET. `host` is where to connect; a Host header among `headers` wins over it."""

    tls: bool
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{self.path}"


def http_request(
    action: HTTPGetAction, container: Container | EphemeralContainerCommon, pod_ip: str, user_agent: str = USER_AGENT
) -> HttpRequest:
    """Raises: ValueError for a port that is none."""
    headers = [(header.name, header.value) for header in action.http_headers]
    names = {name.lower() for name, _ in headers}
    for name, value in (("User-Agent", user_agent), ("Accept", "*/*")):
        if name.lower() not in names:
            headers.append((name, value))
    path = action.path or "/"
    return HttpRequest(
        tls=action.scheme.upper() == "HTTPS",
        host=action.host or pod_ip,
        port=port_number(action.port, container),
        path=path if path.startswith("/") else f"/{path}",
        headers=tuple(
            (name, value) for name, value in headers if value or name.lower() not in {"accept", "user-agent"}
        ),
    )
