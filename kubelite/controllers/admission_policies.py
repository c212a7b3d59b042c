"""Tells of each ValidatingAdmissionPolicy that its present state was looked at. Types are not checked against schemas.

Called by `client/host` per policy. Source: k8s.io/kubernetes pkg/controller/validatingadmissionpolicystatus
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.admissionregistration_v1 import TypeChecking, ValidatingAdmissionPolicy as Policy
from kubelite.api.meta import Object
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch


def _keys(view: View, old: Policy | None, new: Policy | None) -> Iterable[Key]:
    if new is not None:
        yield new.metadata.name


class AdmissionPolicyStatus:
    name = "validatingadmissionpolicy-status-controller"
    watches = (Watch(Policy, _keys),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        policy = view.get(Policy, key)
        if policy is None or policy.status.observed_generation == policy.metadata.generation:
            return Plan()
        status = replace(policy.status, observed_generation=policy.metadata.generation, type_checking=TypeChecking())
        return Plan(writes=(Update(replace(policy, status=status), subresource="status"),))
