"""Finished Jobs with a time to live: deleted with their pods when it is over.

Called by `client/host` per Job. Source: k8s.io/kubernetes pkg/controller/ttlafterfinished
"""

from __future__ import annotations

from kubelite.api.batch_v1 import Job
from kubelite.api.meta import Object
from kubelite.client.plan import Delete, Plan
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers.pods import seconds


class TTLAfterFinishedController:
    name = "ttl-after-finished-controller"
    watches = (Watch(Job, self_key),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        job = view.get(Job, name, namespace)
        if job is None or job.metadata.deletion_timestamp or job.spec.ttl_seconds_after_finished is None:
            return Plan()
        ends = [
            seconds(condition.last_transition_time)
            for condition in job.status.conditions
            if condition.type in ("Complete", "Failed") and condition.status == "True"
        ]
        if not ends:
            return Plan()
        left = ends[0] + job.spec.ttl_seconds_after_finished - now
        if left > 0:
            return Plan(requeue_after_s=left)
        uid = job.metadata.uid
        delete = Delete(type=Job, name=name, namespace=namespace, uid=uid, propagation_policy="Foreground")
        return Plan(writes=(delete,))
