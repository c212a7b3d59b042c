"""What admission webhook configurations and policies say that leave something out. Pure.

Source: k8s.io/kubernetes pkg/apis/admissionregistration/v1/defaults.go
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.meta import LabelSelector


def default_webhooks(configuration: Any) -> Any:
    """A webhook configuration with every default."""
    return replace(configuration, webhooks=tuple(_with_defaults(hook) for hook in configuration.webhooks))


def default_policy(policy: registration.ValidatingAdmissionPolicy) -> registration.ValidatingAdmissionPolicy:
    spec = policy.spec
    matched = _default_resources(spec.match_constraints) if spec.match_constraints is not None else None
    return replace(policy, spec=replace(spec, failure_policy=spec.failure_policy or "Fail", match_constraints=matched))


def default_binding(
    binding: registration.ValidatingAdmissionPolicyBinding,
) -> registration.ValidatingAdmissionPolicyBinding:
    resources = binding.spec.match_resources
    if resources is None:
        return binding
    return replace(binding, spec=replace(binding.spec, match_resources=_default_resources(resources)))


def _default_resources(resources: registration.MatchResources) -> registration.MatchResources:
    every = LabelSelector()
    rules, excluded = resources.resource_rules, resources.exclude_resource_rules
    return replace(
        resources,
        match_policy=resources.match_policy or "Equivalent",
        namespace_selector=resources.namespace_selector if resources.namespace_selector is not None else every,
        object_selector=resources.object_selector if resources.object_selector is not None else every,
        resource_rules=tuple(replace(rule, scope=rule.scope or "*") for rule in rules),
        exclude_resource_rules=tuple(replace(rule, scope=rule.scope or "*") for rule in excluded),
    )


def _with_defaults(hook: Any) -> Any:
    service = hook.client_config.service
    if service is not None and service.port is None:
        hook = replace(hook, client_config=replace(hook.client_config, service=replace(service, port=443)))
    if isinstance(hook, registration.MutatingWebhook):
        hook = replace(hook, reinvocation_policy=hook.reinvocation_policy or "Never")
    return replace(
        hook,
        rules=tuple(replace(rule, scope=rule.scope or "*") for rule in hook.rules),
        failure_policy=hook.failure_policy or "Fail",
        match_policy=hook.match_policy or "Equivalent",
        namespace_selector=hook.namespace_selector if hook.namespace_selector is not None else LabelSelector(),
        object_selector=hook.object_selector if hook.object_selector is not None else LabelSelector(),
        timeout_seconds=10 if hook.timeout_seconds is None else hook.timeout_seconds,
    )
