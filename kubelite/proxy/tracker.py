"""Which Services a change concerns, and what the kubelet knows before the API does. Pure.

Holds the Services and EndpointSlices by owner ("namespace/name"), collects the owners that changed, and turns them, once, into
rules and records. `Removal`s overrule slices until these agree: a pod that is going away gets no new connection, even while
the API still calls it ready. Knows no informer, no kernel, no socket.
"""

from __future__ import annotations

from kubelite.api.core_v1 import Namespace, Service
from kubelite.api.discovery_v1 import Endpoint, EndpointSlice
from kubelite.proxy.dns import Responder
from kubelite.proxy.rules import RuleSet, compute_service
from kubelite.proxy.services import Removal, agrees, owner_of
from kubelite.proxy.zone import compute_namespace_records, compute_service_records


class Tracker:
    """Fed with (old, new) as informers tell it; `recompute` brings `rules` and the responder's zone up to date."""

    def __init__(self, responder: Responder, *, node_name: str, domain: str) -> None:
        self.rules = RuleSet()
        self._responder = responder
        self._node_name = node_name
        self._domain = domain
        self._services: dict[str, Service] = {}
        self._slices: dict[str, dict[str, EndpointSlice]] = {}
        #: address -> (owner, slice) -> its endpoint there
        self._listed: dict[str, dict[tuple[str, str], Endpoint]] = {}
        self._removals: dict[str, Removal] = {}
        self._changed: set[str] = set()

    def see_service(self, old: Service | None, new: Service | None) -> None:
        if (some := new or old) is None:
            return
        owner = f"{some.metadata.namespace}/{some.metadata.name}"
        if new:
            self._services[owner] = new
        else:
            self._services.pop(owner, None)
        self._changed.add(owner)

    def see_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for slice_, present in ((old, False), (new, True)):
            if slice_ is None:
                continue
            owner, name = owner_of(slice_), slice_.metadata.name
            self._changed.add(owner)
            slices = self._slices.setdefault(owner, {})
            if present:
                slices[name] = slice_
            else:
                slices.pop(name, None)
            if not slices:
                del self._slices[owner]
            self._index(slice_, (owner, name), present=present)
        for address in {a for s in (old, new) if s for e in s.endpoints for a in e.addresses} & self._removals.keys():
            removal = self._removals[address]
            if all(agrees(endpoint, removal) for endpoint in self._listed.get(address, {}).values()):
                self.restore(address)

    def see_namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        if some := new or old:
            records = compute_namespace_records(some.metadata.name, self._domain) if new else frozenset()
            self._responder.replace(f"namespace {some.metadata.name}", records)

    def remove(self, address: str, *, dead: bool) -> bool:
        """No traffic to `address` from now on; returns whether any Service lists it.

        While not `dead` it is treated as terminating: with no ready endpoint left, it still serves.
        """
        listed = self._listed.get(address)
        if not listed:
            return False
        uids = [e.target_ref.uid for e in listed.values() if e.target_ref]
        self._removals[address] = Removal(uids[0] if uids else "", dead)
        self._changed.update(owner for owner, _ in listed)
        return True

    def restore(self, address: str) -> None:
        """The slices alone say again whether `address` gets traffic."""
        if self._removals.pop(address, None):
            self._changed.update(owner for owner, _ in self._listed.get(address, ()))

    def recompute(self) -> None:
        """Everything that changed since the last call, into rules and records."""
        changed, self._changed = self._changed, set()
        for owner in changed:
            service = self._services.get(owner)
            slices = tuple(self._slices.get(owner, {}).values())
            if service is None:
                self.rules.replace(owner, {})
                self._responder.replace(owner, frozenset())
                continue
            self.rules.replace(owner, compute_service(service, slices, self._node_name, self._removals))
            self._responder.replace(owner, compute_service_records(service, slices, self._domain))

    def _index(self, slice_: EndpointSlice, place: tuple[str, str], *, present: bool) -> None:
        for endpoint in slice_.endpoints:
            for address in endpoint.addresses:
                places = self._listed.setdefault(address, {})
                if present:
                    places[place] = endpoint
                else:
                    places.pop(place, None)
                if not places:
                    del self._listed[address]
