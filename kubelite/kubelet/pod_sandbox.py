"""Makes the sandbox of a pod: its address, hostname, runtime and cgroup. What fails is taken down again and told.

Source: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go (createPodSandbox)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kubelite.api.core_v1 import Pod
from kubelite.api.node_v1 import RuntimeClass
from kubelite.client.view import View
from kubelite.kubelet.container_config import sandbox_config
from kubelite.kubelet.env import ConfigFailed
from kubelite.kubelet.runtime import RuntimeFailed, Sandbox

if TYPE_CHECKING:
    from kubelite.kubelet.pod_worker import PodWorker


async def make_sandbox(worker: PodWorker, attempt: int) -> Sandbox | None:
    """None when it could not be made. Raises: RuntimeFailed when what is left of it cannot be removed."""
    pod, parts = worker.pod, worker.parts
    try:
        if not pod.spec.host_network and not worker.ip:
            worker.ip = parts.addresses.allocate()
        config = sandbox_config(
            pod,
            attempt=attempt,
            ip=worker.ip,
            cluster_domain=parts.cluster_domain,
            runtime_handler=_runtime_handler(pod, parts.view),
            cgroup_parent=parts.storage.cgroup_parent(pod),
        )
        with anyio.CancelScope(shield=True):
            sandbox = await parts.runtime.run_pod_sandbox(config)
    except (RuntimeFailed, ConfigFailed) as error:
        parts.report(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
        for left in (await worker.observe(fresh=True)).sandboxes:
            if left.attempt == attempt:
                await parts.runtime.remove_pod_sandbox(left.id)
        worker.release_ip()
        return None
    return sandbox


def _runtime_handler(pod: Pod, view: View) -> str:
    """Raises: ConfigFailed."""
    name = pod.spec.runtime_class_name
    if not name:
        return ""
    found = view.get(RuntimeClass, name)
    if found is None:
        raise ConfigFailed(f'runtimeclass.node.k8s.io "{name}" not found')
    return found.handler
