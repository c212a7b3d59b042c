"""How many pods a budget lets go."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import IntOrString, LabelSelector, ObjectMeta
from kubelite.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec
from kubelite.api.timestamp import rfc3339
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.disruption import DisruptionController
from kubelite.controllers.replicaset import ReplicaSetController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import deployment


def cluster(*, minimum: IntOrString | None = None, maximum: IntOrString | None = None, replicas: int = 4) -> Cluster:
    made = Cluster(DeploymentController(), ReplicaSetController(), DisruptionController())
    spec = PodDisruptionBudgetSpec(
        min_available=minimum, max_unavailable=maximum, selector=LabelSelector(match_labels={"app": "web"})
    )
    made.put(PodDisruptionBudget(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
    made.put(deployment(replicas=replicas))
    made.converge()
    return made


def budget(made: Cluster) -> PodDisruptionBudget:
    found = made.view.get(PodDisruptionBudget, "web", "default")
    assert found is not None
    return found


@pytest.mark.parametrize(("minimum", "maximum", "expected"), [
    (3, None, (1, 3, 4)),
    ("50%", None, (2, 2, 4)),
    (None, 1, (1, 3, 4)),
    (None, "25%", (1, 3, 4)),
    (None, 0, (0, 4, 4)),
    (9, None, (0, 9, 4)),
])  # fmt: skip
def test_what_a_budget_allows(
    minimum: IntOrString | None, maximum: IntOrString | None, expected: tuple[int, int, int]
) -> None:
    status = budget(cluster(minimum=minimum, maximum=maximum)).status
    assert (status.disruptions_allowed, status.desired_healthy, status.expected_pods) == expected
    assert status.current_healthy == 4
    assert status.conditions[0].reason == ("SufficientPods" if expected[0] else "InsufficientPods")


def test_pods_that_are_not_ready_use_the_budget_up() -> None:
    made = cluster(maximum=1)
    made.run_pod(made.view.list(Pod)[0], ready=False)
    made.settle()
    assert budget(made).status.disruptions_allowed == 0


def test_a_granted_eviction_counts_until_the_pod_is_gone_or_time_is_up() -> None:
    made = cluster(maximum=1)
    name = made.view.list(Pod)[0].metadata.name
    granted = replace(budget(made).status, disrupted_pods={name: rfc3339(made.now)})
    made.put(replace(budget(made), status=granted))
    made.settle()
    assert budget(made).status.disruptions_allowed == 0
    made.advance(121)
    assert budget(made).status.disrupted_pods == {}
    assert budget(made).status.disruptions_allowed == 1
