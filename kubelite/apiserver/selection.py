"""Which objects a list or watch is about: label and field selectors, and the fields that each kind can be selected by.

Pure. Source: k8s.io/kubernetes pkg/apis/*/v1/conversion.go (field labels) and pkg/registry/*/*/strategy.go (their values)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from kubelite.api.custom import CustomObject
from kubelite.api.errors import BadRequest
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.api.selectors import FieldSelector, LabelSelector, parse_field_selector, parse_label_selector
from kubelite.apiserver.custom_strategy import selectable_fields
from kubelite.apiserver.entries import EntryCache
from kubelite.apiserver.interface import Change, ListParams
from kubelite.store.store import Event

_Field = Callable[[Any], str]


def _flag(value: bool) -> str:
    return "true" if value else "false"


_REFERENCE_FIELDS = {
    "kind": "kind",
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "apiVersion": "api_version",
    "resourceVersion": "resource_version",
    "fieldPath": "field_path",
}


def _reference(prefix: str, attribute: str) -> dict[str, _Field]:
    def field(name: str) -> _Field:
        return lambda obj: str(getattr(getattr(obj, attribute), name))

    return {f"{prefix}.{wire}": field(name) for wire, name in _REFERENCE_FIELDS.items()}


_COMMON: dict[str, _Field] = {
    "metadata.name": lambda obj: str(obj.metadata.name),
    "metadata.namespace": lambda obj: str(obj.metadata.namespace),
}

#: What kinds can be selected by, beside name and namespace.
_FIELDS: dict[str, dict[str, _Field]] = {
    "pods": {
        "spec.nodeName": lambda pod: str(pod.spec.node_name),
        "spec.restartPolicy": lambda pod: str(pod.spec.restart_policy),
        "spec.schedulerName": lambda pod: str(pod.spec.scheduler_name),
        "spec.serviceAccountName": lambda pod: str(pod.spec.service_account_name),
        "spec.hostNetwork": lambda pod: _flag(pod.spec.host_network),
        "status.phase": lambda pod: str(pod.status.phase),
        "status.podIP": lambda pod: str(pod.status.pod_ip),
        "status.podIPs": lambda pod: str(pod.status.pod_ip),
        "status.nominatedNodeName": lambda pod: str(pod.status.nominated_node_name),
    },
    "events": {
        **_reference("involvedObject", "involved_object"),
        "reason": lambda event: str(event.reason),
        "reportingComponent": lambda event: str(event.reporting_component),
        "source": lambda event: str(event.source.component or event.reporting_component),
        "type": lambda event: str(event.type),
    },
    "events.events.k8s.io": {
        **_reference("regarding", "regarding"),
        "reason": lambda event: str(event.reason),
        "reportingController": lambda event: str(event.reporting_controller),
        "type": lambda event: str(event.type),
    },
    "nodes": {"spec.unschedulable": lambda node: _flag(node.spec.unschedulable)},
    "namespaces": {"status.phase": lambda namespace: str(namespace.status.phase)},
    "secrets": {"type": lambda secret: str(secret.type)},
    "services": {
        "spec.clusterIP": lambda service: str(service.spec.cluster_ip),
        "spec.type": lambda service: str(service.spec.type),
    },
    "replicationcontrollers": {"status.replicas": lambda obj: str(obj.status.replicas)},
    "replicasets.apps": {"status.replicas": lambda obj: str(obj.status.replicas)},
    "jobs.batch": {"status.successful": lambda job: str(job.status.succeeded)},
    "certificatesigningrequests.certificates.k8s.io": {"spec.signerName": lambda csr: str(csr.spec.signer_name)},
}


class Selection(msgspec.Struct, frozen=True):
    """The objects asked for. `name` is set when only one object can match, so that it can be looked up."""

    labels: LabelSelector | None
    fields: tuple[tuple[_Field, str, bool], ...]
    name: str = ""

    @property
    def everything(self) -> bool:
        return self.labels is None and not self.fields

    def matches(self, obj: Object) -> bool:
        for field, value, equal in self.fields:
            if (field(obj) == value) != equal:
                return False
        return self.labels is None or self.labels.matches(obj.metadata.labels)


def parse_selection(resource: Resource, params: ListParams) -> Selection:
    """Raises: BadRequest, when a selector cannot be parsed or the kind cannot be selected by its field."""
    labels = parse_label_selector(params.label_selector) if params.label_selector else None
    selector = parse_field_selector(params.field_selector) if params.field_selector else None
    return Selection(labels, *_fields(resource, selector))


def _fields(resource: Resource, selector: FieldSelector | None) -> tuple[tuple[tuple[_Field, str, bool], ...], str]:
    if selector is None:
        return (), ""
    is_custom = issubclass(resource.type, CustomObject)
    own: Mapping[str, _Field] = selectable_fields(resource.type) or _FIELDS.get(resource.group_resource, {})
    found: list[tuple[_Field, str, bool]] = []
    name = ""
    for term in selector.terms:
        field = _COMMON.get(term.key) or own.get(term.key)
        if field is None and (own or is_custom):
            raise BadRequest(f"field label not supported: {term.key}")
        if field is None:
            known = 'only "metadata.name", "metadata.namespace"'
            raise BadRequest(f'"{term.key}" is not a known field selector: {known}')
        found.append((field, term.value, term.equal))
        if term.key == "metadata.name" and term.equal:
            name = term.value
    return tuple(found), name


def select_changes(
    store_events: Sequence[Event], resource: Resource, selection: Selection, entries: EntryCache
) -> Sequence[Change]:
    """The store's events as the watcher sees them: an object that starts or stops matching is added or deleted."""
    if selection.everything:
        return entries.changes(resource, store_events)
    changes: list[Change] = []
    for event in store_events:
        record, prev = event.record, event.prev
        now = entries.of(resource, record) if record else None
        matches = now is not None and selection.matches(now.object)
        matched = prev is not None and selection.matches(entries.of(resource, prev).object)
        if now is not None and matches:
            changes.append(Change("MODIFIED" if matched else "ADDED", now))
        elif prev is not None and matched:
            changes.append(Change("DELETED", entries.before(resource, prev, event.revision)))
    return changes
