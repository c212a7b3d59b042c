"""ComponentStatus: whether the controller manager, the scheduler and the store are well. Computed when asked.

All of them live in this process or answer to it, so they are well while it answers; the store says so itself.
Implements `interface.Computed`. Source: kubernetes pkg/registry/core/componentstatus/rest.go
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubelite.api import codec, core_v1 as core, errors
from kubelite.api.meta import ObjectMeta
from kubelite.api.scheme import Resource, Scheme
from kubelite.apiserver.interface import Entry, ListParams, Page
from kubelite.apiserver.selection import parse_selection

#: What each says that is well. Source: the health checks of kube-apiserver's storage and of the components
_WELL = {"controller-manager": "ok", "scheduler": "ok", "etcd-0": "ok"}


class ComponentStatuses:
    def __init__(self, scheme: Scheme) -> None:
        self._resource = scheme.of(core.ComponentStatus)

    @property
    def resources(self) -> Sequence[Resource]:
        return (self._resource,)

    async def get(self, resource: Resource, name: str, namespace: str) -> Entry:
        """Raises: NotFound."""
        for entry in self._entries():
            if entry.object.metadata.name == name:
                return entry
        raise errors.not_found("", "componentstatuses", name)

    async def list(self, resource: Resource, namespace: str, params: ListParams) -> Page:
        selection = parse_selection(resource, params)
        return Page(tuple(entry for entry in self._entries() if selection.matches(entry.object)), 0)

    def _entries(self) -> Iterator[Entry]:
        for name, message in _WELL.items():
            healthy = core.ComponentCondition(type="Healthy", status="True", message=message)
            status = core.ComponentStatus(metadata=ObjectMeta(name=name), conditions=(healthy,))
            yield Entry(self._resource, codec.encode_stored(status), 0, status)
