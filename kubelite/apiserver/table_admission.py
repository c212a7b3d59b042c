"""Printers of what users configure admission by. Source: kubernetes pkg/printers/internalversion/printers.go"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.meta import LabelSelector
from kubelite.apiserver.table_columns import UNSET, Printer, age, columns


def _webhooks(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, len(obj.webhooks), age(obj, now)


WEBHOOKS = Printer(columns("Name", "Webhooks", "Age", webhooks="integer"), _webhooks)


def _policy(obj: registration.ValidatingAdmissionPolicy, now: float) -> Sequence[Any]:
    kind = obj.spec.param_kind
    shown = f"{kind.api_version}/{kind.kind}" if kind is not None else UNSET
    return obj.metadata.name, len(obj.spec.validations), shown, age(obj, now)


POLICY = Printer(columns("Name", "Validations", "ParamKind", "Age", validations="integer"), _policy)


def _binding(obj: registration.ValidatingAdmissionPolicyBinding, now: float) -> Sequence[Any]:
    ref, shown = obj.spec.param_ref, UNSET
    if ref is not None and ref.name:
        shown = f"{ref.namespace or '*'}/{ref.name}"
    elif ref is not None and ref.selector is not None:
        shown = _selector(ref.selector)
    return obj.metadata.name, obj.spec.policy_name, shown, age(obj, now)


def _selector(selector: LabelSelector) -> str:
    """As Go prints it.

    >>> _selector(LabelSelector(match_labels={"a": "b"}))
    '&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}'
    """
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{item.key},Operator:{item.operator},Values:[{' '.join(item.values)}],}},"
        for item in selector.match_expressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


BINDING = Printer(columns("Name", "PolicyName", "ParamRef", "Age"), _binding)
