"""Token Secrets go with their ServiceAccount.

Called by `client/host` per Secret. Kinds arrive independently, so an account counts as absent once that has lasted.
Source: k8s.io/kubernetes pkg/controller/serviceaccount/tokens_controller.go
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import Secret, ServiceAccount
from kubelite.api.meta import Object
from kubelite.client.plan import Delete, Plan
from kubelite.client.view import Key, View, Watch, key_of, split_key

TYPE = "kubernetes.io/service-account-token"
ACCOUNT, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
ABSENT_S = 2.0


def tokens_of_account(secret: Secret) -> Iterable[str]:
    """Index "account": token Secrets by their ServiceAccount."""
    if secret.type != TYPE:
        return ()
    return (f"{secret.metadata.namespace}/{secret.metadata.annotations.get(ACCOUNT, '')}",)


def _secret_keys(view: View, old: Secret | None, new: Secret | None) -> Iterable[Key]:
    if new is not None and new.type == TYPE:
        yield key_of(new)


def _account_keys(view: View, old: ServiceAccount | None, new: ServiceAccount | None) -> Iterable[Key]:
    if old is not None and new is None:
        yield from (key_of(secret) for secret in view.indexed(Secret, "account", key_of(old)))


class TokenCleaner:
    name = "serviceaccount-token-controller"
    reads: tuple[type[Object], ...] = ()

    def __init__(self) -> None:
        self._absent: dict[Key, float] = {}

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(Secret, _secret_keys), Watch(ServiceAccount, _account_keys))

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        secret = view.get(Secret, name, namespace)
        if secret is None or secret.type != TYPE:
            self._absent.pop(key, None)
            return Plan()
        given = secret.metadata.annotations
        account = view.get(ServiceAccount, given.get(ACCOUNT, ""), namespace)
        if account is not None and given.get(ACCOUNT_UID, account.metadata.uid) == account.metadata.uid:
            self._absent.pop(key, None)
            return Plan()
        left = self._absent.setdefault(key, now) + ABSENT_S - now
        if left > 0:
            return Plan(requeue_after_s=left)
        self._absent.pop(key, None)
        return Plan(writes=(Delete(type=Secret, name=name, namespace=namespace, uid=secret.metadata.uid),))
