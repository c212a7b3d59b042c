"""What each ResourceQuota limits and what its namespace uses: the status that admission charges against.

Admission counts up as things are created; here everything is counted anew, so that what goes is given back.
Called by `client/host` per quota. Source: k8s.io/kubernetes pkg/controller/resourcequota
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.core_v1 import PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.api.usage import ZERO, add, amounts, counts, in_scope, usage_of
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key


def _quotas_of_namespace(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
    """The quotas that a change may concern: something goes, or an object changes what it uses."""
    some = new or old
    if some is None or (new is not None and old is not None and not _uses_otherwise(old, new)):
        return
    for quota in view.list(ResourceQuota, some.metadata.namespace):
        yield key_of(quota)


def _uses_otherwise(old: Object, new: Object) -> bool:
    if isinstance(old, Pod) and isinstance(new, Pod):
        return counts(old, 0) != counts(new, 0) or old.spec != new.spec
    return isinstance(new, Service | PersistentVolumeClaim)


class ResourceQuotaController:
    """`counted` are the kinds that exist in namespaces."""

    name = "resourcequota-controller"
    reads: tuple[type[Object], ...] = ()

    def __init__(self, counted: Sequence[Resource]) -> None:
        self._counted = tuple(resource for resource in counted if resource.namespaced and resource.kind != "Event")
        others = (Watch(each.type, _quotas_of_namespace) for each in self._counted if each.type is not ResourceQuota)
        self.watches = (Watch(ResourceQuota, self_key), *others)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        quota = view.get(ResourceQuota, name, namespace)
        if quota is None or quota.metadata.deletion_timestamp:
            return Plan()
        used = dict.fromkeys(quota.spec.hard, ZERO)
        for resource in self._counted:
            for obj in view.list(resource.type, namespace):
                if in_scope(quota, obj):
                    used = add(used, usage_of(resource, obj, now))
        printed = {limited: str(used[limited]) for limited in quota.spec.hard}
        same = amounts(quota.status.used) == {limited: used[limited] for limited in quota.spec.hard}
        if same and quota.status.hard == quota.spec.hard:
            return Plan()
        status = ResourceQuotaStatus(hard=quota.spec.hard, used=printed)
        return Plan(writes=(Update(replace(quota, status=status), subresource="status"),))
