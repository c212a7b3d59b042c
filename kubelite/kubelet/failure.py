"""Why the kubelet itself ended a pod, or did not take it. Pure."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """E.g. ("DeadlineExceeded", "Pod was active on the node longer than ...")."""

    reason: str
    message: str
    grace_s: float | None = None  #: at most this much time to end; None: what the pod has
    disruption: bool = False  #: not the pod's doing: it gets the condition DisruptionTarget
    has_event: bool = True
