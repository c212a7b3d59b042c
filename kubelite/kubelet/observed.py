"""What the runtime last said of one pod, newest first, and the questions that decisions ask of it. Pure."""

from __future__ import annotations

import msgspec

from kubelite.api.core_v1 import Container as ContainerSpec, EphemeralContainerCommon, Pod
from kubelite.kubelet.runtime import Container, Sandbox, State

#: The annotation of a container that tells a later kubelet what it was made from.
HASH_ANNOTATION = "io.kubernetes.container.hash"
#: Where a pod came from; of the API's picture of a static pod, which one it shows.
SOURCE, MIRROR = "kubernetes.io/config.source", "kubernetes.io/config.mirror"


Spec = ContainerSpec | EphemeralContainerCommon


def is_static(pod: Pod) -> bool:
    """Whether it came from the node itself; a mirror is not, it is the API's picture of one that did."""
    return pod.metadata.annotations.get(SOURCE) == "file" and MIRROR not in pod.metadata.annotations


def all_specs(pod: Pod) -> list[Spec]:
    """The containers of every kind."""
    return [*pod.spec.init_containers, *pod.spec.containers, *pod.spec.ephemeral_containers]


def find_spec(pod: Pod, name: str) -> Spec | None:
    """The container of that name, of any kind."""
    return next((each for each in all_specs(pod) if each.name == name), None)


class ObservedPod(msgspec.Struct, frozen=True, kw_only=True):
    """Sandboxes by attempt and containers by attempt, the newest first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ip(self) -> str:
        """The address of the newest sandbox, as long as that is alive."""
        return self.sandboxes[0].ip if self.sandboxes and self.sandboxes[0].ready else ""

    def newest(self, name: str) -> Container | None:
        return next((container for container in self.containers if container.name == name), None)

    def attempts(self, name: str) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if container.name == name)

    @property
    def running(self) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if container.state is State.RUNNING)


def observed_pod(sandboxes: list[Sandbox], containers: list[Container]) -> ObservedPod:
    return ObservedPod(
        sandboxes=tuple(sorted(sandboxes, key=lambda box: (box.attempt, box.created_at), reverse=True)),
        containers=tuple(sorted(containers, key=lambda each: (each.attempt, each.created_at), reverse=True)),
    )


def spec_hash(container: Spec) -> str:
    """Changes exactly when a running container has to be replaced: of a pod's containers only the image may change.

    Source: pkg/kubelet/container/helpers.go (HashContainer)
    """
    from hashlib import sha256

    return sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:8]


def is_sidecar(container: ContainerSpec) -> bool:
    """An init container that keeps running beside the main containers."""
    return container.restart_policy == "Always"


def is_terminal(phase: str) -> bool:
    return phase in {"Succeeded", "Failed"}


def main_container_created(pod: Pod, observed: ObservedPod) -> bool:
    return any(observed.newest(container.name) for container in pod.spec.containers)


def sandbox_changed(pod: Pod, observed: ObservedPod) -> bool:
    """Whether the pod needs a (new) sandbox.

    Source: pkg/kubelet/kuberuntime/util/util.go (PodSandboxChanged)
    """
    newest = observed.sandbox
    if newest is None or not newest.ready or sum(box.ready for box in observed.sandboxes) > 1:
        return True
    return not pod.spec.host_network and not newest.ip


def should_restart(container: ContainerSpec, pod: Pod, observed: ObservedPod) -> bool:
    """Whether a container that does not run should.

    Source: pkg/kubelet/container/helpers.go (ShouldContainerBeRestarted)
    """
    if pod.metadata.deletion_timestamp is not None:
        return False
    newest = observed.newest(container.name)
    if newest is None or newest.state is State.CREATED:
        return True
    if newest.state is State.RUNNING:
        return False
    if is_sidecar(container):
        return True
    if pod.spec.restart_policy == "Never":
        return False
    return pod.spec.restart_policy != "OnFailure" or newest.exit_code != 0
