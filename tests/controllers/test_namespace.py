"""A namespace's end, and what every namespace has from its beginning."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import ConfigMap, Namespace, NamespaceSpec, Pod, ServiceAccount
from kubelite.api.meta import ObjectMeta
from kubelite.controllers import STORED
from kubelite.controllers.namespace import NamespaceController
from kubelite.controllers.namespace_defaults import RootCAPublisher, ServiceAccountController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import pod


def namespace(name: str = "default") -> Namespace:
    return Namespace(metadata=ObjectMeta(name=name), spec=NamespaceSpec(finalizers=("kubernetes",)))


def begin_deletion(made: Cluster) -> None:
    current = made.view.get(Namespace, "default")
    assert current is not None
    made.put(replace(current, metadata=replace(current.metadata, deletion_timestamp="2023-11-14T22:13:20Z")))


def conditions(made: Cluster) -> dict[str, tuple[str, str, str]]:
    current = made.view.get(Namespace, "default")
    assert current is not None
    return {entry.type: (entry.status, entry.reason, entry.message) for entry in current.status.conditions}


def test_content_goes_first_and_pods_before_all_else() -> None:
    made = Cluster(NamespaceController(STORED))
    made.put(namespace())
    made.put(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default")))
    made.run_pod(made.put(pod("web")))
    begin_deletion(made)
    made.settle()
    current = made.view.get(Namespace, "default")
    assert current is not None
    assert current.status.phase == "Terminating"
    assert made.view.get(ConfigMap, "settings", "default") is not None
    message = "Some resources are remaining: pods. has 1 resource instances"
    assert conditions(made)["NamespaceContentRemaining"] == ("True", "SomeResourcesRemain", message)
    made.remove(made.view.list(Pod)[0])
    made.settle()
    assert made.view.get(ConfigMap, "settings", "default") is None
    assert made.view.get(Namespace, "default") is None


def test_finalizers_of_content_are_named() -> None:
    made = Cluster(NamespaceController(STORED))
    made.put(namespace())
    made.put(ConfigMap(metadata=ObjectMeta(name="held", namespace="default", finalizers=("example.com/hold",))))
    begin_deletion(made)
    made.settle()
    message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    assert conditions(made)["NamespaceFinalizersRemaining"] == ("True", "SomeFinalizersRemain", message)
    held = made.view.get(ConfigMap, "held", "default")
    assert held is not None
    made.remove(held)
    made.settle()
    assert made.view.get(Namespace, "default") is None


def test_every_namespace_has_its_account_and_the_root_certificate() -> None:
    made = Cluster(ServiceAccountController(), RootCAPublisher("PEM"))
    made.put(namespace())
    made.settle()
    account = made.view.get(ServiceAccount, "default", "default")
    published = made.view.get(ConfigMap, "kube-root-ca.crt", "default")
    assert account is not None
    assert published is not None
    assert published.data == {"ca.crt": "PEM"}
    made.remove(account)
    made.put(replace(published, data={}))
    made.settle()
    assert made.view.get(ServiceAccount, "default", "default") is not None
    restored = made.view.get(ConfigMap, "kube-root-ca.crt", "default")
    assert restored is not None
    assert restored.data == {"ca.crt": "PEM"}
