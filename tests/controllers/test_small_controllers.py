"""Quotas, token Secrets, node TTLs, aggregated roles, signing requests, mirrored Endpoints, ReplicationControllers."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.certificate_signers import NODE_CLIENT, Asked
from kubelite.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from kubelite.api.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Node,
    Pod,
    ReplicationController,
    ReplicationControllerSpec,
    ResourceQuota,
    ResourceQuotaSpec,
    Secret,
    Service,
    ServiceAccount,
)
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.api.rbac_v1 import AggregationRule, ClusterRole, PolicyRule
from kubelite.controllers import STORED
from kubelite.controllers.cluster_roles import ClusterRoleAggregator
from kubelite.controllers.endpointslice_mirroring import EndpointSliceMirroring
from kubelite.controllers.replication_controller import ReplicationControllerController
from kubelite.controllers.resource_quota import ResourceQuotaController
from kubelite.controllers.service_account_tokens import ACCOUNT, TYPE, TokenCleaner
from kubelite.controllers.signing_requests import CSRApprover, CSRCleaner, CSRSigner, condition
from kubelite.controllers.ttl import ANNOTATION, TTLController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import pod, service, template


def test_a_replication_controller_keeps_its_pods() -> None:
    made = Cluster(ReplicationControllerController())
    spec = ReplicationControllerSpec(replicas=2, selector={"app": "web"}, template=template())
    made.put(ReplicationController(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
    made.put(pod("orphan"))
    made.converge()
    assert len(made.view.list(Pod)) == 2
    found = made.view.get(ReplicationController, "web", "default")
    assert found is not None
    assert (found.status.replicas, found.status.ready_replicas, found.status.available_replicas) == (2, 2, 2)
    made.put(replace(found, spec=replace(found.spec, replicas=0)))
    made.converge()
    assert made.view.list(Pod) == ()


def test_a_quota_counts_what_is_there_and_not_what_has_ended() -> None:
    made = Cluster(ResourceQuotaController(STORED))
    spec = ResourceQuotaSpec(hard={"pods": "5", "count/services": "3", "requests.cpu": "1"})
    made.put(ResourceQuota(metadata=ObjectMeta(name="q", namespace="default"), spec=spec))
    made.put(pod("a"))
    second = made.put(pod("b"))
    made.put(service())
    made.settle()

    def used() -> dict[str, object]:
        found = made.view.get(ResourceQuota, "q", "default")
        assert found is not None
        assert found.status.hard == spec.hard
        return dict(found.status.used)

    assert used() == {"pods": "2", "count/services": "1", "requests.cpu": "0"}
    made.put(replace(second, status=replace(second.status, phase="Succeeded")))
    made.settle()
    assert used()["pods"] == "1"


def test_token_secrets_go_with_their_account() -> None:
    made = Cluster(TokenCleaner())
    account = made.put(ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default")))
    meta = ObjectMeta(name="token", namespace="default", annotations={ACCOUNT: "robot"})
    made.put(Secret(metadata=meta, type=TYPE))
    made.put(Secret(metadata=replace(meta, name="other"), type="Opaque"))
    made.settle()
    made.remove(account)
    made.settle()
    assert len(made.view.list(Secret)) == 2
    made.advance(2)
    assert [entry.metadata.name for entry in made.view.list(Secret)] == ["other"]


def test_the_ttl_grows_with_the_cluster() -> None:
    made = Cluster(TTLController())
    for number in range(101):
        made.put(Node(metadata=ObjectMeta(name=f"n{number}")))
    made.settle()
    assert {node.metadata.annotations[ANNOTATION] for node in made.view.list(Node)} == {"15"}


def test_aggregated_roles_follow_what_they_select() -> None:
    made = Cluster(ClusterRoleAggregator())
    rule = AggregationRule(cluster_role_selectors=(LabelSelector(match_labels={"to": "admin"}),))
    made.put(ClusterRole(metadata=ObjectMeta(name="admin"), aggregation_rule=rule))
    read = PolicyRule(verbs=("get",), resources=("pods",), api_groups=("",))
    part = made.put(ClusterRole(metadata=ObjectMeta(name="part", labels={"to": "admin"}), rules=(read,)))
    made.settle()
    assert _rules(made) == (read,)
    made.remove(part)
    made.settle()
    assert _rules(made) == ()


def _rules(made: Cluster) -> tuple[PolicyRule, ...]:
    found = made.view.get(ClusterRole, "admin")
    assert found is not None
    return found.rules


class Authority:
    """Requests are their common name; the one of node `lost` cannot be signed."""

    def read(self, pem: bytes) -> Asked:
        return Asked(common_name=pem.decode(), organizations=("system:nodes",))

    def sign(self, request: CertificateSigningRequest, now: float) -> bytes:
        if request.spec.request == b"system:node:lost":
            raise ValueError("no such key")
        return b"signed " + request.spec.request

    def may(self, request: CertificateSigningRequest, subresource: str) -> bool:
        group = "system:nodes" if subresource == "selfnodeclient" else "system:bootstrappers"
        return group in request.spec.groups


USAGES = ("digital signature", "client auth")
NODE_REQUEST = CertificateSigningRequestSpec(
    request=b"system:node:a",
    signer_name=NODE_CLIENT,
    username="system:node:a",
    groups=("system:nodes",),
    usages=USAGES,
)


def test_a_node_s_request_is_approved_signed_and_at_last_removed() -> None:
    made = Cluster(CSRApprover(Authority()), CSRSigner(Authority()), CSRCleaner())
    made.put(CertificateSigningRequest(metadata=ObjectMeta(name="a"), spec=NODE_REQUEST))
    eve = replace(NODE_REQUEST, groups=(), username="eve")
    made.put(CertificateSigningRequest(metadata=ObjectMeta(name="b"), spec=eve))
    made.settle()
    found, other = (made.view.get(CertificateSigningRequest, name) for name in ("a", "b"))
    assert found is not None
    assert found.status.certificate == b"signed system:node:a"
    assert other is not None
    assert condition(other, "Approved") is None
    made.advance(3601)
    assert [entry.metadata.name for entry in made.view.list(CertificateSigningRequest)] == ["b"]
    made.advance(24 * 3600)
    assert made.view.list(CertificateSigningRequest) == ()


def test_a_node_is_not_approved_as_another_nor_to_serve() -> None:
    made = Cluster(CSRApprover(Authority()), CSRSigner(Authority()))
    other = replace(NODE_REQUEST, request=b"system:node:b")
    made.put(CertificateSigningRequest(metadata=ObjectMeta(name="other"), spec=other))
    serving = replace(NODE_REQUEST, usages=("digital signature", "server auth"))
    made.put(CertificateSigningRequest(metadata=ObjectMeta(name="serving"), spec=serving))
    made.settle()
    assert [item.status.conditions for item in made.view.list(CertificateSigningRequest)] == [(), ()]


def test_a_request_that_cannot_be_signed_has_failed() -> None:
    made = Cluster(CSRApprover(Authority()), CSRSigner(Authority()))
    spec = replace(NODE_REQUEST, request=b"system:node:lost", groups=("system:bootstrappers",))
    made.put(CertificateSigningRequest(metadata=ObjectMeta(name="a"), spec=spec))
    made.settle()
    found = made.view.get(CertificateSigningRequest, "a")
    assert found is not None
    failed = condition(found, "Failed")
    assert failed is not None
    assert (failed.reason, failed.message) == ("SignerValidationFailure", "no such key")


def test_endpoints_without_a_selector_are_mirrored() -> None:
    made = Cluster(EndpointSliceMirroring())
    outside = made.put(replace(service(), spec=replace(service().spec, selector={})))
    addresses = tuple(EndpointAddress(ip=f"192.0.2.{number}") for number in range(1, 121))
    subset = EndpointSubset(addresses=addresses, ports=(EndpointPort(name="http", port=80, protocol="TCP"),))
    made.put(Endpoints(metadata=ObjectMeta(name="web", namespace="default"), subsets=(subset,)))
    made.settle()
    slices = made.view.list(EndpointSlice)
    assert sorted(len(entry.endpoints) for entry in slices) == [20, 100]
    assert {entry.metadata.labels["kubernetes.io/service-name"] for entry in slices} == {"web"}
    made.put(replace(outside, spec=replace(outside.spec, selector={"app": "web"})))
    made.settle()
    assert made.view.list(EndpointSlice) == ()
    assert isinstance(made.view.get(Service, "web", "default"), Service)
