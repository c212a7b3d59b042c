"""A policy's status follows its generation."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.admissionregistration_v1 import ValidatingAdmissionPolicy
from kubelite.api.meta import ObjectMeta
from kubelite.controllers.admission_policies import AdmissionPolicyStatus
from tests.controllers.cluster import Cluster


def test_a_policy_is_told_that_its_present_state_was_looked_at() -> None:
    made = Cluster(AdmissionPolicyStatus())
    policy = made.put(ValidatingAdmissionPolicy(metadata=ObjectMeta(name="p", generation=3)))
    made.converge()
    found = made.view.get(ValidatingAdmissionPolicy, "p")
    assert found is not None
    assert found.status.observed_generation == 3
    assert found.status.type_checking is not None
    made.put(replace(found, metadata=replace(found.metadata, generation=4)))
    made.converge()
    again = made.view.get(ValidatingAdmissionPolicy, "p")
    assert again is not None
    assert again.status.observed_generation == 4
    assert policy.metadata.name == "p"
