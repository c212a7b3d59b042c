"""The cluster's admission: upstream's default plugins that are built, in upstream's order.

Source: kubernetes pkg/kubeapiserver/options/plugins.go
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubelite.actor.clock import Clock
from kubelite.apiserver.admission import (
    Admission,
    DefaultTolerationSeconds,
    NamespaceLifecycle,
    Plugin,
    Priority,
    ServiceAccounts,
)
from kubelite.apiserver.admission_storage import (
    DefaultIngressClass,
    DefaultStorageClass,
    RuntimeClasses,
    StorageObjectInUseProtection,
)
from kubelite.apiserver.limits import LimitRanger
from kubelite.apiserver.quota import ResourceQuotas
from kubelite.apiserver.webhooks import MutatingWebhooks, ValidatingWebhooks


def standard_admission(
    clock: Clock, *, token_suffix: Callable[[], str] | None = None, checks: Sequence[Plugin] = ()
) -> Admission:
    """`token_suffix`: see `ServiceAccounts`. `checks` are the registry's own, which see what the plugins have made."""
    limits = LimitRanger()
    return Admission(
        (
            NamespaceLifecycle(),
            limits,
            ServiceAccounts(token_suffix),
            Priority(),
            DefaultTolerationSeconds(),
            DefaultStorageClass(),
            StorageObjectInUseProtection(),
            RuntimeClasses(),
            DefaultIngressClass(),
            MutatingWebhooks(clock),
            *checks,
        ),
        (limits, ValidatingWebhooks(clock), ResourceQuotas(clock)),
    )
