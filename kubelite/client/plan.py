"""What a decision wants done, as data.

A controller or the scheduler returns a `Plan`; `client/host` carries it out, write by write in the given order, and stops at
the first that fails. Updates and deletions are guarded by the resourceVersion or uid that the decision saw, so a plan made
from an old view changes nothing.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from kubelite.api.core_v1 import Binding
from kubelite.api.meta import Object


class Create(msgspec.Struct, frozen=True):
    """`report` is made once the object exists; `{name}` in its message becomes the name that the server generated."""

    obj: Object
    report: Report | None = None


class Update(msgspec.Struct, frozen=True):
    """Replaces the object, or with `subresource="status"` only its status; the resourceVersion in it must be current."""

    obj: Object
    subresource: str = ""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON merge patch. Put `metadata.resourceVersion` or `metadata.uid` into it to guard it."""

    type: type[Object]
    name: str
    namespace: str = ""
    patch: dict[str, Any]
    subresource: str = ""


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """`uid` guards against deleting a successor of the same name."""

    type: type[Object]
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    grace_period_seconds: int | None = None
    propagation_policy: Literal["Background", "Foreground", "Orphan"] | None = "Background"


class Bind(msgspec.Struct, frozen=True):
    binding: Binding


Write: TypeAlias = Create | Update | Patch | Delete | Bind


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A Kubernetes Event on `regarding`; equal ones are counted, not repeated. `field_path`: which part of it is meant.

    `reporter` is who says it, if not the controller by its own name.
    """

    regarding: Object
    type: Literal["Normal", "Warning"] = "Normal"
    reason: str
    message: str
    action: str = ""
    field_path: str = ""
    reporter: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to do is `Plan()`. With `requeue_after_s` the key is decided again by then even if nothing changes.

    `why` is kept with the writes for people who ask later.
    """

    writes: tuple[Write, ...] = ()
    reports: tuple[Report, ...] = ()
    requeue_after_s: float | None = None
    why: str = ""
