"""The engine's request for a sandbox and for a container of it. Pure: values in, the JSON body out.

The namespaces of a pod are its sandbox's: containers join them. What the host's kernel refuses without CAP_SYS_RESOURCE
(negative OOM scores, a full capability set) is asked for in the nearest form that it grants.
Source: https://docs.docker.com/reference/api/engine/ (ContainerCreate), capabilities(7), upstream's dockershim
"""

from __future__ import annotations

from typing import Any

from kubelite.kubelet import docker_state as names
from kubelite.kubelet.runtime import ContainerConfig, PodSandboxConfig, Resources, Sandbox, SecurityContext

#: The engine refuses less. Source: moby daemon/daemon_unix.go (linuxMinMemory)
_MIN_MEMORY_BYTES = 6 * 1024 * 1024
#: Source: moby daemon/daemon_unix.go (linuxMinCPUShares), kernel's smallest quota
_MIN_CPU_SHARES, _MIN_CPU_QUOTA_US = 2, 1000
#: As upstream protects sandboxes; clamped where the kernel refuses.
_SANDBOX_OOM_SCORE_ADJ = -998


def container_name(name: str, *, pod: str, namespace: str, uid: str, attempt: int, instance: str) -> str:
    """As upstream named them; the instance at the end, because a copied data directory has the same pods."""
    return f"k8s_{name}_{pod}_{namespace}_{uid}_{attempt}_{instance}"


def sandbox_request(
    config: PodSandboxConfig, *, instance: str, image: str, cgroup_parent: str, restricted: bool
) -> dict[str, Any]:
    """`restricted`: the engine has no CAP_SYS_RESOURCE."""
    labels = _labels(config, config.uid, config.namespace, config.name, config.attempt, instance)
    labels |= {names.CONTAINER_NAME: names.SANDBOX_NAME, names.POD_IP: config.ip}
    if config.share_process_namespace:
        labels[names.SHARES_PIDS] = "true"
    host: dict[str, Any] = {
        "IpcMode": "host" if config.host_ipc else "shareable",
        "PidMode": "host" if config.host_pid else "",
        "ShmSize": 64 * 1024 * 1024,
        "LogConfig": {"Type": "none"},
        "SecurityOpt": ["seccomp=unconfined", "no-new-privileges"],
        "CgroupParent": cgroup_parent,
        "Sysctls": dict(config.sysctls),
        "OomScoreAdj": 0 if restricted else _SANDBOX_OOM_SCORE_ADJ,
        "CpuShares": _MIN_CPU_SHARES,
    }
    if config.runtime_handler:
        host["Runtime"] = config.runtime_handler
    request: dict[str, Any] = {"Image": image, "Labels": labels, "HostConfig": host}
    if config.host_network:
        return request | {"HostConfig": host | {"NetworkMode": "host"}}
    # Not a mode of the engine's networks: their setup costs more than the rest of the start.
    return request | {"NetworkDisabled": True, "Hostname": config.hostname}


def container_request(
    sandbox: Sandbox,
    config: ContainerConfig,
    *,
    instance: str,
    cgroup_parent: str,
    pid_mode: str,
    runtime: str,
    restricted: bool,
) -> dict[str, Any]:
    """`pid_mode` is the engine's: empty for a namespace of its own; `runtime` is the sandbox's."""
    joined = f"container:{sandbox.id}"
    labels = _labels(config, sandbox.uid, sandbox.namespace, sandbox.name, config.attempt, instance)
    labels |= {names.CONTAINER_NAME: config.name, names.SANDBOX_ID: sandbox.id, names.IMAGE: config.image}
    mounts = [
        {
            "Type": "bind",
            "Source": mount.host_path,
            "Target": mount.container_path,
            "ReadOnly": mount.readonly,
            "BindOptions": {"Propagation": mount.propagation},
        }
        for mount in config.mounts
    ]
    host: dict[str, Any] = {
        "NetworkMode": joined,
        "IpcMode": joined,
        "PidMode": pid_mode,
        "CgroupParent": cgroup_parent,
        "Runtime": runtime,
        "Mounts": mounts,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}},
        "OomScoreAdj": max(0, config.resources.oom_score_adj) if restricted else config.resources.oom_score_adj,
        **resources_request(config.resources),
        **_security(config.security, restricted=restricted),
    }
    if config.security.privileged and restricted:
        # The engine's own privileged mode would give the host's devices; /dev and /sys must come as mounts instead.
        present = {mount["Target"] for mount in mounts}
        missing = [path for path in ("/dev", "/sys") if path not in present]
        mounts += [{"Type": "bind", "Source": path, "Target": path} for path in missing]
    return {
        "Image": config.image_ref or config.image,
        "Entrypoint": list(config.command) if config.command else None,
        "Cmd": list(config.args) if config.args else None,
        "WorkingDir": config.working_dir,
        "Env": [f"{name}={value}" for name, value in config.env],
        "User": _user(config.security),
        "Tty": config.tty,
        "OpenStdin": config.stdin,
        "StdinOnce": config.stdin_once,
        "StopSignal": config.stop_signal,
        "Healthcheck": {
            "Test": ["NONE"]
        },  # Kubernetes knows probes only; the image's own check would cost an exec each
        "Labels": labels,
        "HostConfig": host,
    }


def resources_request(resources: Resources) -> dict[str, Any]:
    """Also the body of an update. MemorySwap equals Memory: otherwise the engine allows as much swap again."""
    request: dict[str, Any] = {"CpuPeriod": resources.cpu_period_us}
    request["CpuShares"] = max(_MIN_CPU_SHARES, resources.cpu_shares) if resources.cpu_shares else 0
    if resources.cpu_quota_us > 0:
        request["CpuQuota"] = max(_MIN_CPU_QUOTA_US, resources.cpu_quota_us)
    if resources.memory_limit_bytes > 0:
        request["Memory"] = request["MemorySwap"] = max(_MIN_MEMORY_BYTES, resources.memory_limit_bytes)
    if resources.pids_limit > 0:
        request["PidsLimit"] = resources.pids_limit
    return request


def _labels(
    config: PodSandboxConfig | ContainerConfig, uid: str, namespace: str, name: str, attempt: int, instance: str
) -> dict[str, str]:
    labels = dict(config.labels) | {names.ANNOTATION + key: value for key, value in config.annotations.items()}
    own = {names.INSTANCE: instance, names.POD_UID: uid, names.POD_NAMESPACE: namespace, names.POD_NAME: name}
    return labels | own | {names.ATTEMPT: str(attempt)}


def _user(security: SecurityContext) -> str:
    user = "" if security.run_as_user is None else str(security.run_as_user)
    return user if security.run_as_group is None else f"{user}:{security.run_as_group}"


def _security(security: SecurityContext, *, restricted: bool) -> dict[str, Any]:
    options = [] if security.seccomp == "runtime/default" else [f"seccomp={security.seccomp}"]
    if security.no_new_privileges:
        options.append("no-new-privileges")
    request: dict[str, Any] = {
        "GroupAdd": [str(group) for group in security.supplemental_groups],
        "ReadonlyRootfs": security.readonly_rootfs,
        "CapAdd": list(security.add_capabilities),
        "CapDrop": list(security.drop_capabilities),
    }
    if security.privileged and restricted:
        options = ["seccomp=unconfined", "apparmor=unconfined"]
        request |= {"CapAdd": ["ALL"], "CapDrop": [], "DeviceCgroupRules": ["a *:* rwm"]}
    elif security.privileged:
        request["Privileged"] = True
    if security.unmasked_proc or (security.privileged and restricted):
        request |= {"MaskedPaths": [], "ReadonlyPaths": []}
    if restricted:
        request["CapDrop"] += ["SYS_RESOURCE"]
    return request | {"SecurityOpt": options}
