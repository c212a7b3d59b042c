"""What every namespace has: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.

Called by `client/host` per Namespace.
Source: k8s.io/kubernetes pkg/controller/{serviceaccount,certificates/rootcacertpublisher}
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import ConfigMap, Namespace, ServiceAccount
from kubelite.api.meta import Object, ObjectMeta
from kubelite.client.plan import Create, Plan, Update
from kubelite.client.view import Key, View, Watch, self_key

SERVICE_ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
_ABOUT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


def _lost_keys(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
    """The namespace of what may have to be restored."""
    if old is not None and old.metadata.name in (SERVICE_ACCOUNT, ROOT_CA):
        yield old.metadata.namespace


def _is_live(namespace: Namespace | None) -> bool:
    return namespace is not None and not namespace.metadata.deletion_timestamp


class ServiceAccountController:
    name = "serviceaccount-controller"
    watches = (Watch(Namespace, self_key), Watch(ServiceAccount, _lost_keys))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        if not _is_live(view.get(Namespace, key)) or view.get(ServiceAccount, SERVICE_ACCOUNT, key) is not None:
            return Plan()
        account = ServiceAccount(metadata=ObjectMeta(name=SERVICE_ACCOUNT, namespace=key))
        return Plan(writes=(Create(account),))


class RootCAPublisher:
    """`root_ca` is the PEM text that verifies the API server."""

    name = "root-ca-certificate-publisher-controller"
    watches = (Watch(Namespace, self_key), Watch(ConfigMap, _lost_keys))
    reads: tuple[type[Object], ...] = ()

    def __init__(self, root_ca: str) -> None:
        self._data = {"ca.crt": root_ca}

    def decide(self, view: View, key: Key, now: float) -> Plan:
        if not _is_live(view.get(Namespace, key)):
            return Plan()
        about = {"kubernetes.io/description": _ABOUT}
        current = view.get(ConfigMap, ROOT_CA, key)
        if current is None:
            metadata = ObjectMeta(name=ROOT_CA, namespace=key, annotations=about)
            return Plan(writes=(Create(ConfigMap(metadata=metadata, data=self._data)),))
        annotations = {**current.metadata.annotations, **about}
        if current.data == self._data and annotations == current.metadata.annotations:
            return Plan()
        metadata = replace(current.metadata, annotations=annotations)
        return Plan(writes=(Update(replace(current, metadata=metadata, data=self._data)),))
