"""What the cluster's policy does to a request before it is validated: default, complete, refuse.

Plugins run in upstream's order; each sees the object that the one before returned. They look other objects up, and never write.
Source: k8s.io/kubernetes pkg/kubeapiserver/options/plugins.go (order), plugin/pkg/admission/*,
k8s.io/apiserver pkg/admission/plugin/namespace/lifecycle
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import anyio
import msgspec
from msgspec.structs import replace

from kubelite.api import core_v1 as core, scheduling_v1 as scheduling
from kubelite.api.errors import Forbidden, StatusError, details, forbidden, not_found
from kubelite.api.meta import Object, StatusCause
from kubelite.api.scheme import Resource, Scheme
from kubelite.apiserver.interface import Change, Context, Entry, ListParams, User, WatchHandle, WatchSink

#: Namespaces that must not go.
IMMORTAL = ("default", "kube-system", "kube-public")
#: What may be created anywhere, as no namespace is asked for permission.
_REVIEWS = ("localsubjectaccessreviews",)
_TOLERATION_S = 300
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_S = 3607
#: How long a pod waits for the default account of its namespace. Source: kubernetes plugin/pkg/admission/serviceaccount
_ACCOUNT_S = 1.5


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is about."""

    resource: Resource
    namespace: str
    name: str
    operation: Literal["CREATE", "UPDATE", "DELETE"]
    subresource: str = ""
    user: User
    dry_run: bool = False
    warnings: list[str] = msgspec.field(default_factory=list)  #: for the client, whatever comes of the request
    annotations: dict[str, str] | None = None  #: for the audit log, if there is one

    def annotate(self, key: str, value: str) -> None:
        if self.annotations is not None:
            self.annotations[key] = value

    def refusal(self, why: str) -> Forbidden:
        return forbidden(self.resource.group, self.resource.plural, self.name, why)


class Finder(Protocol):
    """The present state of the cluster."""

    async def find(self, type_: type[Object], name: str, namespace: str = "") -> Any | None: ...
    async def find_all(self, type_: type[Object], namespace: str = "") -> list[Any]: ...


class Cluster(Finder, Protocol):
    """The state as validators have it, who may also note what they have allowed."""

    @property
    def scheme(self) -> Scheme: ...
    async def modify(
        self, resource: Resource, name: str, namespace: str, change: Callable[[Any], Any], ctx: Context
    ) -> Entry: ...


@runtime_checkable
class Watchable(Finder, Protocol):
    """The state, and how it goes on."""

    @property
    def scheme(self) -> Scheme: ...
    def watch(self, resource: Resource, namespace: str, params: ListParams, sink: WatchSink) -> WatchHandle: ...


@runtime_checkable
class Versions(Protocol):
    """The kinds, and their objects in each version."""

    @property
    def scheme(self) -> Scheme: ...
    async def convert(self, obj: Any, resource: Resource) -> Any:
        """`obj` in the version of `resource`. Raises: StatusError."""


class Plugin(Protocol):
    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        """The object to go on with (None for DELETE). Raises: StatusError, usually Forbidden."""


class Validator(Protocol):
    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Looks at the object as it would be written (None for DELETE). Raises: StatusError, usually Forbidden."""


class Admission:
    """A chain of plugins before the object is validated, and one of validators after that."""

    def __init__(self, plugins: Sequence[Plugin], validators: Sequence[Validator] = ()) -> None:
        self._plugins = tuple(plugins)
        self._validators = tuple(validators)

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        for plugin in self._plugins:
            obj = await plugin.admit(attributes, obj, old, finder)
        return obj

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        for validator in self._validators:
            await validator.validate(attributes, obj, old, cluster)


class NamespaceLifecycle:
    """Nothing is created in a namespace that is missing or going; some namespaces do not go."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.operation == "DELETE" and attributes.resource.type is core.Namespace:
            if attributes.name in IMMORTAL:
                raise attributes.refusal("this namespace may not be deleted")
            return obj
        if attributes.operation != "CREATE" or not attributes.resource.namespaced:
            return obj
        if attributes.resource.plural in _REVIEWS:
            return obj
        namespace = await finder.find(core.Namespace, attributes.namespace)
        if namespace is None:
            raise not_found("", "namespaces", attributes.namespace)
        if namespace.metadata.deletion_timestamp is not None or namespace.status.phase == "Terminating":
            raise self._terminating(attributes)
        return obj

    def _terminating(self, attributes: Attributes) -> StatusError:
        name = attributes.namespace
        error = attributes.refusal(f"unable to create new content in namespace {name} because it is being terminated")
        text = f"namespace {name} is being terminated"
        cause = StatusCause(reason="NamespaceTerminating", message=text, field="metadata.namespace")
        about = details(attributes.resource.group, attributes.resource.plural, attributes.name)
        return Forbidden(error.message, replace(about, causes=(cause,)))


def _creates_pod(attributes: Attributes) -> bool:
    return attributes.resource.type is core.Pod and attributes.operation == "CREATE" and not attributes.subresource


class ServiceAccounts:
    """Every pod runs as a service account, which must exist. With `token_suffix`, which draws the random part of the volume's

    name, the account's token is mounted into every container that does not bring its own.
    """

    def __init__(self, token_suffix: Callable[[], str] | None = None) -> None:
        self._token_suffix = token_suffix

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if not _creates_pod(attributes):
            return obj
        pod: core.Pod = obj
        if "kubernetes.io/config.mirror" in pod.metadata.annotations:
            return obj
        name = pod.spec.service_account_name or "default"
        account = await finder.find(core.ServiceAccount, name, attributes.namespace)
        if account is None and name == "default" and isinstance(finder, Watchable):
            account = await _default_account(finder, attributes.namespace)
        if account is None:
            who = f"{attributes.namespace}/{name}"
            raise attributes.refusal(f'error looking up service account {who}: serviceaccount "{name}" not found')
        spec = pod.spec
        if spec.service_account_name != name or spec.service_account != name:
            spec = replace(spec, service_account_name=name, service_account=name)
        if account.image_pull_secrets and not spec.image_pull_secrets:
            spec = replace(spec, image_pull_secrets=account.image_pull_secrets)
        if self._token_suffix is not None and _wants_token(account, spec):
            spec = with_token(spec, f"kube-api-access-{self._token_suffix()}")
        return pod if spec is pod.spec else replace(pod, spec=spec)


class _Appearance:
    """The end of a watch at which an object appears."""

    def __init__(self) -> None:
        self.event = anyio.Event()

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        if any(change.type != "DELETED" for change in changes):
            self.event.set()

    def lost(self, error: Exception) -> None:
        self.event.set()


async def _default_account(finder: Watchable, namespace: str) -> core.ServiceAccount | None:
    """The account that a new namespace is about to get: waits a while for it."""
    appearance, params = _Appearance(), ListParams(field_selector="metadata.name=default")
    handle = finder.watch(finder.scheme.of(core.ServiceAccount), namespace, params, appearance)
    try:
        with anyio.move_on_after(_ACCOUNT_S):
            await appearance.event.wait()
    finally:
        handle.close()
    found: core.ServiceAccount | None = await finder.find(core.ServiceAccount, "default", namespace)
    return found


def _wants_token(account: core.ServiceAccount, spec: core.PodSpec) -> bool:
    if spec.automount_service_account_token is not None:
        return spec.automount_service_account_token
    return account.automount_service_account_token is not False


def with_token(spec: core.PodSpec, volume_name: str) -> core.PodSpec:
    """Mounts token, CA and namespace where client libraries look for them, unless something is mounted there."""
    mount = core.VolumeMount(name=volume_name, read_only=True, mount_path=_TOKEN_PATH)

    def mounted(containers: tuple[core.Container, ...]) -> tuple[core.Container, ...]:
        return tuple(
            item
            if any(existing.mount_path == _TOKEN_PATH for existing in item.volume_mounts)
            else replace(item, volume_mounts=(*item.volume_mounts, mount))
            for item in containers
        )

    containers, init_containers = mounted(spec.containers), mounted(spec.init_containers)
    if containers == spec.containers and init_containers == spec.init_containers:
        return spec
    namespace = core.ObjectFieldSelector(api_version="v1", field_path="metadata.namespace")
    sources = (
        core.VolumeProjection(
            service_account_token=core.ServiceAccountTokenProjection(path="token", expiration_seconds=_TOKEN_S)
        ),
        core.VolumeProjection(
            config_map=core.ConfigMapProjection(
                name="kube-root-ca.crt", items=(core.KeyToPath(key="ca.crt", path="ca.crt"),)
            )
        ),
        core.VolumeProjection(
            downward_api=core.DownwardAPIProjection(
                items=(core.DownwardAPIVolumeFile(path="namespace", field_ref=namespace),)
            )
        ),
    )
    volume = core.Volume(name=volume_name, projected=core.ProjectedVolumeSource(sources=sources, default_mode=0o644))
    return replace(spec, containers=containers, init_containers=init_containers, volumes=(*spec.volumes, volume))


class Priority:
    """Resolves a pod's priority class; keeps the default class unique."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.resource.type is scheduling.PriorityClass:
            await self._only_default(attributes, obj, finder)
            return obj
        if not _creates_pod(attributes):
            return obj
        pod: core.Pod = obj
        spec = pod.spec
        chosen: scheduling.PriorityClass | None
        if spec.priority_class_name:
            chosen = await finder.find(scheduling.PriorityClass, spec.priority_class_name)
            if chosen is None:
                why = f"no PriorityClass with name {spec.priority_class_name} was found"
                raise attributes.refusal(why)
        else:
            chosen = await self._default(finder)
        value = chosen.value if chosen else 0
        policy = (chosen.preemption_policy if chosen else None) or "PreemptLowerPriority"
        if spec.priority is not None and spec.priority != value:
            why = (
                f"the integer value of priority ({spec.priority}) must not be provided in pod spec; priority admission "
            )
            raise attributes.refusal(why + f"controller computed {value} from the given PriorityClass name")
        if spec.preemption_policy is not None and spec.preemption_policy != policy:
            why = f"the string value of PreemptionPolicy ({spec.preemption_policy}) must not be provided in pod spec; "
            raise attributes.refusal(
                why + f"priority admission controller computed {policy} from the given PriorityClass name"
            )
        name = chosen.metadata.name if chosen else ""
        return replace(pod, spec=replace(spec, priority=value, priority_class_name=name, preemption_policy=policy))

    async def _default(self, finder: Finder) -> scheduling.PriorityClass | None:
        classes = [item for item in await finder.find_all(scheduling.PriorityClass) if item.global_default]
        return min(classes, key=lambda item: item.value) if classes else None

    async def _only_default(self, attributes: Attributes, obj: Any, finder: Finder) -> None:
        if obj is None or not obj.global_default:
            return
        for other in await finder.find_all(scheduling.PriorityClass):
            if other.global_default and other.metadata.name != obj.metadata.name:
                why = f"PriorityClass {other.metadata.name} is already marked as default. Only one default can exist"
                raise attributes.refusal(why)


class DefaultTolerationSeconds:
    """Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if not _creates_pod(attributes):
            return obj
        pod: core.Pod = obj
        added = tuple(
            core.Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=_TOLERATION_S)
            for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
            if not any(_tolerates(item, key) for item in pod.spec.tolerations)
        )
        if not added:
            return pod
        return replace(pod, spec=replace(pod.spec, tolerations=pod.spec.tolerations + added))


def _tolerates(toleration: core.Toleration, key: str) -> bool:
    return toleration.key in (key, "") and toleration.effect in ("NoExecute", "")
