"""ResourceQuota: what is created or grows is charged to the quotas of its namespace before it is written, or refused.

A quota is enforced once its controller has said in its status what is limited and what is used. A write that fails after it was
charged is given back by the same controller. Runs last, when nothing else can refuse.
Source: k8s.io/apiserver pkg/admission/plugin/resourcequota/controller.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core
from kubelite.api.usage import Amounts, add, amounts, in_scope, subtract, unstated, usage_of
from kubelite.apiserver.admission import Attributes, Cluster
from kubelite.apiserver.interface import Context, User

_CONTEXT = Context(user=User(name="system:apiserver", groups=("system:masters",)), cause="quota admission")
#: Kinds whose usage changes by updates too.
_GROWING = (core.Service, core.PersistentVolumeClaim)


class ResourceQuotas:
    """Implements `admission.Validator`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Raises: Forbidden."""
        if not attributes.namespace or not _is_charged(attributes):
            return
        quotas = await cluster.find_all(core.ResourceQuota, attributes.namespace)
        if not quotas:
            return
        now = self._clock.now()
        used = usage_of(attributes.resource, obj, now)
        if old is not None:
            used = subtract(used, usage_of(attributes.resource, old, now))
        charged = [
            quota
            for quota in sorted(quotas, key=lambda quota: str(quota.metadata.name))
            if self._concerns(attributes, quota, obj, used)
        ]
        for quota in charged:
            _charge(attributes, quota, used)
        if attributes.dry_run:
            return
        resource = cluster.scheme.of(core.ResourceQuota)
        for quota in charged:
            meta = quota.metadata
            await cluster.modify(
                resource, meta.name, meta.namespace, lambda quota: _charge(attributes, quota, used), _CONTEXT
            )

    def _concerns(self, attributes: Attributes, quota: core.ResourceQuota, obj: Any, used: Amounts) -> bool:
        """Whether the quota is to be charged. Raises: Forbidden when it cannot be told."""
        limited = set(quota.status.hard)
        if isinstance(obj, core.Pod):
            stated = {
                name for name in limited if name in used or name.startswith(("requests.", "limits.", "hugepages-"))
            }
            relevant = stated | limited.intersection(("cpu", "memory", "ephemeral-storage"))
        else:
            relevant = limited.intersection(used)
        if not relevant or not in_scope(quota, obj):
            return False
        name = quota.metadata.name
        if isinstance(obj, core.Pod) and (missing := unstated(obj, relevant)):
            listed = "; ".join(f"{resource} for: {','.join(where)}" for resource, where in missing.items())
            raise attributes.refusal(f"failed quota: {name}: must specify {listed}")
        if unknown := sorted(relevant.difference(quota.status.used)):
            raise attributes.refusal(f"status unknown for quota: {name}, resources: {','.join(unknown)}")
        return any(used[resource].nanos for resource in limited.intersection(used))


def _is_charged(attributes: Attributes) -> bool:
    if attributes.subresource:
        return attributes.resource.type is core.Pod and attributes.subresource == "resize"
    return attributes.operation == "CREATE" or (
        attributes.operation == "UPDATE" and attributes.resource.type in _GROWING
    )


def _charge(attributes: Attributes, quota: core.ResourceQuota, used: Amounts) -> core.ResourceQuota:
    """The quota with `used` added. Raises: Forbidden when that is more than it allows."""
    hard, before = amounts(quota.status.hard), amounts(quota.status.used)
    requested = {name: amount for name, amount in used.items() if name in hard}
    after = add(before, requested)
    if exceeded := sorted(name for name in requested if hard[name] < after[name]):
        parts = {"requested": requested, "used": before, "limited": hard}
        said = ", ".join(f"{what}: {_printed(exceeded, values)}" for what, values in parts.items())
        raise attributes.refusal(f"exceeded quota: {quota.metadata.name}, {said}")
    printed = {name: str(amount) for name, amount in after.items()}
    return replace(quota, status=replace(quota.status, used=printed))


def _printed(names: Iterable[str], values: Amounts) -> str:
    return ",".join(f"{name}={values[name]}" for name in names)
