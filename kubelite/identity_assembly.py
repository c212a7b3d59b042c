"""Who may show what to the API server, and what is written down of it: authentication and the audit log, by the settings.

Part of the composition root, called by `api_assembly`. What a setting does not ask for is not loaded.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubelite.actor.clock import Clock
from kubelite.apiserver.answers import Subject
from kubelite.apiserver.authn import Authenticator, FrontProxy, Tokens
from kubelite.apiserver.bootstrap_tokens import BootstrapTokens
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.config import Config, ConfigError

if TYPE_CHECKING:
    from kubelite.apiserver.audit import AuditLog
    from kubelite.apiserver.interface import User


def make_authenticator(
    config: Config, registry: ObjectRegistry, clock: Clock, context: ssl.SSLContext
) -> Authenticator:
    """`context` is the server's; it will let front proxies show their certificates. Raises: ConfigError."""
    others: list[Tokens] = [BootstrapTokens(registry, clock)]
    if config.oidc_issuer_url:
        from kubelite.apiserver.oidc import Issuer, OidcTokens

        issuer = Issuer(
            url=config.oidc_issuer_url,
            client_id=config.oidc_client_id,
            username_claim=config.oidc_username_claim,
            username_prefix=config.oidc_username_prefix,
            groups_claim=config.oidc_groups_claim,
            groups_prefix=config.oidc_groups_prefix,
            authorities=_read("oidcCaFile", config.oidc_ca_file) if config.oidc_ca_file else "",
        )
        others.append(OidcTokens(issuer, clock))
    return Authenticator(
        _static_tokens(config.token_auth_file),
        registry.tokens,
        others=others,
        front_proxy=_front_proxy(config, context) if config.requestheader_client_ca_file else None,
    )


def _static_tokens(path: str) -> dict[str, User]:
    if not path:
        return {}
    from kubelite.apiserver.token_file import parse_token_file

    try:
        return parse_token_file(_read("tokenAuthFile", path))
    except ValueError as error:
        raise ConfigError(f"bad setting: tokenAuthFile: {path}: {error}") from error


def _front_proxy(config: Config, context: ssl.SSLContext) -> FrontProxy:
    path = config.requestheader_client_ca_file
    clients = _subjects(context)
    try:
        context.load_verify_locations(cadata=_read("requestheaderClientCaFile", path))
    except ssl.SSLError as error:
        raise ConfigError(f"bad setting: requestheaderClientCaFile: {path} holds no certificates") from error
    issuers = tuple(subject for subject in _subjects(context) if subject not in clients)
    if len(issuers) < len(context.get_ca_certs()) - len(clients):
        raise ConfigError(f"bad setting: requestheaderClientCaFile: {path}: an authority is named as the clients' one")
    return FrontProxy(
        issuers=issuers,
        client_issuers=clients,
        names=_listed(config.requestheader_allowed_names),
        user_headers=_listed(config.requestheader_username_headers),
        group_headers=_listed(config.requestheader_group_headers),
        extra_prefixes=_listed(config.requestheader_extra_headers_prefix),
    )


def _subjects(context: ssl.SSLContext) -> tuple[Subject, ...]:
    certificates: list[Any] = context.get_ca_certs()
    return tuple(certificate["subject"] for certificate in certificates)


def make_audit_log(config: Config, registry: ObjectRegistry, clock: Clock) -> AuditLog | None:
    """Raises: ConfigError."""
    if not config.audit_log_path:
        return None
    import yaml

    from kubelite.apiserver.audit import AuditLog, open_file
    from kubelite.apiserver.audit_policy import parse_policy

    path = config.audit_policy_file
    try:
        policy = parse_policy(yaml.safe_load(_read("auditPolicyFile", path)))
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"bad setting: auditPolicyFile: {path}: {str(error).splitlines()[0]}") from error
    try:
        return AuditLog(policy, open_file(config.audit_log_path), clock, lambda: registry.scheme)
    except OSError as error:
        raise ConfigError(f"bad setting: auditLogPath: {config.audit_log_path}: {error.strerror}") from error


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read(setting: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"bad setting: {setting}: cannot read {path}: {error}") from error
