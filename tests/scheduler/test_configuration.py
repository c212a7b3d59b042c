"""Profiles as upstream's configuration file states them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubelite import Cluster
from kubelite.api.core_v1 import Pod
from kubelite.config import ConfigError
from kubelite.scheduler.configuration import parse_profiles
from kubelite.scheduler.profile import WEIGHTS, Profile

FILE = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  plugins:
    score:
      disabled: [{name: NodeResourcesBalancedAllocation}, {name: ImageLocality}]
      enabled: [{name: NodeResourcesFit, weight: 5}]
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}
"""

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec: {{schedulerName: {scheduler}, containers: [{{name: main, image: "app:1", resources: {{requests: {{cpu: 100m}}}}}}]}}
"""


async def test_a_cluster_has_the_profiles_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.yaml"
    file.write_text(FILE)
    async with Cluster(nodes=3, scheduler_config=str(file)) as cluster:
        hosts = []
        for name in ("a", "b", "c"):
            await cluster.apply(POD.format(name=name, scheduler="packer"))
            bound = await cluster.wait_for(Pod, name, lambda pod: bool(pod.spec.node_name))
            hosts.append(bound.spec.node_name)
        assert len(set(hosts)) == 1
        await cluster.apply(POD.format(name="spread", scheduler="default-scheduler"))
        spread = await cluster.wait_for(Pod, "spread", lambda pod: bool(pod.spec.node_name))
        assert spread.spec.node_name not in hosts


@pytest.mark.parametrize(
    "text", ["profiles: [{schedulerName: 3}]", "kind: Pod", "profiles: [{pluginConfig: [{name: X}]}]"]
)
async def test_a_wrong_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scheduler.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="schedulerConfig") as caught:
        async with Cluster(scheduler_config=str(file)):
            pass
    assert "\n" not in str(caught.value)


def test_without_profiles_there_is_the_default_one() -> None:
    assert parse_profiles({"leaderElection": {"leaderElect": False}}) == (Profile(),)


def test_everything_can_be_switched_off_and_some_on() -> None:
    point = {"disabled": [{"name": "*"}], "enabled": [{"name": "ImageLocality", "weight": 7}]}
    (profile,) = parse_profiles({"profiles": [{"plugins": {"multiPoint": point}}]})
    assert profile.weights == {"ImageLocality": 7}
    (profile,) = parse_profiles({"profiles": [{"plugins": {"score": {"enabled": [{"name": "NodeAffinity"}]}}}]})
    assert profile.weights == {**WEIGHTS, "NodeAffinity": 1}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"profiles": [{}, {}]}, "same schedulerName"),
    ({"profiles": [{"plugins": {"score": {"enabled": [{"name": "Mine"}]}}}]}, "no score plugin Mine"),
    ({"profiles": [{"plugins": {"filter": {"disabled": [{"name": "NodePorts"}]}}}]}, "filter"),
    ({"profiles": [{"pluginConfig": [{"name": "Mine"}]}]}, "Mine"),
    ({"profiles": [{"schedulerName": 3}]}, "schedulerName"),
    ({"kind": "Pod"}, "Pod is no KubeSchedulerConfiguration"),
]


@pytest.mark.parametrize(("configuration", "says"), REFUSED)
def test_what_this_scheduler_does_not_have_is_refused(configuration: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_profiles(configuration)


def test_a_ratio_needs_a_shape() -> None:
    args = {"scoringStrategy": {"type": "RequestedToCapacityRatio"}}
    with pytest.raises(ValueError, match="shape"):
        parse_profiles({"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": args}]}]})
