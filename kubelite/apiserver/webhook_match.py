"""Which admission webhooks a request concerns. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/predicates/{rules,namespace,object}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelite.api import admissionregistration_v1 as registration, core_v1 as core
from kubelite.api.selectors import matches
from kubelite.apiserver.admission import Attributes

Webhook = registration.MutatingWebhook | registration.ValidatingWebhook
#: Kinds that no webhook sees, so that none can lock everybody out.
_EXEMPT = (
    registration.MutatingWebhookConfiguration,
    registration.ValidatingWebhookConfiguration,
    registration.ValidatingAdmissionPolicy,
    registration.ValidatingAdmissionPolicyBinding,
)


def concerns(
    hook: Webhook, attributes: Attributes, obj: Any, old: Any, namespace_labels: Mapping[str, str] | None
) -> bool:
    """`namespace_labels`: those of the object's namespace, or of itself if it is one; None for other cluster-scoped kinds."""
    if attributes.resource.type in _EXEMPT or not any(_rule_matches(rule, attributes) for rule in hook.rules):
        return False
    if namespace_labels is not None and not matches(hook.namespace_selector, namespace_labels):
        return False
    selector = hook.object_selector
    return any(each is not None and matches(selector, each.metadata.labels) for each in (obj, old))


def _rule_matches(rule: registration.RuleWithOperations, attributes: Attributes) -> bool:
    """
    >>> from msgspec.structs import replace
    >>> from kubelite.api.scheme import Scheme
    >>> from kubelite.apiserver.interface import User
    >>> pods = Scheme().resource("", "v1", "pods")
    >>> asked = Attributes(resource=pods, namespace="a", name="p", operation="CREATE", user=User(name="x"))
    >>> any_pod = registration.RuleWithOperations(
    ...     operations=("*",), api_groups=("",), api_versions=("v1",), resources=("pods",), scope="Namespaced"
    ... )
    >>> _rule_matches(any_pod, asked), _rule_matches(any_pod, replace(asked, subresource="status"))
    (True, False)
    """
    resource = attributes.resource
    return (
        _has(rule.operations, attributes.operation)
        and _has(rule.api_groups, resource.group)
        and _has(rule.api_versions, resource.version)
        and any(_resource_matches(pattern, attributes) for pattern in rule.resources)
        and _scope_matches(rule.scope, attributes)
    )


def _has(values: tuple[str, ...], value: str) -> bool:
    return "*" in values or value in values


def _resource_matches(pattern: str, attributes: Attributes) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in ("*", attributes.resource.plural) and subresource in ("*", attributes.subresource)


def _scope_matches(scope: str | None, attributes: Attributes) -> bool:
    if scope is None or scope == "*":
        return True
    is_namespaced = attributes.resource.type is not core.Namespace and bool(attributes.namespace)
    return is_namespaced == (scope == "Namespaced")
