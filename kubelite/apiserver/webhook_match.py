"""Which admission webhooks and policies a request concerns. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/predicates/{rules,namespace,object}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from kubelite.api import admissionregistration_v1 as registration, core_v1 as core
from kubelite.api.meta import LabelSelector
from kubelite.api.scheme import Resource
from kubelite.api.selectors import matches
from kubelite.apiserver.admission import Attributes

Webhook = registration.MutatingWebhook | registration.ValidatingWebhook
#: See `concerns`.
Labels = Mapping[str, str] | None
#: The other versions of a request's objects.
Others = Callable[[], Sequence[Resource]]
#: Kinds that no webhook or policy sees, so that none can lock everybody out.
EXEMPT = (
    registration.MutatingWebhookConfiguration,
    registration.ValidatingWebhookConfiguration,
    registration.ValidatingAdmissionPolicy,
    registration.ValidatingAdmissionPolicyBinding,
)


def concerns(
    hook: Webhook, attributes: Attributes, obj: Any, old: Any, namespace_labels: Labels, others: Others = tuple
) -> Resource | None:
    """The version in which it wants to see the object, or None. `namespace_labels`: those of the object's namespace, or of

    itself if it is one; None for other cluster-scoped kinds.
    """
    if attributes.resource.type in EXEMPT:
        return None
    found = _version(hook.rules, hook.match_policy, attributes, others)
    if found is None or (namespace_labels is not None and not matches(hook.namespace_selector, namespace_labels)):
        return None
    return found if _selects(hook.object_selector, obj, old) else None


def is_matched(
    wanted: registration.MatchResources,
    attributes: Attributes,
    obj: Any,
    old: Any,
    namespace_labels: Labels,
    others: Others = tuple,
) -> Resource | None:
    """The version in which a policy or its binding wants to see the object of a request; None if it is not about it."""
    if namespace_labels is not None and not matches(wanted.namespace_selector, namespace_labels):
        return None
    if not _selects(wanted.object_selector, obj, old):
        return None
    if _version(wanted.exclude_resource_rules, wanted.match_policy, attributes, others) is not None:
        return None
    if not wanted.resource_rules:
        return attributes.resource
    return _version(wanted.resource_rules, wanted.match_policy, attributes, others)


def _version(
    rules: Sequence[registration.RuleWithOperations], policy: str | None, attributes: Attributes, others: Others
) -> Resource | None:
    """The request's own version if a rule names it, else another that one does, if that counts as equivalent."""
    if any(_rule_matches(rule, attributes) for rule in rules):
        return attributes.resource
    if policy != "Equivalent" or not rules:
        return None
    for other in others():
        if any(_rule_matches(rule, replace(attributes, resource=other)) for rule in rules):
            return other
    return None


def _selects(selector: LabelSelector | None, obj: Any, old: Any) -> bool:
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
    names = rule.resource_names if isinstance(rule, registration.NamedRuleWithOperations) else ()
    return (
        (not names or attributes.name in names)
        and _has(rule.operations, attributes.operation)
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
