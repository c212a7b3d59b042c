"""The ports of the host that a pod's containers ask for. Pure; the node's proxy sends their traffic.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (ContainerPort)
"""

from __future__ import annotations

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.kubelet.observed import is_sidecar


class HostPort(msgspec.Struct, frozen=True, kw_only=True):
    """`port` of the host, on the address `host_ip` (empty: on all), goes to `container_port` of the pod."""

    protocol: str
    port: int
    host_ip: str
    container_port: int

    def meets(self, other: HostPort) -> bool:
        """Whether both cannot be had at once."""
        same = self.protocol == other.protocol and self.port == other.port
        return same and (self.host_ip == other.host_ip or not self.host_ip or not other.host_ip)


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    """Also those of a pod on the host's network, where they are its own ports."""
    specs = [*pod.spec.containers, *(each for each in pod.spec.init_containers if is_sidecar(each))]
    return tuple(
        HostPort(
            protocol=(port.protocol or "TCP").lower(),
            port=port.host_port,
            host_ip="" if port.host_ip == "0.0.0.0" else port.host_ip,
            container_port=port.container_port,
        )
        for spec in specs
        for port in spec.ports
        if port.host_port
    )
