from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
    ResourceQuota,
    ResourceQuotaSpec,
    ResourceRequirements,
    Secret,
)
from kubelite.api.meta import Object, ObjectMeta
from kubelite.client.cache import Cache
from kubelite.client.plan import Update
from kubelite.controllers import STORED
from kubelite.controllers.resource_quota import ResourceQuotaController

QUOTA = ResourceQuota(
    metadata=ObjectMeta(name="q", namespace="a"),
    spec=ResourceQuotaSpec(hard={"pods": "5", "requests.cpu": "1", "count/secrets": "3"}),
)
CONTAINER = Container(name="c", resources=ResourceRequirements(requests={"cpu": "300m"}))
POD = Pod(metadata=ObjectMeta(name="p", namespace="a"), spec=PodSpec(containers=(CONTAINER,)))
ENDED = replace(POD, metadata=ObjectMeta(name="ended", namespace="a"), status=PodStatus(phase="Succeeded"))
ELSEWHERE = replace(POD, metadata=ObjectMeta(name="p", namespace="b"))
SECRET = Secret(metadata=ObjectMeta(name="s", namespace="a"))


def counted(*objects: Object) -> ResourceQuota | None:
    """The quota with the status that the controller gives it; None if it leaves it as it is."""
    view = Cache({})
    for each in objects:
        view.put(each)
    plan = ResourceQuotaController(STORED).decide(view, "a/q", 0)
    if not plan.writes:
        return None
    write = plan.writes[0]
    assert isinstance(write, Update)
    assert write.subresource == "status"
    assert isinstance(write.obj, ResourceQuota)
    return write.obj


def test_a_quotas_status_says_what_its_namespace_uses() -> None:
    found = counted(QUOTA, POD, ENDED, ELSEWHERE, SECRET)
    assert found is not None
    assert found.status.hard == QUOTA.spec.hard
    assert found.status.used == {"pods": "1", "requests.cpu": "300m", "count/secrets": "1"}
    assert counted(found, POD, SECRET) is None
    emptied = counted(found)
    assert emptied is not None
    assert emptied.status.used == {"pods": "0", "requests.cpu": "0", "count/secrets": "0"}


def test_a_quota_with_scopes_counts_only_what_is_in_them() -> None:
    scoped = replace(QUOTA, spec=ResourceQuotaSpec(hard={"pods": "5"}, scopes=("BestEffort",)))
    best_effort = replace(POD, metadata=ObjectMeta(name="idle", namespace="a"), spec=PodSpec(containers=(Container(),)))
    found = counted(scoped, POD, best_effort)
    assert found is not None
    assert found.status.used == {"pods": "1"}
