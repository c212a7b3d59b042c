"""The signers of kubernetes.io: what a request must ask for, so that they sign it. Pure.

`Asked` is what a PKCS #10 request says; reading one needs cryptography, which `apiserver.signer` has.
Source: kubernetes pkg/apis/certificates/helpers.go, pkg/controller/certificates/signer/signer.go,
https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

CLIENT = "kubernetes.io/kube-apiserver-client"
NODE_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
NODE_SERVING = "kubernetes.io/kubelet-serving"
SIGNERS = (CLIENT, NODE_CLIENT, NODE_SERVING)
NODE_PREFIX = "system:node:"
NODES = "system:nodes"
_OPTIONAL = {"digital signature", "key encipherment"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The subject of a request, and its other names by kind."""

    common_name: str = ""
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def problem_of(signer: str, asked: Asked, usages: Iterable[str]) -> str:
    """Why one of `SIGNERS` does not sign this; empty when it does.

    >>> problem_of(CLIENT, Asked(common_name="jane"), ("server auth", "client auth"))
    'invalid usage for client certificate: server auth'
    """
    if signer == CLIENT:
        return _client_problem(list(usages))
    wanted = {"digital signature", "client auth" if signer == NODE_CLIENT else "server auth"}
    if asked.organizations != (NODES,):
        return f"subject organization is not {NODES}"
    if problem := _names_problem(signer, asked):
        return problem
    named = (
        "" if asked.common_name.startswith(NODE_PREFIX) else f"subject common name does not begin with {NODE_PREFIX}"
    )
    listed = " ".join(sorted({*wanted, "key encipherment"}))
    used = "" if set(usages) in (wanted, {*wanted, "key encipherment"}) else f"usages did not match [{listed}]"
    return (named or used) if signer == NODE_CLIENT else (used or named)


def _client_problem(usages: list[str]) -> str:
    for usage in usages:
        if usage not in {*_OPTIONAL, "client auth"}:
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def _names_problem(signer: str, asked: Asked) -> str:
    refused = {"Email": asked.emails, "URI": asked.uris}
    if signer == NODE_CLIENT:
        refused = {"DNS": asked.dns_names, "Email": asked.emails, "IP": asked.ip_addresses, "URI": asked.uris}
    elif not asked.dns_names and not asked.ip_addresses:
        return "DNS or IP subjectAltName is required"
    return next((f"{kind} subjectAltNames are not allowed" for kind, names in refused.items() if names), "")
