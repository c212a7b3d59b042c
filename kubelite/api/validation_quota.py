"""What must hold of ResourceQuotas, LimitRanges, HorizontalPodAutoscalers and certificate requests. Pure.

Source: k8s.io/kubernetes pkg/apis/{core,autoscaling,certificates}/validation/validation.go
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from kubelite.api import (
    autoscaling_v1,
    autoscaling_v2,
    certificates_v1 as certificates,
    core_v1 as core,
)
from kubelite.api.errors import FieldError
from kubelite.api.meta import Quantity
from kubelite.api.quantity import parse
from kubelite.api.validation_field import (
    Errors,
    dns_subdomain,
    duplicate,
    duplicates,
    forbidden,
    formatted,
    immutable,
    invalid,
    one_of,
    path_segment,
    qualified_name,
    required,
)

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_POD_QUOTAS = (*_COMPUTE, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _COMPUTE))
_OBJECT_QUOTAS = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
]
_STANDARD_QUOTAS = frozenset((*_POD_QUOTAS, "requests.storage", *_OBJECT_QUOTAS))
_WHOLE = frozenset(_OBJECT_QUOTAS)
_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating")
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


# -- quotas ------------------------------------------------------------------------------------------------------------


def validate_quota(quota: core.ResourceQuota) -> Errors:
    found = _quantities(quota.spec.hard, "spec.hard")
    found += _scopes(quota.spec)
    return found + _quantities(quota.status.hard, "status.hard") + _quantities(quota.status.used, "status.used")


def validate_quota_update(new: core.ResourceQuota, old: core.ResourceQuota) -> Errors:
    return validate_quota(new) + immutable("spec.scopes", sorted(new.spec.scopes), sorted(old.spec.scopes))


def _quantities(amounts: Mapping[str, Quantity], path: str) -> Errors:
    found: Errors = []
    for name, quantity in amounts.items():
        at = f"{path}[{name}]"
        found += _quota_name(name, at)
        found += _amount(name, quantity, at)
    return found


def _quota_name(name: str, path: str) -> Errors:
    if wrong := formatted(path, name, qualified_name):
        return wrong
    is_standard = name in _STANDARD_QUOTAS or name.removeprefix("requests.").startswith("hugepages-")
    if "/" in name or is_standard:
        return []
    wrong = [] if name == "storage" else [invalid(path, name, "must be a standard resource type or fully qualified")]
    return [*wrong, invalid(path, name, "must be a standard resource for quota")]


def _amount(name: str, quantity: Quantity, path: str) -> Errors:
    amount = parse(quantity)
    found: Errors = []
    if amount.nanos < 0:
        found.append(invalid(path, str(amount), "must be greater than or equal to 0"))
    if (name in _WHOLE or name.startswith("count/")) and amount.nanos % 10**9:
        found.append(invalid(path, str(amount), "must be an integer"))
    return found


def _scopes(spec: core.ResourceQuotaSpec) -> Errors:
    found: Errors = []
    for scope in spec.scopes:
        found += _scope(scope, spec, "spec.scopes", spec.scopes)
    if any(pair <= set(spec.scopes) for pair in _OPPOSITES):
        found.append(invalid("spec.scopes", spec.scopes, "conflicting scopes"))
    if spec.scope_selector is None:
        return found
    for at, term in enumerate(spec.scope_selector.match_expressions):
        path = f"spec.scopeSelector.matchExpressions[{at}]"
        found += _scope(term.scope_name, spec, f"{path}.scopeName", term.scope_name)
        if term.operator in ("In", "NotIn"):
            if not term.values:
                why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                found.append(required(f"{path}.values", why))
        elif term.operator in ("Exists", "DoesNotExist"):
            if term.values:
                why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                found.append(invalid(f"{path}.values", term.values, why))
        else:
            found.append(invalid(f"{path}.operator", term.operator, "not a valid selector operator"))
        if term.scope_name in _SCOPES and term.scope_name != "PriorityClass" and term.operator != "Exists":
            why = (
                "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            )
            why += "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            why += "ResourceQuotaScopeCrossNamespacePodAffinity"
            found.append(invalid(f"{path}.operator", term.operator, why))
    return found


def _scope(scope: str, spec: core.ResourceQuotaSpec, path: str, shown: Any) -> Errors:
    found = [] if scope in _SCOPES else [invalid(path, shown, "unsupported scope")]
    counted = ("pods",) if scope == "BestEffort" else ("pods", *_POD_QUOTAS)
    wrong = [name for name in spec.hard if name in _STANDARD_QUOTAS and name not in counted]
    return found + [invalid(path, shown, "unsupported scope applied to resource") for _ in wrong]


# -- limits ------------------------------------------------------------------------------------------------------------


def validate_limit_range(limits: core.LimitRange) -> Errors:
    found: Errors = []
    seen: set[str] = set()
    for at, item in enumerate(limits.spec.limits):
        path = f"spec.limits[{at}]"
        found += formatted(f"{path}.type", item.type, qualified_name)
        if item.type in seen:
            found.append(duplicate(f"{path}.type", item.type))
        seen.add(item.type)
        found += _limit(item, path)
    return found


def _limit(item: core.LimitRangeItem, path: str) -> Errors:
    found: Errors = []
    if item.type == "Pod":
        for name, values in (("default", item.default), ("defaultRequest", item.default_request)):
            if values:
                found.append(forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'"))
    if item.type == "PersistentVolumeClaim" and "storage" not in item.min and "storage" not in item.max:
        why = "either minimum or maximum storage value is required, but neither was provided"
        found.append(required(f"{path}.limits", why))
    request, usual = item.default_request, item.default
    ordered: tuple[tuple[str, str, Any, str, Any, Any], ...] = (
        # the field that is told; what must not be greater than what; the value that is shown
        ("min", "min", item.min, "max", item.max, item.min),
        ("defaultRequest", "min", item.min, "default request", request, request),
        ("defaultRequest", "default request", request, "max", item.max, request),
        ("defaultRequest", "default request", request, "default limit", usual, request),
        ("default", "min", item.min, "default", usual, item.min),
        ("default", "default", usual, "max", item.max, item.max),
    )
    for field, low_name, lows, high_name, highs, shown in ordered:
        if item.type == "Pod" and field.startswith("default"):
            continue
        for name in sorted(set(lows) & set(highs)):
            low, high = parse(lows[name]), parse(highs[name])
            if high < low:
                why = f"{low_name} value {low} is greater than {high_name} value {high}"
                found.append(invalid(f"{path}.{field}[{name}]", str(parse(shown[name])), why))
    for name, ratio in sorted(item.max_limit_request_ratio.items()):
        if parse(ratio) < parse("1"):
            shown_ratio = str(parse(ratio))
            why = f"ratio {shown_ratio} is less than 1"
            found.append(invalid(f"{path}.maxLimitRequestRatio[{name}]", shown_ratio, why))
    return found


# -- autoscalers -------------------------------------------------------------------------------------------------------


def validate_autoscaler(
    scaler: autoscaling_v1.HorizontalPodAutoscaler | autoscaling_v2.HorizontalPodAutoscaler,
) -> Errors:
    spec = scaler.spec
    found: Errors = []
    least = spec.min_replicas
    if least is not None and least < 1:
        found.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if spec.max_replicas < 1:
        found.append(invalid("spec.maxReplicas", spec.max_replicas, "must be greater than 0"))
    if least is not None and spec.max_replicas < least:
        found.append(invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to `minReplicas`"))
    for name, value in (("kind", spec.scale_target_ref.kind), ("name", spec.scale_target_ref.name)):
        if not value:
            found.append(required(f"spec.scaleTargetRef.{name}"))
        else:
            found += formatted(f"spec.scaleTargetRef.{name}", value, path_segment)
    from kubelite.api.validation_autoscaling import validate_behavior, validate_metrics

    if isinstance(scaler, autoscaling_v1.HorizontalPodAutoscaler):
        from kubelite.api.autoscaling_versions import from_v1

        scaler = from_v1(scaler)
    return found + validate_metrics(scaler.spec.metrics) + validate_behavior(scaler.spec.behavior)


# -- certificate requests ----------------------------------------------------------------------------------------------

_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s(.*?)-----END \1-----", re.DOTALL)


def validate_request(request: certificates.CertificateSigningRequest) -> Errors:
    spec = request.spec
    found: Errors = []
    if problem := _pem_problem(spec.request):
        shown = ", ".join(f"{byte:#x}" for byte in spec.request)
        detail = f"Invalid value: []byte{{{shown}}}: {problem}"
        found.append(FieldError("FieldValueInvalid", "spec.request", detail))
    if not spec.usages:
        found.append(required("spec.usages"))
    for at, usage in enumerate(spec.usages):
        found += one_of(f"spec.usages[{at}]", usage, _USAGES)
    found += duplicates((f"spec.usages[{at}]", usage) for at, usage in enumerate(spec.usages))
    found += _signer(spec.signer_name, "spec.signerName")
    if spec.expiration_seconds is not None and spec.expiration_seconds < 600:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", spec.expiration_seconds, why))
    return found


def _pem_problem(data: bytes) -> str:
    block = _PEM.search(data)
    if block is None or block[1] != b"CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        content = base64.b64decode(b"".join(block[2].split()), validate=True)
    except binascii.Error:
        return "PEM block type must be CERTIFICATE REQUEST"
    return "" if content[:1] == b"\x30" else "asn1: structure error: tags don't match"


def _signer(name: str, path: str) -> Errors:
    if not name:
        return [required(path)]
    if name == "kubernetes.io/legacy-unknown":
        return [invalid(path, name, "the legacy signerName is not allowed via this API version")]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    found = [invalid(path, domain, f"validating label {domain!r}: {why}") for why in dns_subdomain(domain)]
    if "." not in domain:
        found.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    return found + [invalid(path, rest, f"validating label {rest!r}: {why}") for why in dns_subdomain(rest)]
