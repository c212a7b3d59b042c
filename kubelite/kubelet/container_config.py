"""A container of a pod as the runtime is told of it: command, user, capabilities, labels. Pure.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go, labels.go, security_context.go, pkg/securitycontext/util.go
"""

from __future__ import annotations

from kubelite.api.core_v1 import (
    Capabilities,
    Pod,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext as SecuritySpec,
)
from kubelite.kubelet.env import ConfigFailed, expand
from kubelite.kubelet.hosts_file import kernel_hostname
from kubelite.kubelet.observed import HASH_ANNOTATION, Spec, all_specs, spec_hash
from kubelite.kubelet.qos import container_resources
from kubelite.kubelet.runtime import ContainerConfig, Image, Mount, PodSandboxConfig, SecurityContext

MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"
#: kubectl's copy of the manifest: large, and nobody asks the runtime for it.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def pod_ref(pod: Pod) -> str:
    """How messages name a pod: name_namespace(uid)."""
    meta = pod.metadata
    return f"{meta.name}_{meta.namespace}({meta.uid})"


def sandbox_config(
    pod: Pod, *, attempt: int, ip: str, cluster_domain: str, runtime_handler: str, cgroup_parent: str
) -> PodSandboxConfig:
    """Raises: ConfigFailed."""
    spec, security = pod.spec, pod.spec.security_context or PodSecurityContext()
    try:
        hostname = kernel_hostname(pod, cluster_domain)
    except ValueError as error:
        raise ConfigFailed(str(error)) from error
    return PodSandboxConfig(
        uid=pod.metadata.uid,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        attempt=attempt,
        hostname=hostname,
        ip=ip,
        host_network=spec.host_network,
        host_pid=spec.host_pid,
        host_ipc=spec.host_ipc,
        share_process_namespace=bool(spec.share_process_namespace),
        sysctls={each.name.replace("/", "."): each.value for each in security.sysctls},
        runtime_handler=runtime_handler,
        cgroup_parent=cgroup_parent,
        labels=dict(pod.metadata.labels),
        annotations={name: text for name, text in pod.metadata.annotations.items() if name != _LAST_APPLIED},
    )


def container_config(
    pod: Pod,
    spec: Spec,
    *,
    attempt: int,
    image: Image,
    env: dict[str, str],
    mounts: tuple[Mount, ...],
    seccomp_text: str,
    target_id: str,
    node_memory_bytes: int,
) -> ContainerConfig:
    """`seccomp_text` is the profile's JSON if the container asks for one of the node's; `target_id` as the runtime has it.

    Raises: ConfigFailed.
    """
    grace = pod.spec.termination_grace_period_seconds
    return ContainerConfig(
        name=spec.name,
        attempt=attempt,
        image=spec.image,
        image_ref=image.id,
        command=tuple(expand(part, env) for part in spec.command) or None,
        args=tuple(expand(part, env) for part in spec.args) or None,
        working_dir=spec.working_dir,
        env=tuple(env.items()),
        mounts=mounts,
        resources=container_resources(pod, spec, node_memory_bytes=node_memory_bytes),
        security=_security(pod, spec, image, seccomp_text),
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        stop_signal=(spec.lifecycle.stop_signal or "") if spec.lifecycle else "",
        target_id=target_id,
        annotations={
            HASH_ANNOTATION: spec_hash(spec),
            MESSAGE_PATH: spec.termination_message_path,
            MESSAGE_POLICY: spec.termination_message_policy,
            **({GRACE_PERIOD: str(grace)} if grace is not None else {}),
        },
    )


def seccomp_profile(pod: Pod, spec: Spec) -> SeccompProfile | None:
    """The container's profile, or the pod's."""
    own = spec.security_context.seccomp_profile if spec.security_context else None
    return own or (pod.spec.security_context.seccomp_profile if pod.spec.security_context else None)


def _security(pod: Pod, spec: Spec, image: Image, seccomp_text: str) -> SecurityContext:
    shared = pod.spec.security_context or PodSecurityContext()
    own = spec.security_context or SecuritySpec()
    user = own.run_as_user if own.run_as_user is not None else shared.run_as_user
    group = own.run_as_group if own.run_as_group is not None else shared.run_as_group
    if own.run_as_non_root if own.run_as_non_root is not None else shared.run_as_non_root:
        _check_non_root(pod, spec, user, image.user)
    groups = shared.supplemental_groups
    if shared.fs_group is not None:
        groups = (*groups, shared.fs_group)
    capabilities = own.capabilities or Capabilities()
    profile = seccomp_profile(pod, spec)
    privileged = bool(own.privileged)
    seccomp = "unconfined"
    if profile is not None and not privileged:
        seccomp = {"RuntimeDefault": "runtime/default", "Localhost": seccomp_text}.get(profile.type, "unconfined")
    return SecurityContext(
        run_as_user=user,
        run_as_group=group,
        supplemental_groups=tuple(dict.fromkeys(groups)),
        privileged=privileged,
        readonly_rootfs=bool(own.read_only_root_filesystem),
        no_new_privileges=own.allow_privilege_escalation is False,
        add_capabilities=capabilities.add,
        drop_capabilities=capabilities.drop,
        seccomp=seccomp,
        unmasked_proc=own.proc_mount == "Unmasked",
    )


def _check_non_root(pod: Pod, spec: Spec, user: int | None, image_user: str) -> None:
    where = f'(pod: "{pod_ref(pod)}", container: {spec.name})'
    if user is not None:
        if user == 0:
            raise ConfigFailed(f"container's runAsUser breaks non-root policy {where}")
        return
    name = image_user.partition(":")[0]
    if name in {"", "0", "root"}:
        if name == "root":
            raise ConfigFailed(
                f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root "
                f"{where}"
            )
        raise ConfigFailed(f"container has runAsNonRoot and image will run as root {where}")
    if not name.isdigit():
        raise ConfigFailed(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {where}"
        )


def references(pod: Pod) -> frozenset[tuple[str, str]]:
    """The ConfigMaps and Secrets whose change concerns the pod, as (kind, name)."""
    found: set[tuple[str, str]] = set()
    spec = pod.spec
    for container in all_specs(pod):
        for variable in container.env:
            source = variable.value_from
            if source and source.config_map_key_ref:
                found.add(("ConfigMap", source.config_map_key_ref.name))
            if source and source.secret_key_ref:
                found.add(("Secret", source.secret_key_ref.name))
        for each in container.env_from:
            if each.config_map_ref:
                found.add(("ConfigMap", each.config_map_ref.name))
            if each.secret_ref:
                found.add(("Secret", each.secret_ref.name))
    for volume in spec.volumes:
        if volume.config_map:
            found.add(("ConfigMap", volume.config_map.name))
        if volume.secret:
            found.add(("Secret", volume.secret.secret_name))
        for projection in volume.projected.sources if volume.projected else ():
            if projection.config_map:
                found.add(("ConfigMap", projection.config_map.name))
            if projection.secret:
                found.add(("Secret", projection.secret.name))
    return frozenset(found)
