"""The cluster's admission: upstream's default plugins that are built, in upstream's order.

Source: kubernetes pkg/kubeapiserver/options/plugins.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.actor.clock import Clock
from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.meta import Object
from kubelite.apiserver.admission import (
    Admission,
    Attributes,
    Cluster,
    DefaultTolerationSeconds,
    Finder,
    NamespaceLifecycle,
    Priority,
    ServiceAccounts,
)
from kubelite.apiserver.admission_certificates import CertificateRequests, CertificateRights
from kubelite.apiserver.admission_nodes import NodeRestriction, TaintNodesByCondition
from kubelite.apiserver.admission_pod_security import PodSecurity
from kubelite.apiserver.admission_runtime import RuntimeClasses
from kubelite.apiserver.admission_storage import (
    ClaimResize,
    DefaultIngressClass,
    DefaultStorageClass,
    StorageObjectInUseProtection,
)
from kubelite.apiserver.limits import LimitRanger
from kubelite.apiserver.quota import ResourceQuotas
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.rbac_escalation import EscalationCheck


def standard_admission(
    clock: Clock, *, token_suffix: Callable[[], str] | None = None, rules: Rules | None = None
) -> Admission:
    """`token_suffix`: see `ServiceAccounts`. `rules` say who may grant rights, and approve and sign certificates."""
    rules = rules or Rules()
    limits = LimitRanger()
    return Admission(
        (
            NamespaceLifecycle(),
            limits,
            ServiceAccounts(token_suffix),
            NodeRestriction(),
            TaintNodesByCondition(),
            Priority(),
            DefaultTolerationSeconds(),
            DefaultStorageClass(),
            StorageObjectInUseProtection(),
            RuntimeClasses(),
            CertificateRequests(clock),
            DefaultIngressClass(),
            OnDemand(registration.MutatingWebhookConfiguration, lambda: _mutating(clock, rules)),
            EscalationCheck(rules),
        ),
        (
            limits,
            PodSecurity(),
            ClaimResize(),
            CertificateRights(rules),
            OnDemand(registration.ValidatingAdmissionPolicy, lambda: _policies(rules)),
            OnDemand(registration.ValidatingWebhookConfiguration, lambda: _validating(clock, rules)),
            ResourceQuotas(clock),
        ),
    )


class OnDemand:
    """A plugin or validator that is loaded with the first object of the kind by which users configure it."""

    def __init__(self, kind: type[Object], load: Callable[[], Any]) -> None:
        self._kind = kind
        self._load = load
        self._loaded: Any = None

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if await finder.find_all(self._kind):
            self._loaded = self._loaded or self._load()
            return await self._loaded.admit(attributes, obj, old, finder)
        return obj

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        if await cluster.find_all(self._kind):
            self._loaded = self._loaded or self._load()
            await self._loaded.validate(attributes, obj, old, cluster)


def _mutating(clock: Clock, rules: Rules) -> Any:
    from kubelite.apiserver.webhooks import MutatingWebhooks

    return MutatingWebhooks(clock, rules)


def _validating(clock: Clock, rules: Rules) -> Any:
    from kubelite.apiserver.webhooks import ValidatingWebhooks

    return ValidatingWebhooks(clock, rules)


def _policies(rules: Rules) -> Any:
    from kubelite.apiserver.policies import ValidatingAdmissionPolicies

    return ValidatingAdmissionPolicies(rules)
