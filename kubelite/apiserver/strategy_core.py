"""The kinds whose writing follows rules of their own. Pure; called through the table in `strategy`.

Source: k8s.io/kubernetes pkg/registry/core/*/strategy.go, pkg/registry/batch/job/strategy.go
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import apps_v1 as apps, batch_v1 as batch, core_v1 as core
from kubelite.api.meta import LabelSelector


def keep(obj: Any) -> Any:
    return obj


def keep_labels(new: Any, old: Any) -> Any:
    """Kinds whose status update may not touch labels."""
    return replace(new, metadata=replace(new.metadata, labels=old.metadata.labels))


def qos_class(spec: core.PodSpec) -> str:
    """How the kubelet treats a pod when resources run out.

    Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos/qos.go
    """
    burstable = False
    guaranteed = True
    levels = (spec.resources,) if spec.resources else ()
    for resources in levels or [item.resources for item in (*spec.init_containers, *spec.containers)]:
        requests = {name: value for name, value in resources.requests.items() if name in ("cpu", "memory")}
        limits = {name: value for name, value in resources.limits.items() if name in ("cpu", "memory")}
        burstable = burstable or bool(requests or limits)
        guaranteed = guaranteed and len(limits) == 2 and (requests or limits) == limits
    if not burstable:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def create_pod(pod: core.Pod) -> core.Pod:
    conditions: tuple[core.PodCondition, ...] = ()
    if pod.spec.scheduling_gates:
        blocked = "Scheduling is blocked due to non-empty scheduling gates"
        gated = core.PodCondition(type="PodScheduled", status="False", reason="SchedulingGated", message=blocked)
        conditions = (gated,)
    status = core.PodStatus(phase="Pending", qos_class=qos_class(pod.spec), conditions=conditions)
    return replace(pod, status=status)


def update_pod_status(new: core.Pod, old: core.Pod) -> core.Pod:
    status = new.status
    if not status.qos_class:
        status = replace(status, qos_class=old.status.qos_class)
    if not status.observed_generation:
        status = replace(status, observed_generation=old.status.observed_generation)
    return new if status is new.status else replace(new, status=status)


def update_pod_subresource(new: core.Pod, old: core.Pod, subresource: str) -> core.Pod:
    """`ephemeralcontainers` may change only these, `resize` only containers' resources."""
    spec = old.spec
    if subresource == "ephemeralcontainers":
        spec = replace(spec, ephemeral_containers=new.spec.ephemeral_containers)
    else:
        by_name = {item.name: item for item in new.spec.containers}
        spec = replace(
            spec,
            containers=tuple(
                replace(item, resources=by_name[item.name].resources, resize_policy=by_name[item.name].resize_policy)
                if item.name in by_name
                else item
                for item in spec.containers
            ),
        )
    return replace(old, metadata=new.metadata, spec=spec)


def create_namespace(namespace: core.Namespace) -> core.Namespace:
    finalizers = namespace.spec.finalizers
    if "kubernetes" not in finalizers:
        finalizers = (*finalizers, "kubernetes")
    labels = {**namespace.metadata.labels, "kubernetes.io/metadata.name": namespace.metadata.name}
    return replace(
        namespace,
        metadata=replace(namespace.metadata, labels=labels),
        spec=core.NamespaceSpec(finalizers=finalizers),
        status=core.NamespaceStatus(phase="Active"),
    )


def update_namespace(new: core.Namespace, old: core.Namespace) -> core.Namespace:
    return replace(new, spec=replace(new.spec, finalizers=old.spec.finalizers))


def update_namespace_status(new: core.Namespace, old: core.Namespace) -> core.Namespace:
    return replace(new, status=replace(new.status, phase=new.status.phase or old.status.phase))


def finalize_namespace(new: core.Namespace, old: core.Namespace) -> core.Namespace:
    return replace(old, metadata=new.metadata, spec=replace(old.spec, finalizers=new.spec.finalizers))


def update_node(new: core.Node, old: core.Node) -> core.Node:
    return replace(new, status=old.status)


def fold_string_data(secret: core.Secret) -> core.Secret:
    """stringData is write-only: it becomes data."""
    if not secret.string_data:
        return secret
    data = dict(secret.data)
    data.update((key, value.encode()) for key, value in secret.string_data.items())
    return replace(secret, data=data, string_data={})


def create_volume(volume: core.PersistentVolume) -> core.PersistentVolume:
    return replace(volume, status=core.PersistentVolumeStatus(phase="Pending"))


def create_claim(claim: core.PersistentVolumeClaim) -> core.PersistentVolumeClaim:
    return replace(claim, status=core.PersistentVolumeClaimStatus(phase="Pending"))


_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _template_generation(daemon_set: apps.DaemonSet, generation: int) -> apps.DaemonSet:
    annotations = {**daemon_set.metadata.annotations, _TEMPLATE_GENERATION: str(generation)}
    return replace(daemon_set, metadata=replace(daemon_set.metadata, annotations=annotations))


def create_daemon_set(daemon_set: apps.DaemonSet) -> apps.DaemonSet:
    asked = daemon_set.metadata.annotations.get(_TEMPLATE_GENERATION, "")
    generation = int(asked) if asked.isdigit() and int(asked) else 1
    return _template_generation(replace(daemon_set, status=apps.DaemonSetStatus()), generation)


def update_daemon_set(new: apps.DaemonSet, old: apps.DaemonSet) -> apps.DaemonSet:
    """The template's generation is counted by the server."""
    generation = int(old.metadata.annotations.get(_TEMPLATE_GENERATION, "0"))
    return _template_generation(new, generation + (new.spec.template != old.spec.template))


def create_job(job: batch.Job) -> batch.Job:
    """A Job without a selector of its own selects its pods by the uid that it has just been given."""
    if job.spec.manual_selector:
        return replace(job, status=batch.JobStatus())
    uid, name = job.metadata.uid, job.metadata.name
    template = job.spec.template
    generated = {
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    }
    labels = {**template.metadata.labels, **generated}
    selector = job.spec.selector or LabelSelector()
    matching = {**selector.match_labels, "batch.kubernetes.io/controller-uid": uid}
    spec = replace(
        job.spec,
        selector=replace(selector, match_labels=matching),
        template=replace(template, metadata=replace(template.metadata, labels=labels)),
    )
    return replace(job, spec=spec, status=batch.JobStatus())
