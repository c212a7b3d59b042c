"""Kinds, types and resources: the one table that says what the API serves.

Adding a kind is one type in its group's file and one entry here. Custom resources are added at run time to a copy
(`Scheme.with_resources`). How objects are printed and stored is decided elsewhere, by kind.
Source: the API reference of Kubernetes v1.33 (`kubectl api-resources -o wide`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kubelite.api import (
    admissionregistration_v1 as admissionregistration,
    apiextensions_v1 as apiextensions,
    apiregistration_v1 as apiregistration,
    apps_v1 as apps,
    authentication_v1 as authentication,
    authorization_v1 as authorization,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    certificates_v1 as certificates,
    coordination_v1 as coordination,
    core_v1 as core,
    discovery_v1 as discovery,
    events_v1 as events,
    flowcontrol_v1 as flowcontrol,
    networking_v1 as networking,
    node_v1 as node,
    policy_v1 as policy,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE_ONLY = ("create",)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of the API. Versions of a kind share their keys in the store; so do those of `stored_under`."""

    type: type[Object]
    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    served: bool = True
    stored_under: str = ""

    @property
    def list_kind(self) -> str:
        """`PodList`; custom kinds choose theirs."""
        return self.type.definition.list_kind if issubclass(self.type, CustomObject) else f"{self.kind}List"

    @property
    def group_version(self) -> str:
        """`v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """`pods` or `deployments.apps`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """Where the store keeps the resource's objects: `/registry/pods/`."""
        return f"/registry/{self.stored_under or self.group_resource}/"

    def prefix_of(self, namespace: str) -> str:
        """The same for one namespace, where there are such: `/registry/pods/default/`."""
        return f"{self.prefix}{namespace}/" if namespace and self.namespaced else self.prefix

    def key(self, name: str, namespace: str = "") -> str:
        """The store's key of one object: `/registry/pods/default/web`."""
        return f"{self.prefix}{namespace}/{name}" if self.namespaced else f"{self.prefix}{name}"


def _of(
    type_: type[Object],
    plural: str,
    *short_names: str,
    subresources: str = "",
    categories: str = "",
    namespaced: bool = True,
    verbs: tuple[str, ...] = ALL_VERBS,
    stored_under: str = "",
) -> Resource:
    group, _, version = type_.api_version.rpartition("/")
    return Resource(
        type=type_,
        group=group,
        version=version,
        kind=type_.kind,
        plural=plural,
        singular=type_.kind.lower(),
        namespaced=namespaced,
        short_names=short_names,
        categories=tuple(categories.split()),
        subresources=tuple(subresources.split()),
        verbs=verbs,
        stored_under=stored_under,
    )


def _cluster(
    type_: type[Object], plural: str, *short_names: str, subresources: str = "", categories: str = ""
) -> Resource:
    return _of(type_, plural, *short_names, subresources=subresources, categories=categories, namespaced=False)


def _review(type_: type[Object], plural: str, *, namespaced: bool = False) -> Resource:
    return _of(type_, plural, namespaced=namespaced, verbs=CREATE_ONLY)


_NETWORK = "api-extensions"

BUILT_IN: tuple[Resource, ...] = (
    _of(core.Binding, "bindings", verbs=CREATE_ONLY),
    _of(core.ComponentStatus, "componentstatuses", "cs", namespaced=False, verbs=("get", "list")),
    _of(core.ConfigMap, "configmaps", "cm"),
    _of(core.Endpoints, "endpoints", "ep"),
    _of(core.Event, "events", "ev"),
    _of(core.LimitRange, "limitranges", "limits"),
    _of(
        core.Namespace,
        "namespaces",
        "ns",
        subresources="status finalize",
        namespaced=False,
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    ),
    _cluster(core.Node, "nodes", "no", subresources="status proxy"),
    _of(core.PersistentVolumeClaim, "persistentvolumeclaims", "pvc", subresources="status"),
    _cluster(core.PersistentVolume, "persistentvolumes", "pv", subresources="status"),
    _of(
        core.Pod,
        "pods",
        "po",
        categories="all",
        subresources="status binding eviction ephemeralcontainers resize log exec attach portforward proxy",
    ),
    _of(core.PodTemplate, "podtemplates"),
    _of(core.ReplicationController, "replicationcontrollers", "rc", categories="all", subresources="status scale"),
    _of(core.ResourceQuota, "resourcequotas", "quota", subresources="status"),
    _of(core.Secret, "secrets"),
    _of(core.ServiceAccount, "serviceaccounts", "sa", subresources="token"),
    _of(core.Service, "services", "svc", categories="all", subresources="status proxy"),
    _of(apps.ControllerRevision, "controllerrevisions"),
    _of(apps.DaemonSet, "daemonsets", "ds", categories="all", subresources="status"),
    _of(apps.Deployment, "deployments", "deploy", categories="all", subresources="status scale"),
    _of(apps.ReplicaSet, "replicasets", "rs", categories="all", subresources="status scale"),
    _of(apps.StatefulSet, "statefulsets", "sts", categories="all", subresources="status scale"),
    _of(batch.CronJob, "cronjobs", "cj", categories="all", subresources="status"),
    _of(batch.Job, "jobs", categories="all", subresources="status"),
    _of(
        autoscaling_v2.HorizontalPodAutoscaler,
        "horizontalpodautoscalers",
        "hpa",
        categories="all",
        subresources="status",
    ),
    _of(
        autoscaling_v1.HorizontalPodAutoscaler,
        "horizontalpodautoscalers",
        "hpa",
        categories="all",
        subresources="status",
    ),
    _of(networking.Ingress, "ingresses", "ing", subresources="status"),
    _cluster(networking.IngressClass, "ingressclasses"),
    _of(networking.NetworkPolicy, "networkpolicies", "netpol"),
    _cluster(networking.IPAddress, "ipaddresses", "ip"),
    _cluster(networking.ServiceCIDR, "servicecidrs", subresources="status"),
    _of(policy.PodDisruptionBudget, "poddisruptionbudgets", "pdb", subresources="status"),
    _of(rbac.Role, "roles"),
    _of(rbac.RoleBinding, "rolebindings"),
    _cluster(rbac.ClusterRole, "clusterroles"),
    _cluster(rbac.ClusterRoleBinding, "clusterrolebindings"),
    _cluster(storage.StorageClass, "storageclasses", "sc"),
    _cluster(storage.VolumeAttachment, "volumeattachments", subresources="status"),
    _cluster(storage.CSIDriver, "csidrivers"),
    _cluster(storage.CSINode, "csinodes"),
    _of(storage.CSIStorageCapacity, "csistoragecapacities"),
    _cluster(scheduling.PriorityClass, "priorityclasses", "pc"),
    _of(coordination.Lease, "leases"),
    _of(discovery.EndpointSlice, "endpointslices"),
    _of(events.Event, "events", "ev", stored_under="events"),
    _cluster(
        certificates.CertificateSigningRequest, "certificatesigningrequests", "csr", subresources="status approval"
    ),
    _cluster(node.RuntimeClass, "runtimeclasses"),
    _cluster(admissionregistration.MutatingWebhookConfiguration, "mutatingwebhookconfigurations", categories=_NETWORK),
    _cluster(
        admissionregistration.ValidatingWebhookConfiguration, "validatingwebhookconfigurations", categories=_NETWORK
    ),
    _cluster(
        admissionregistration.ValidatingAdmissionPolicy,
        "validatingadmissionpolicies",
        categories=_NETWORK,
        subresources="status",
    ),
    _cluster(
        admissionregistration.ValidatingAdmissionPolicyBinding, "validatingadmissionpolicybindings", categories=_NETWORK
    ),
    _cluster(
        apiextensions.CustomResourceDefinition,
        "customresourcedefinitions",
        "crd",
        "crds",
        categories=_NETWORK,
        subresources="status",
    ),
    _cluster(apiregistration.APIService, "apiservices", categories=_NETWORK, subresources="status"),
    _cluster(flowcontrol.FlowSchema, "flowschemas", subresources="status"),
    _cluster(flowcontrol.PriorityLevelConfiguration, "prioritylevelconfigurations", subresources="status"),
    _review(authentication.TokenReview, "tokenreviews"),
    _review(authentication.SelfSubjectReview, "selfsubjectreviews"),
    _review(authorization.SubjectAccessReview, "subjectaccessreviews"),
    _review(authorization.SelfSubjectAccessReview, "selfsubjectaccessreviews"),
    _review(authorization.SelfSubjectRulesReview, "selfsubjectrulesreviews"),
    _review(authorization.LocalSubjectAccessReview, "localsubjectaccessreviews", namespaced=True),
)


class Scheme:
    """Look-ups over a set of resources; immutable.

    >>> Scheme().resource("apps", "v1", "deployments").kind
    'Deployment'
    """

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        self._resources = tuple(resources)
        self._by_path = {(entry.group, entry.version, entry.plural): entry for entry in self._resources}
        self._by_kind = {(entry.group, entry.version, entry.kind): entry for entry in self._resources}
        self._by_type = {entry.type: entry for entry in self._resources}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources)

    def resource(self, group: str, version: str, plural: str) -> Resource:
        """Raises: KeyError when it is not served."""
        return self._by_path[group, version, plural]

    def kind(self, group: str, version: str, kind: str) -> Resource:
        """Raises: KeyError when there is no such kind."""
        return self._by_kind[group, version, kind]

    def of(self, type_: type[Object]) -> Resource:
        """The resource of a typed object's class."""
        return self._by_type[type_]

    def with_resources(self, resources: Iterable[Resource]) -> Scheme:
        return Scheme((*self._resources, *resources))
