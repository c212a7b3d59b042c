"""PodSecurity: pods must meet what their namespace's labels demand; templates that do not are warned of. A validator.

What is demanded and met is decided by `api.pod_security`; here is of which requests it is asked.
Source: k8s.io/pod-security-admission v0.33 admission/admission.go, kubernetes plugin/pkg/admission/security/podsecurity
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubelite.api import core_v1 as core
from kubelite.api.errors import invalid
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.admission import Attributes, Cluster

if TYPE_CHECKING:  # loaded where a namespace first demands something
    from kubelite.api.pod_security import Policy, Standard

_PREFIX = "pod-security.kubernetes.io/"
_TEMPLATED = frozenset(
    {
        "podtemplates",
        "replicationcontrollers",
        "replicasets.apps",
        "deployments.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "jobs.batch",
        "cronjobs.batch",
    }
)
#: Subresources of pods that may change what matters here.
_CHANGING = ("", "ephemeralcontainers", "resize")
#: How many pods of a namespace are looked at when its labels change.
_MOST_PODS = 3000


class PodSecurity:
    """Implements `admission.Validator`."""

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Raises: Forbidden, and Invalid for a namespace with labels that cannot be read."""
        type_ = attributes.resource.type
        if attributes.operation == "DELETE":
            return
        if type_ is core.Pod:
            if attributes.subresource in _CHANGING and (old is None or _matters(obj, old)):
                await self._pod(attributes, obj.metadata, obj.spec, cluster, enforce=True)
        elif attributes.subresource:
            return
        elif type_ is core.Namespace:
            await self._namespace(attributes, obj, old, cluster)
        elif attributes.resource.group_resource in _TEMPLATED and (template := _template(obj)) is not None:
            await self._pod(attributes, template.metadata, template.spec, cluster, enforce=False)

    async def _pod(
        self, attributes: Attributes, meta: ObjectMeta, spec: core.PodSpec, cluster: Cluster, *, enforce: bool
    ) -> None:
        namespace = await cluster.find(core.Namespace, attributes.namespace)
        labels = namespace.metadata.labels if namespace is not None else {}
        if _demands(labels):
            from kubelite.api.pod_security import parse_policy

            _check(attributes, parse_policy(labels)[0], meta, spec, enforce=enforce)
        elif enforce:
            attributes.annotate(f"{_PREFIX}enforce-policy", "privileged:latest")

    async def _namespace(
        self, attributes: Attributes, new: core.Namespace, old: core.Namespace | None, cluster: Cluster
    ) -> None:
        if not _demands(new.metadata.labels):
            return
        from kubelite.api.pod_security import Policy, parse_policy

        policy, wrong = parse_policy(new.metadata.labels)
        before, wrong_before = parse_policy(old.metadata.labels) if old is not None else (Policy(), [])
        if wrong and wrong != wrong_before:
            raise invalid("", "Namespace", new.metadata.name, wrong)
        enforce, known = policy.enforce, before.enforce
        relaxed = enforce.version == known.version and enforce.strictness <= known.strictness
        if old is not None and enforce != known and enforce.strictness and not relaxed:
            pods = await cluster.find_all(core.Pod, new.metadata.name)
            attributes.warnings.extend(_existing(new.metadata.name, enforce, pods))


def _demands(labels: Mapping[str, str]) -> bool:
    return any(key.startswith(_PREFIX) for key in labels)


def _check(attributes: Attributes, policy: Policy, meta: ObjectMeta, spec: core.PodSpec, *, enforce: bool) -> None:
    from kubelite.api.pod_security import describe, violations

    if enforce:
        attributes.annotate(f"{_PREFIX}enforce-policy", str(policy.enforce))
    if found := violations(policy.audit, meta, spec):
        said = f'would violate PodSecurity "{policy.audit}": {describe(found)}'
        attributes.annotate(f"{_PREFIX}audit-violations", said)
    if enforce and (found := violations(policy.enforce, meta, spec)):
        raise attributes.refusal(f'violates PodSecurity "{policy.enforce}": {describe(found)}')
    if found := violations(policy.warn, meta, spec):
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {describe(found)}')


def _existing(namespace: str, enforce: Standard, pods: Sequence[core.Pod]) -> list[str]:
    """What to warn of pods that are there already: one of each controller goes first."""
    from kubelite.api.pod_security import violations

    first: list[core.Pod] = []
    others: list[core.Pod] = []
    seen: set[str] = set()
    for pod in pods:
        owner = next((ref.uid for ref in pod.metadata.owner_references if ref.controller), "")
        (others if owner in seen else first).append(pod)
        seen.update((owner,) if owner else ())
    names: dict[str, list[str]] = {}
    for pod in [*first, *others][:_MOST_PODS]:
        if found := violations(enforce, pod.metadata, pod.spec):
            names.setdefault(", ".join(reason for reason, _ in found), []).append(pod.metadata.name)
    warnings = []
    if len(pods) > _MOST_PODS:
        checked = f"the first {_MOST_PODS} of {len(pods)} existing pods"
        warnings.append(f"new PodSecurity enforce level only checked against {checked}")
    if names:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"'
        )
    return warnings + sorted(f"{_counted(bad)}: {reasons}" for reasons, bad in names.items())


def _counted(names: Sequence[str]) -> str:
    more = len(names) - 1
    return min(names) + (f" (and {more} other pod{'s' if more > 1 else ''})" if more else "")


def _matters(new: core.Pod, old: core.Pod) -> bool:
    """Whether an update gives a pod something to judge: containers, or other images."""
    before = {item.name: item.image for item in old.spec.ephemeral_containers}
    return (
        [item.image for item in new.spec.containers] != [item.image for item in old.spec.containers]
        or [item.image for item in new.spec.init_containers] != [item.image for item in old.spec.init_containers]
        or any(before.get(item.name) != item.image for item in new.spec.ephemeral_containers)
    )


def _template(obj: Any) -> core.PodTemplateSpec | None:
    """Of a PodTemplate, a CronJob, or any other workload."""
    holder = obj if isinstance(obj, core.PodTemplate) else obj.spec
    if hasattr(holder, "job_template"):
        holder = holder.job_template.spec
    template: core.PodTemplateSpec | None = holder.template
    return template
