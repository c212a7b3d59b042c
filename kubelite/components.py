"""Everything that lives off the API, put together: informers; DNS, Services, controllers and the scheduler; nodes.

Part of the composition root; imported after the API serves.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kubelite.actor.clock import Clock
from kubelite.actor.supervisor import Stage, Supervisor
from kubelite.api.core_v1 import Namespace, PersistentVolume, Service
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import Object
from kubelite.client.custom_kinds import CustomKinds, Served
from kubelite.client.feeds import NODE_INDEX
from kubelite.client.host import Host
from kubelite.client.informer import Informers
from kubelite.client.interface import Client
from kubelite.client.leader import Leader
from kubelite.client.recorder import Recorder
from kubelite.client.streams import PodStreams
from kubelite.client.view import Controller
from kubelite.config import Config, ConfigError, read_settings
from kubelite.controllers import INDEXES as CONTROLLER_INDEXES, VOLUME_ROOT, standard
from kubelite.controllers.signing_requests import Authority
from kubelite.data_dir import DataDir
from kubelite.kubelet.volume_reclaimer import VolumeReclaimer, nothing, remover
from kubelite.node_metrics import AUTOSCALER, ResourceMetrics
from kubelite.nodes import NODE_KINDS, NodeParts, NodesUsable, simulated_nodes
from kubelite.scheduler import INDEXES as SCHEDULER_INDEXES, Profile, Scheduler

if TYPE_CHECKING:
    from kubelite.client.figures import NodeMeter

#: The controller that lets new nodes take pods.
_TAINTER = "node-controller"
#: What Services and DNS read of the cluster.
SERVICE_KINDS: tuple[type[Object], ...] = (Namespace, Service, EndpointSlice)


class Components:
    """The components of one cluster. `streams` and `meters` are those of each node, by its name; `root_ca` is the PEM text

    that verifies the API server, if it serves, and `authority` what certificates are signed by.
    """

    def __init__(
        self,
        config: Config,
        client: Client,
        served: Served,
        clock: Clock,
        data: DataDir | None,
        *,
        root_ca: str = "",
        authority: Authority | None = None,
    ) -> None:
        recorder = Recorder(client, clock)
        volumes = data.path.absolute() / "volumes" if data else Path(VOLUME_ROOT)
        self.meters: dict[str, NodeMeter] = {}
        metrics = ResourceMetrics(self.meters, clock, self._measured)
        made = standard(
            root_ca=root_ca,
            volume_root=str(volumes),
            authority=authority,
            metrics=metrics,
            service_cidr=config.service_cidr,
        )
        controllers = (*made, Scheduler(_profiles(config.scheduler_config)))
        running = _running(config, controllers)
        # everybody's kinds, so that the cluster's view is the same whatever runs
        watched = (kind for each in controllers for kind in (*(watch.type for watch in each.watches), *each.reads))
        indexes = {**NODE_INDEX, **CONTROLLER_INDEXES, **SCHEDULER_INDEXES}
        self.informers = Informers(client, (*NODE_KINDS, *SERVICE_KINDS, *watched), clock, indexes=indexes)
        parts = NodeParts(client=client, informers=self.informers, recorder=recorder, clock=clock, serves=bool(root_ca))
        if config.uses_host:
            from kubelite.docker_node import docker_node

            assert data is not None
            nodes = docker_node(config, parts, data)
        else:
            nodes = simulated_nodes(config, parts, data)
        self.streams: dict[str, PodStreams] = {name: kubelet.streams for name, kubelet in nodes.kubelets.items()}
        self.kubelets = nodes.kubelets
        self.meters |= nodes.kubelets
        reclaimer = VolumeReclaimer(
            self.informers[PersistentVolume],
            client,
            recorder,
            clock,
            remove=remover(volumes) if config.uses_host else nothing,
        )
        hosts = [Host(each, client, self.informers, recorder, clock) for each in running]
        self._autoscalers = [host for each, host in zip(running, hosts, strict=True) if each.name == AUTOSCALER]
        decided = _elected(running, hosts, client, clock) if config.store.startswith("etcd://") else hosts
        stages = [
            Stage((self.informers, recorder, *nodes.network)),
            Stage((CustomKinds(served, self.informers, hosts),)),
            Stage((*decided, *nodes.services, *((metrics,) if self._autoscalers else ()))),
            Stage((*nodes.kubelets.values(), *((reclaimer,) if nodes.kubelets else ()))),
            *((Stage((NodesUsable(self.informers, nodes.kubelets),)),) if config.runs("controllers", _TAINTER) else ()),
        ]
        self.supervisor = Supervisor("components", stages, clock)

    def _measured(self) -> None:
        for host in self._autoscalers:
            host.decide_again()


def _profiles(path: str) -> tuple[Profile, ...]:
    """What the scheduler's configuration file says. Raises: ConfigError."""
    if not path:
        return (Profile(),)
    from kubelite.scheduler.configuration import parse_profiles

    try:
        return parse_profiles(read_settings(Path(path)))
    except ValueError as error:
        raise ConfigError(f"bad setting: schedulerConfig: {path}: {error}") from error


def _running(config: Config, controllers: Sequence[Controller]) -> list[Controller]:
    """Those that the configuration wants. Raises: ConfigError for a name that no controller has."""
    if unknown := config.named_controllers.difference(each.name for each in controllers):
        raise ConfigError(f"bad setting: components: there is no controllers/{min(unknown)}")
    return [
        each
        for each in controllers
        if config.runs("scheduler" if isinstance(each, Scheduler) else "controllers", each.name)
    ]


def _elected(running: Sequence[Controller], hosts: Sequence[Host], client: Client, clock: Clock) -> list[Leader]:
    """The hosts of `running`, each where its Lease is held: other servers on the same store have the same ones."""
    identity = f"{socket.gethostname().lower()}_{clock.uid()}"
    parts: dict[str, list[Host]] = {}
    for each, host in zip(running, hosts, strict=True):
        parts.setdefault("kube-scheduler" if isinstance(each, Scheduler) else "kube-controller-manager", []).append(
            host
        )
    return [
        Leader(name, partial(Supervisor, name, [Stage(tuple(part))], clock), client, clock, identity=identity)
        for name, part in parts.items()
    ]
