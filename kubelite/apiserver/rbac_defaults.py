"""The roles and bindings that every cluster has. A table of facts.

Source: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from functools import cache

from kubelite.api.meta import LabelSelector, Object, ObjectMeta
from kubelite.api.rbac_v1 import AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject
from kubelite.apiserver.rbac_defaults_components import component_objects

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_NOTES = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_GROUP = "rbac.authorization.k8s.io"

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_FULL = f"{_READ} {_WRITE}"


def _rule(verbs: str, groups: str, resources: str) -> PolicyRule:
    """Words separated by spaces; the core group is written `core`."""
    named = tuple("" if group == "core" else group for group in groups.split())
    return PolicyRule(verbs=tuple(verbs.split()), api_groups=named, resources=tuple(resources.split()))


def _paths(verbs: str, paths: str) -> PolicyRule:
    return PolicyRule(verbs=tuple(verbs.split()), non_resource_urls=tuple(paths.split()))


def _role(name: str, *rules: PolicyRule, labels: dict[str, str] | None = None, aggregates: str = "") -> ClusterRole:
    metadata = ObjectMeta(name=name, labels={**_LABELS, **(labels or {})}, annotations=_NOTES)
    aggregation = None
    if aggregates:
        selector = LabelSelector(match_labels={f"{_AGGREGATE}{aggregates}": "true"})
        aggregation = AggregationRule(cluster_role_selectors=(selector,))
    return ClusterRole(metadata=metadata, rules=rules, aggregation_rule=aggregation)


def _bind(name: str, role: str, *groups: str, user: str = "", account: str = "") -> ClusterRoleBinding:
    subjects = [Subject(kind="Group", api_group=_GROUP, name=group) for group in groups]
    if user:
        subjects.append(Subject(kind="User", api_group=_GROUP, name=user))
    if account:
        subjects.append(Subject(kind="ServiceAccount", name=account, namespace="kube-system"))
    return ClusterRoleBinding(
        metadata=ObjectMeta(name=name, labels=_LABELS, annotations=_NOTES),
        subjects=tuple(subjects),
        role_ref=RoleRef(api_group=_GROUP, kind="ClusterRole", name=role),
    )


_APPS_VIEW = (
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets"
    " replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"
)
_APPS_EDIT = (
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets"
    " statefulsets/scale"
)
_CORE_VIEW = (
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers"
    " replicationcontrollers/scale serviceaccounts services services/status"
)
_CORE_MORE = (
    "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas"
    " resourcequotas/status"
)
_BATCH_VIEW = "cronjobs cronjobs/status jobs jobs/status"
_NET_VIEW = "ingresses ingresses/status networkpolicies"


def _view_rules() -> tuple[PolicyRule, ...]:
    return (
        _rule(_READ, "core", _CORE_VIEW),
        _rule(_READ, "core", _CORE_MORE),
        _rule(_READ, "core", "namespaces"),
        _rule(_READ, "discovery.k8s.io", "endpointslices"),
        _rule(_READ, "apps", _APPS_VIEW),
        _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        _rule(_READ, "batch", _BATCH_VIEW),
        _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        _rule(_READ, "networking.k8s.io", _NET_VIEW),
    )


def _edit_rules() -> tuple[PolicyRule, ...]:
    return (
        _rule(_READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        _rule("impersonate", "core", "serviceaccounts"),
        _rule(_WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        _rule("create", "core", "pods/eviction"),
        _rule(
            _WRITE,
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets"
            " serviceaccounts services services/proxy",
        ),
        _rule("create", "core", "serviceaccounts/token"),
        _rule(_WRITE, "apps", _APPS_EDIT),
        _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
        _rule(_WRITE, "batch", "cronjobs jobs"),
        _rule(_WRITE, "policy", "poddisruptionbudgets"),
        _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        _rule("create delete deletecollection get list patch update watch", "coordination.k8s.io", "leases"),
    )


def _admin_rules() -> tuple[PolicyRule, ...]:
    return (
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule(_FULL, _GROUP, "rolebindings roles"),
    )


_DISCOVERY = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"
_ISSUER = "/.well-known/openid-configuration /openid/v1/jwks"
_MONITORING = "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"
_KUBELET_FINE = "nodes/configz nodes/healthz nodes/pods"
_PUBLIC = "/healthz /livez /readyz /version /version/"


@cache
def node_rules() -> tuple[PolicyRule, ...]:
    return (
        _rule("create", "authentication.k8s.io", "tokenreviews"),
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        _rule(_READ, "core", "services"),
        _rule("create get list watch", "core", "nodes"),
        _rule("patch update", "core", "nodes nodes/status"),
        _rule("create patch update", "core events.k8s.io", "events"),
        _rule(_READ, "core", "pods"),
        _rule("create delete", "core", "pods"),
        _rule("patch update", "core", "pods/status"),
        _rule("create", "core", "pods/eviction"),
        _rule(_READ, "core", "configmaps secrets"),
        _rule("get", "core", "persistentvolumeclaims persistentvolumes endpoints"),
        _rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        _rule("create delete get patch update", "coordination.k8s.io", "leases"),
        _rule("get", "storage.k8s.io", "volumeattachments"),
        _rule("create", "core", "serviceaccounts/token"),
        _rule("get patch update", "core", "persistentvolumeclaims/status"),
        _rule(_READ, "storage.k8s.io", "csidrivers"),
        _rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        _rule(_READ, "node.k8s.io", "runtimeclasses"),
    )


def _scheduler_rules() -> tuple[PolicyRule, ...]:
    return (
        _rule("create patch update", "core events.k8s.io", "events"),
        _rule("create get list update watch", "coordination.k8s.io", "leases"),
        _rule(
            _READ, "core", "nodes namespaces replicationcontrollers services persistentvolumeclaims persistentvolumes"
        ),
        _rule("delete get list watch", "core", "pods"),
        _rule("create", "core", "bindings pods/binding"),
        _rule("patch update", "core", "pods/status"),
        _rule(_READ, "apps", "replicasets statefulsets"),
        _rule(_READ, "policy", "poddisruptionbudgets"),
        _rule("patch update", "core", "persistentvolumeclaims persistentvolumes"),
        _rule("create", "authentication.k8s.io", "tokenreviews"),
        _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        _rule(_READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities storageclasses"),
    )


def _aggregate(target: str) -> dict[str, str]:
    return {f"{_AGGREGATE}{target}": "true"}


@cache
def default_objects() -> tuple[Object, ...]:
    """Every default role and binding."""
    everything = (_rule("*", "*", "*"), _paths("*", "*"))
    own = "selfsubjectaccessreviews selfsubjectrulesreviews"
    basic = (
        _rule("create", "authorization.k8s.io", own),
        _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    )
    authenticated, anyone = "system:authenticated", "system:unauthenticated"
    return (
        _role("cluster-admin", *everything),
        _role("admin", aggregates="admin"),
        _role("edit", aggregates="edit", labels=_aggregate("admin")),
        _role("view", aggregates="view", labels=_aggregate("edit")),
        _role("system:aggregate-to-admin", *_admin_rules(), labels=_aggregate("admin")),
        _role("system:aggregate-to-edit", *_edit_rules(), labels=_aggregate("edit")),
        _role("system:aggregate-to-view", *_view_rules(), labels=_aggregate("view")),
        _role("system:discovery", _paths("get", _DISCOVERY)),
        _role("system:basic-user", *basic),
        _role("system:public-info-viewer", _paths("get", _PUBLIC)),
        _role("system:monitoring", _paths("get", _MONITORING)),
        _role(
            "system:auth-delegator",
            _rule("create", "authentication.k8s.io", "tokenreviews"),
            _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        ),
        _role("system:node", *node_rules()),
        _role(
            "system:node-proxier",
            _rule("list watch", "core", "endpoints services"),
            _rule(_READ, "core", "nodes"),
            _rule("create patch update", "core events.k8s.io", "events"),
            _rule("list watch", "discovery.k8s.io", "endpointslices"),
            _rule("list watch", "networking.k8s.io", "servicecidrs"),
        ),
        _role("system:kube-scheduler", *_scheduler_rules()),
        _role("system:kube-dns", _rule("list watch", "core", "endpoints services")),
        _role(
            "system:persistent-volume-provisioner",
            _rule("create delete get list watch", "core", "persistentvolumes"),
            _rule("get list update watch", "core", "persistentvolumeclaims"),
            _rule(_READ, "storage.k8s.io", "storageclasses"),
            _rule("create list patch update watch", "core", "events"),
        ),
        _role("system:service-account-issuer-discovery", _paths("get", _ISSUER)),
        _role(
            "system:kubelet-api-admin",
            _rule(f"{_READ} proxy", "core", "nodes"),
            _rule("*", "core", f"nodes/proxy nodes/log nodes/stats nodes/metrics {_KUBELET_FINE}"),
        ),
        # what metrics-server brings along where it is installed
        _role(
            "system:aggregated-metrics-reader",
            _rule(_READ, "metrics.k8s.io", "pods nodes"),
            labels={**_aggregate("view"), **_aggregate("edit"), **_aggregate("admin")},
        ),
        *component_objects(),
        _bind("cluster-admin", "cluster-admin", "system:masters"),
        _bind("system:monitoring", "system:monitoring", "system:monitoring"),
        _bind("system:discovery", "system:discovery", authenticated),
        _bind("system:basic-user", "system:basic-user", authenticated),
        _bind("system:public-info-viewer", "system:public-info-viewer", authenticated, anyone),
        _bind("system:node", "system:node"),
        _bind("system:node-proxier", "system:node-proxier", user="system:kube-proxy"),
        _bind("system:kube-scheduler", "system:kube-scheduler", user="system:kube-scheduler"),
        _bind("system:kube-dns", "system:kube-dns", account="kube-dns"),
        _bind(
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            "system:serviceaccounts",
        ),
    )
