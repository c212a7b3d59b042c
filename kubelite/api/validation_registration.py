"""What must hold of admission webhook configurations. Pure.

Source: k8s.io/kubernetes pkg/apis/admissionregistration/validation/validation.go, k8s.io/apiserver pkg/util/webhook
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.validation_field import (
    Errors,
    dns1035_label,
    dns_subdomain,
    duplicates,
    formatted,
    invalid,
    one_of,
    port_number,
    required,
)
from kubelite.api.validation_meta import validate_selector

Webhook = registration.MutatingWebhook | registration.ValidatingWebhook
Configuration = registration.MutatingWebhookConfiguration | registration.ValidatingWebhookConfiguration

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")
_URL_FORM = "desired format: https://host[/path]"


def validate_webhooks(configuration: Configuration) -> Errors:
    hooks: Sequence[Webhook] = configuration.webhooks
    found: Errors = []
    for at, hook in enumerate(hooks):
        found += _webhook(hook, f"webhooks[{at}]")
    return found + duplicates((f"webhooks[{at}].name", hook.name) for at, hook in enumerate(hooks))


def _webhook(hook: Webhook, path: str) -> Errors:
    found = _qualified(hook.name, f"{path}.name")
    for at, rule in enumerate(hook.rules):
        found += validate_rule(rule, f"{path}.rules[{at}]")
    if hook.failure_policy is not None:
        found += one_of(f"{path}.failurePolicy", hook.failure_policy, ("Fail", "Ignore"))
    if hook.match_policy is not None:
        found += one_of(f"{path}.matchPolicy", hook.match_policy, ("Equivalent", "Exact"))
    if isinstance(hook, registration.MutatingWebhook) and hook.reinvocation_policy is not None:
        found += one_of(f"{path}.reinvocationPolicy", hook.reinvocation_policy, ("IfNeeded", "Never"))
    if hook.side_effects is None:
        found.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    else:
        found += one_of(f"{path}.sideEffects", hook.side_effects, _SIDE_EFFECTS)
    if hook.timeout_seconds is not None and not 1 <= hook.timeout_seconds <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        found.append(invalid(f"{path}.timeoutSeconds", hook.timeout_seconds, why))
    found += validate_selector(hook.namespace_selector, f"{path}.namespaceSelector")
    found += validate_selector(hook.object_selector, f"{path}.objectSelector")
    if hook.match_conditions:
        from kubelite.api.validation_policies import validate_conditions  # loaded with the first expression

        found += validate_conditions(hook.match_conditions, f"{path}.matchConditions")
    found += _client(hook.client_config, f"{path}.clientConfig")
    return found + _versions(hook.admission_review_versions, f"{path}.admissionReviewVersions")


def _qualified(name: str, path: str) -> Errors:
    if not name:
        return [required(path)]
    if wrong := formatted(path, name, dns_subdomain):
        return wrong
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _versions(versions: tuple[str, ...], path: str) -> Errors:
    known = ", ".join(_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {known}")]
    found: Errors = []
    for at, version in enumerate(versions):
        found += formatted(f"{path}[{at}]", version, dns1035_label)
    found += duplicates((f"{path}[{at}]", version) for at, version in enumerate(versions))
    if not found and not any(version in _VERSIONS for version in versions):
        found.append(invalid(path, versions, f"must include at least one of {known}"))
    return found


def _client(client: registration.WebhookClientConfig, path: str) -> Errors:
    if (client.url is None) == (client.service is None):
        return [required(path, "exactly one of url or service is required")]
    if client.url is not None:
        return _url(client.url, f"{path}.url")
    service = client.service
    assert service is not None
    at = f"{path}.service"
    found: Errors = []
    if not service.name:
        found.append(required(f"{at}.name", "service name is required"))
    if not service.namespace:
        found.append(required(f"{at}.namespace", "service namespace is required"))
    if service.port is not None:
        found += [invalid(f"{at}.port", service.port, f"port is not valid: {why}") for why in port_number(service.port)]
    return found + (_service_path(service.path, f"{at}.path") if service.path else [])


def _service_path(value: str, path: str) -> Errors:
    if value == "/":
        return []
    if not value.startswith("/"):
        return [invalid(path, value, "must start with a '/'")]
    found: Errors = []
    steps = value[1:].removesuffix("/").split("/")
    for at, step in enumerate(steps):
        if not step:
            found.append(invalid(path, value, f"segment[{at}] may not be empty"))
        else:
            found += [invalid(path, value, f"segment[{at}]: {why}") for why in dns_subdomain(step)]
    return found


def _url(value: str, path: str) -> Errors:
    try:
        url = urlsplit(value)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}; {_URL_FORM}")]
    found: Errors = []
    if url.scheme != "https":
        found.append(invalid(path, url.scheme, f"'https' is the only allowed URL scheme; {_URL_FORM}"))
    if not url.netloc:
        found.append(invalid(path, url.netloc, f"host must be specified; {_URL_FORM}"))
    if "@" in url.netloc:
        user = url.netloc.rpartition("@")[0]
        found.append(invalid(path, user, "user information is not permitted in the URL"))
    if url.fragment:
        found.append(invalid(path, url.fragment, "fragments are not permitted in the URL"))
    if url.query:
        found.append(invalid(path, url.query, "query parameters are not permitted in the URL"))
    return found


def validate_rule(rule: registration.RuleWithOperations, path: str) -> Errors:
    found = _alone(rule.operations, f"{path}.operations", "operations")
    for at, operation in enumerate(rule.operations):
        found += one_of(f"{path}.operations[{at}]", operation, _OPERATIONS)
    found += _alone(rule.api_groups, f"{path}.apiGroups", "API groups")
    found += _alone(rule.api_versions, f"{path}.apiVersions", "API versions")
    found += [required(f"{path}.apiVersions[{at}]") for at, version in enumerate(rule.api_versions) if not version]
    found += _resources(rule.resources, f"{path}.resources")
    if rule.scope is not None:
        found += one_of(f"{path}.scope", rule.scope, _SCOPES)
    return found


def _alone(values: tuple[str, ...], path: str, what: str, star: str = "*") -> Errors:
    if not values:
        return [required(path)]
    if star in values and len(values) > 1:
        return [invalid(path, values, f"if '{star}' is present, must not specify other {what}")]
    return []


def _resources(resources: tuple[str, ...], path: str) -> Errors:
    found = _alone(resources, path, "resources", "*/*")
    if found:
        return found
    whole = {name.removesuffix("/*") for name in resources if name.endswith("/*")}
    anywhere = {name.removeprefix("*/") for name in resources if name.startswith("*/")}
    for at, name in enumerate(resources):
        plural, _, subresource = name.partition("/")
        if not name:
            found.append(required(f"{path}[{at}]"))
        elif plural in whole and not name.endswith("/*"):
            found.append(invalid(f"{path}[{at}]", name, f"if '{plural}/*' is present, must not specify {name}"))
        elif subresource in anywhere and plural != "*" and subresource:
            found.append(invalid(f"{path}[{at}]", name, f"if '*/{subresource}' is present, must not specify {name}"))
    if "*" in resources and any("/" not in name and name != "*" for name in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        found.append(invalid(path, resources, why))
    return found
