"""One pod's way out of its Services and back, told to the proxy before the API can know.

Out before anything of the pod is ended, and at once when a container dies by itself; back just before it is reported Ready.
A restart may be so quick that no EndpointSlice ever says "not ready": without the way back the pod would stay out for ever.
A pod on the host's network shares its address with others and never leaves.
"""

from __future__ import annotations

from kubelite.api.core_v1 import Pod, PodStatus
from kubelite.kubelet.host_ports import host_ports
from kubelite.kubelet.observed import ObservedPod
from kubelite.kubelet.parts import ServiceGate
from kubelite.kubelet.runtime import Container


class PodGate:
    """The door of one pod. It starts as if the pod were out: an earlier worker may have left it so."""

    def __init__(self, gate: ServiceGate) -> None:
        self._gate = gate
        self._out = True
        self._mapped = ""  #: the address that the host's ports lead to
        self._dead: set[str] = set()  #: containers that an event said are dead, until an observation shows it

    async def leave(self, pod: Pod, ip: str, *, dead: bool = False) -> None:
        """Returns when no new connection reaches the pod; `dead`: and nobody is left there to serve."""
        if ip and not pod.spec.host_network:
            self._out = True
            await self._gate.remove_endpoint(ip, dead=dead)

    def map_ports(self, pod: Pod, ip: str) -> None:
        """The host's ports lead to `ip`, or (empty) to the pod no more."""
        ports = () if pod.spec.host_network else host_ports(pod)
        if ports and ip != self._mapped:
            self._mapped = ip
            self._gate.map_host_ports(pod.metadata.uid, ip, ports if ip else ())

    def note_death(self, container_id: str) -> None:
        """What is known of this container is outdated: no way back until the pod was looked at again."""
        self._dead.add(container_id)

    def note_start(self, container_id: str) -> None:
        """Somebody started the same container again, or (empty) all that was heard is outdated."""
        self._dead = self._dead - {container_id} if container_id else set()

    def enter(self, pod: Pod, observed: ObservedPod, status: PodStatus) -> None:
        """To be called with each status before it is written."""
        alive = {each.id for each in observed.running} | {each.id for each in observed.sandboxes if each.ready}
        if self._dead & alive:
            return
        self._dead.clear()
        ready = any(each.type == "Ready" and each.status == "True" for each in status.conditions)
        if ready and self._out and observed.ip and not pod.spec.host_network:
            self._out = False
            self._gate.restore_endpoint(observed.ip)


def serves(container: Container | None, pod: Pod) -> bool:
    """Whether the death of a container (None: of the sandbox) takes the pod out: an init container's does not."""
    return container is None or container.name not in {each.name for each in pod.spec.init_containers}
