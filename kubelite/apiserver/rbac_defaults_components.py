"""The default roles of Kubernetes' own components, each bound to its user or service account. A table of facts.

Each line is `verbs: groups: resources`, with `: names` where a rule is about named objects; words are separated by spaces and
the core group is written `core`. What is behind feature gates that are off in v1.33 is not here.
Source: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/{policy,controller_policy,namespace_policy}.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_NOTES = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_GROUP = "rbac.authorization.k8s.io"
_EVENTS = "create patch update: core events.k8s.io: events"
_CSR = "certificates.k8s.io"

#: Of components that are no controllers.
_COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "system:heapster": (
        "get list watch: core: events namespaces nodes pods",
        "get list watch: extensions: deployments",
    ),
    "system:kube-aggregator": ("get list watch: core: endpoints services",),
    "system:kube-controller-manager": (
        _EVENTS,
        "create: coordination.k8s.io: leases",
        "get update: coordination.k8s.io: leases: kube-controller-manager",
        "create: core: secrets serviceaccounts",
        "delete: core: secrets",
        "get: core: configmaps namespaces secrets serviceaccounts",
        "update: core: secrets serviceaccounts",
        "create: authentication.k8s.io: tokenreviews",
        "create: authorization.k8s.io: subjectaccessreviews",
        "list watch: *: *",
        "create: core: serviceaccounts/token",
    ),
    "system:node-bootstrapper": (f"create get list watch: {_CSR}: certificatesigningrequests",),
    "system:node-problem-detector": ("get: core: nodes", "patch: core: nodes/status", _EVENTS),
    "system:volume-scheduler": (
        "get list patch update watch: core: persistentvolumes",
        "get list watch: storage.k8s.io: storageclasses",
        "get list patch update watch: core: persistentvolumeclaims",
    ),
    f"system:{_CSR}:certificatesigningrequests:nodeclient": (f"create: {_CSR}: certificatesigningrequests/nodeclient",),
    f"system:{_CSR}:certificatesigningrequests:selfnodeclient": (
        f"create: {_CSR}: certificatesigningrequests/selfnodeclient",
    ),
    **{
        f"system:{_CSR}:{signer}-approver": (f"approve: {_CSR}: signers: kubernetes.io/{signer}",)
        for signer in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
    },
}
_USERS = {
    "system:kube-controller-manager": "system:kube-controller-manager",
    "system:volume-scheduler": "system:kube-scheduler",
}

_WORKLOAD_PODS = "create delete list patch watch: core: pods"
#: Of each controller, bound to its service account in kube-system.
_CONTROLLERS: Mapping[str, tuple[str, ...]] = {
    "attachdetach-controller": (
        "list watch: core: persistentvolumeclaims persistentvolumes",
        "get list watch: core: nodes",
        "patch update: core: nodes/status",
        "list watch: core: pods",
        _EVENTS,
        "create delete get list watch: storage.k8s.io: volumeattachments",
        "get list watch: storage.k8s.io: csidrivers",
        "get list watch: storage.k8s.io: csinodes",
    ),
    "certificate-controller": (
        f"delete get list watch: {_CSR}: certificatesigningrequests",
        f"update: {_CSR}: certificatesigningrequests/approval certificatesigningrequests/status",
        f"approve: {_CSR}: signers: kubernetes.io/kube-apiserver-client-kubelet",
        f"sign: {_CSR}: signers: kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet"
        " kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
        "create: authorization.k8s.io: subjectaccessreviews",
        _EVENTS,
    ),
    "clusterrole-aggregation-controller": (
        "escalate get list patch update watch: rbac.authorization.k8s.io: clusterroles",
    ),
    "cronjob-controller": (
        "get list update watch: batch: cronjobs",
        "create delete get list patch update watch: batch: jobs",
        "update: batch: cronjobs/status",
        "update: batch: cronjobs/finalizers",
        "delete list watch: core: pods",
        _EVENTS,
    ),
    "daemon-set-controller": (
        "get list watch: apps extensions: daemonsets",
        "update: apps extensions: daemonsets/status",
        "update: apps extensions: daemonsets/finalizers",
        "list watch: core: nodes",
        _WORKLOAD_PODS,
        "create: core: pods/binding",
        "create delete get list patch update watch: apps: controllerrevisions",
        _EVENTS,
    ),
    "deployment-controller": (
        "get list update watch: apps extensions: deployments",
        "update: apps extensions: deployments/status",
        "update: apps extensions: deployments/finalizers",
        "create delete get list patch update watch: apps extensions: replicasets",
        "get list update watch: core: pods",
        _EVENTS,
    ),
    "disruption-controller": (
        "get list watch: apps extensions: deployments",
        "get list watch: apps extensions: replicasets",
        "get list watch: core: replicationcontrollers",
        "get list watch: policy: poddisruptionbudgets",
        "get list watch: apps: statefulsets",
        "update: policy: poddisruptionbudgets/status",
        "patch update: core: pods/status",
        "get: *: */scale",
        _EVENTS,
    ),
    "endpoint-controller": (
        "get list watch: core: pods services",
        "create delete get list update watch: core: endpoints",
        "create: core: endpoints/restricted",
        _EVENTS,
    ),
    "endpointslice-controller": (
        "get list watch: core: nodes pods services",
        "update: core: services/finalizers",
        "create delete get list update watch: discovery.k8s.io: endpointslices",
        _EVENTS,
    ),
    "endpointslicemirroring-controller": (
        "get list watch: core: endpoints services",
        "update: core: services/finalizers",
        "update: core: endpoints/finalizers",
        "create delete get list update watch: discovery.k8s.io: endpointslices",
        _EVENTS,
    ),
    "ephemeral-volume-controller": (
        "get list watch: core: pods",
        "update: core: pods/finalizers",
        "create get list watch: core: persistentvolumeclaims",
        _EVENTS,
    ),
    "expand-controller": (
        "get list patch update watch: core: persistentvolumes",
        "patch update: core: persistentvolumeclaims/status",
        "get list watch: core: persistentvolumeclaims",
        _EVENTS,
        "get: core: services",
    ),
    "generic-garbage-collector": ("delete get list patch update watch: *: *", _EVENTS),
    "horizontal-pod-autoscaler": (
        "get list watch: autoscaling: horizontalpodautoscalers",
        "update: autoscaling: horizontalpodautoscalers/status",
        "get update: *: */scale",
        "list watch: core: pods",
        "list watch: metrics.k8s.io: pods",
        "get list watch: custom.metrics.k8s.io: *",
        "get list watch: external.metrics.k8s.io: *",
        _EVENTS,
    ),
    "job-controller": (
        "get list patch update watch: batch: jobs",
        "update: batch: jobs/status",
        "update: batch: jobs/finalizers",
        _WORKLOAD_PODS,
        _EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        "get: core: configmaps: kube-apiserver-legacy-service-account-token-tracking",
        "delete patch: core: secrets",
    ),
    "namespace-controller": (
        "delete get list watch: core: namespaces",
        "update: core: namespaces/finalize namespaces/status",
        "delete deletecollection get list watch: *: *",
    ),
    "node-controller": (
        "delete get list patch update watch: core: nodes",
        "patch update: core: nodes/status",
        "patch update: core: pods/status",
        "delete get list watch: core: pods",
        _EVENTS,
    ),
    "persistent-volume-binder": (
        "create delete get list update watch: core: persistentvolumes",
        "update: core: persistentvolumes/status",
        "get list update watch: core: persistentvolumeclaims",
        "update: core: persistentvolumeclaims/status",
        "create delete get list watch: core: pods",
        "get list watch: storage.k8s.io: storageclasses",
        "list watch: core: nodes",
        _EVENTS,
        "watch: core: events",
        "get: core: services",
    ),
    "pod-garbage-collector": (
        "delete list watch: core: pods",
        "get list watch: core: nodes",
        "patch: core: pods/status",
    ),
    "pv-protection-controller": ("get list update watch: core: persistentvolumes", _EVENTS),
    "pvc-protection-controller": (
        "get list update watch: core: persistentvolumeclaims",
        "get list watch: core: pods",
        _EVENTS,
    ),
    "replicaset-controller": (
        "get list update watch: apps extensions: replicasets",
        "update: apps extensions: replicasets/status",
        "update: apps extensions: replicasets/finalizers",
        _WORKLOAD_PODS,
        _EVENTS,
    ),
    "replication-controller": (
        "get list update watch: core: replicationcontrollers",
        "update: core: replicationcontrollers/status",
        "update: core: replicationcontrollers/finalizers",
        _WORKLOAD_PODS,
        _EVENTS,
    ),
    "resourcequota-controller": ("list watch: *: *", "update: core: resourcequotas/status", _EVENTS),
    "root-ca-cert-publisher": ("create update: core: configmaps", _EVENTS),
    "route-controller": ("list watch: core: nodes", "patch: core: nodes/status", _EVENTS),
    "service-account-controller": ("create: core: serviceaccounts", _EVENTS),
    "service-cidrs-controller": (
        "get list patch update watch: networking.k8s.io: servicecidrs",
        "patch update: networking.k8s.io: servicecidrs/finalizers",
        "patch update: networking.k8s.io: servicecidrs/status",
        "get list watch: networking.k8s.io: ipaddresses",
        _EVENTS,
    ),
    "service-controller": (
        "get list watch: core: services",
        "patch update: core: services/status",
        "list watch: core: nodes",
        _EVENTS,
    ),
    "statefulset-controller": (
        "list watch: core: pods",
        "get list watch: apps: statefulsets",
        "update: apps: statefulsets/status",
        "update: apps: statefulsets/finalizers",
        "create delete get patch update: core: pods",
        "create delete get list patch update watch: apps: controllerrevisions",
        "create get list watch: core: persistentvolumeclaims",
        _EVENTS,
        "delete update: core: persistentvolumeclaims",
        "update: core: pods/finalizers",
    ),
    "ttl-after-finished-controller": ("delete get list watch: batch: jobs", _EVENTS),
    "ttl-controller": ("list patch update watch: core: nodes", _EVENTS),
    "validatingadmissionpolicy-status-controller": (
        "get list watch: admissionregistration.k8s.io: validatingadmissionpolicies",
        "get patch update: admissionregistration.k8s.io: validatingadmissionpolicies/status",
        _EVENTS,
    ),
}

_READ_SECRETS = "get list watch: core: secrets"
_LEADER = "system::leader-locking-kube"
#: (namespace, name) of a role to its rules, the name of its binding, and whom that is for: users, accounts in kube-system.
_NAMESPACED: Mapping[tuple[str, str], tuple[tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = {
    ("kube-system", "extension-apiserver-authentication-reader"): (
        ("get list watch: core: configmaps: extension-apiserver-authentication",),
        "system::extension-apiserver-authentication-reader",
        ("system:kube-controller-manager", "system:kube-scheduler"),
        (),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): ((_READ_SECRETS,), "", (), ("bootstrap-signer",)),
    ("kube-system", "system:controller:cloud-provider"): (
        ("create get list watch: core: configmaps",),
        "",
        (),
        ("cloud-provider",),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        ("delete get list watch: core: secrets", _EVENTS),
        "",
        (),
        ("token-cleaner",),
    ),
    **{
        ("kube-system", f"{_LEADER}-{name}"): (
            ("watch: core: configmaps", f"get update: core: configmaps: kube-{name}"),
            "",
            (f"system:kube-{name}",),
            (f"kube-{name}",),
        )
        for name in ("controller-manager", "scheduler")
    },
    ("kube-public", "system:controller:bootstrap-signer"): (
        ("get list watch: core: configmaps", "update: core: configmaps: cluster-info", _EVENTS),
        "",
        (),
        ("bootstrap-signer",),
    ),
}


def _rules(lines: Iterable[str]) -> tuple[PolicyRule, ...]:
    """
    >>> _rules(["get: core apps: pods"])[0].api_groups
    ('', 'apps')
    """
    found = []
    for line in lines:
        verbs, groups, resources, *names = (tuple(part.split()) for part in line.split(": "))
        rule = PolicyRule(
            verbs=verbs,
            api_groups=tuple("" if group == "core" else group for group in groups),
            resources=resources,
            resource_names=names[0] if names else (),
        )
        found.append(rule)
    return tuple(found)


def _meta(name: str, namespace: str = "") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, labels=_LABELS, annotations=_NOTES)


def _user(name: str) -> Subject:
    return Subject(kind="User", api_group=_GROUP, name=name)


def _account(name: str) -> Subject:
    return Subject(kind="ServiceAccount", name=name, namespace="kube-system")


def _cluster(name: str, lines: Iterable[str], *subjects: Subject) -> Iterator[Object]:
    yield ClusterRole(metadata=_meta(name), rules=_rules(lines))
    if subjects:
        ref = RoleRef(api_group=_GROUP, kind="ClusterRole", name=name)
        yield ClusterRoleBinding(metadata=_meta(name), subjects=subjects, role_ref=ref)


def component_objects() -> Iterator[Object]:
    """The roles and bindings of all components."""
    for name, lines in _COMPONENTS.items():
        yield from _cluster(name, lines, *((_user(_USERS[name]),) if name in _USERS else ()))
    for name, lines in _CONTROLLERS.items():
        yield from _cluster(f"system:controller:{name}", lines, _account(name))
    for (namespace, name), (lines, binding, users, accounts) in _NAMESPACED.items():
        yield Role(metadata=_meta(name, namespace), rules=_rules(lines))
        subjects = (*map(_user, users), *map(_account, accounts))
        ref = RoleRef(api_group=_GROUP, kind="Role", name=name)
        yield RoleBinding(metadata=_meta(binding or name, namespace), subjects=subjects, role_ref=ref)
