"""Where the proxy subresource of a pod, a service or a node leads: `name`, `name:port` or `scheme:name:port` as an address.

A pod is reached at its own address; a service at a ready pod of it; a node at its kubelet, which is shown this server's client
certificate, or at any other port of its address without one. A pod that is only simulated is said to be.
Source: kubernetes pkg/registry/core/{pod,node}/strategy.go, pkg/registry/core/service/storage/storage.go (ResourceLocation)
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from kubelite.api import core_v1 as core
from kubelite.api.errors import BadRequest, NotFound, ServiceUnavailable
from kubelite.api.meta import Object
from kubelite.apiserver.interface import Registry

KUBELET_PORT = 10250
_SCHEMES = ("", "http", "https")
_PORT = re.compile(r"[0-9]{1,5}|[a-z0-9]([-a-z0-9]*[a-z0-9])?")
#: Source: kubeadm's --kubelet-preferred-address-types
_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname")
_SIMULATED = "simulated://"
T = TypeVar("T")
#: One of several, by chance.
Choose = Callable[[int], int]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`context` is there for TLS."""

    scheme: str
    host: str
    port: int
    context: ssl.SSLContext | None = None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def split_id(text: str) -> tuple[str, str, str] | None:
    """(scheme, name, port), or None.

    >>> split_id("web"), split_id("web:80"), split_id("https:web:http-alt"), split_id("ftp:web:1")
    (('', 'web', ''), ('', 'web', '80'), ('https', 'web', 'http-alt'), None)
    """
    parts = text.split(":")
    scheme, name, port = ("", *parts, "")[:3] if len(parts) < 3 else parts[:3]
    if len(parts) > 3 or scheme not in _SCHEMES or not name or (len(parts) == 2 and not port):
        return None
    return scheme, name, port


class Targets:
    """`kubelet_context` is TLS with this server's client certificate, where it has one."""

    def __init__(
        self, registry: Registry, choose: Choose, kubelet_context: Callable[[], ssl.SSLContext | None]
    ) -> None:
        self._registry = registry
        self._choose = choose
        self._kubelet_context = kubelet_context

    async def of(self, plural: str, name: str, namespace: str) -> Target:
        """Raises: BadRequest, NotFound, ServiceUnavailable."""
        kind = plural.removesuffix("s")
        if (parts := split_id(name)) is None:
            raise BadRequest(f'invalid {kind} request "{name}"')
        match plural:
            case "pods":
                return await self._pod(*parts, namespace)
            case "services":
                return await self._service(name, *parts, namespace)
            case _:
                return await self._node(name, *parts)

    async def _get(self, type_: type[Object], name: str, namespace: str = "") -> Any:
        return (await self._registry.get(self._registry.scheme.of(type_), name, namespace)).object

    # -- pods ----------------------------------------------------------------------------------------------------------

    async def _pod(self, scheme: str, name: str, port: str, namespace: str) -> Target:
        pod: core.Pod = await self._get(core.Pod, name, namespace)
        if not port:
            declared = (ports[0].container_port for each in pod.spec.containers if (ports := each.ports))
            port = str(next(declared, 443 if scheme == "https" else 80))
        if not is_global(pod.status.pod_ip):
            raise BadRequest("address not allowed")
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ServiceUnavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
        await self._check_real(pod)
        return _target(scheme, pod.status.pod_ip, int(port))

    async def _check_real(self, pod: core.Pod) -> None:
        try:
            node: core.Node = await self._get(core.Node, pod.spec.node_name)
        except NotFound:
            return
        if node.status.node_info.container_runtime_version.startswith(_SIMULATED):
            why = f"pod {pod.metadata.name} is simulated, and listens on no port"
            raise ServiceUnavailable(f"error trying to reach service: {why}")

    # -- services ------------------------------------------------------------------------------------------------------

    async def _service(self, asked: str, scheme: str, name: str, port: str, namespace: str) -> Target:
        if port.isdigit():
            service: core.Service = await self._get(core.Service, name, namespace)
            named = [each.name for each in service.spec.ports if each.port == int(port)]
            if not named:
                raise ServiceUnavailable(f'no service port {int(port)} found for service "{name}"')
            port = named[0]
        endpoints: core.Endpoints = await self._get(core.Endpoints, name, namespace)
        if not endpoints.subsets:
            raise ServiceUnavailable(f'no endpoints available for service "{name}"')
        for subset in self._turned(endpoints.subsets):
            for number in [each.port for each in subset.ports if each.name == port]:
                for address in self._turned(subset.addresses):
                    pod = await self._pod_at(address, namespace)
                    if pod is not None:
                        await self._check_real(pod)
                        return _target(scheme, address.ip, number)
        raise ServiceUnavailable(f'no endpoints available for service "{asked}"')

    async def _pod_at(self, address: core.EndpointAddress, namespace: str) -> core.Pod | None:
        """Only addresses of pods are reached: an endpoint can name any other."""
        ref = address.target_ref
        if ref is None or ref.namespace != namespace:
            return None
        try:
            pod: core.Pod = await self._get(core.Pod, ref.name, namespace)
        except NotFound:
            return None
        known = {each.ip for each in pod.status.pod_ips} | {pod.status.pod_ip}
        return pod if address.ip in known else None

    def _turned(self, values: Sequence[T]) -> Iterator[T]:
        """All of them, from one by chance on."""
        start = self._choose(len(values)) if values else 0
        yield from (values[(start + at) % len(values)] for at in range(len(values)))

    # -- nodes ---------------------------------------------------------------------------------------------------------

    async def _node(self, asked: str, scheme: str, name: str, port: str) -> Target:
        node: core.Node = await self._get(core.Node, name)
        addresses = {each.type: each.address for each in reversed(node.status.addresses)}
        host = next((addresses[type_] for type_ in _ADDRESS_TYPES if type_ in addresses), "")
        if not host:
            listed = ", ".join(_ADDRESS_TYPES)
            raise ServiceUnavailable(f"no preferred addresses found; known addresses: [{listed}]")
        serving = node.status.daemon_endpoints.kubelet_endpoint.port
        if node.status.node_info.container_runtime_version.startswith(_SIMULATED) and not serving:
            raise ServiceUnavailable(f"error trying to reach service: node {name} is simulated, and has no kubelet API")
        if not port or port == str(serving or KUBELET_PORT):
            context = self._kubelet_context() or unverified()
            return Target(scheme="https", host=host, port=serving or KUBELET_PORT, context=context)
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise BadRequest(f'invalid node request "{asked}"')
        if not is_global(host):
            raise BadRequest("address not allowed")
        return _target(scheme, host, int(port))


def _target(scheme: str, host: str, port: int) -> Target:
    context = unverified() if scheme == "https" else None
    return Target(scheme=scheme or "http", host=host, port=port, context=context)


def unverified() -> ssl.SSLContext:
    """TLS that takes any certificate: pods sign theirs themselves.

    Source: kubernetes cmd/kube-apiserver/app CreateProxyTransport
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_global(text: str) -> bool:
    """Whether a pod's or node's address may be reached: not this machine itself, nor a group of machines.

    >>> is_global("10.244.0.2"), is_global("127.0.0.1"), is_global("169.254.169.254"), is_global(""), is_global("host")
    (True, False, False, False, True)
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return bool(text) and text != "localhost"
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)
