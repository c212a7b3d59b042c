"""What a request asks for: RequestInfo, its options, and what is wrong with them. Pure.

`parse_request` reads path and method exactly as upstream's resolver does, before anybody knows whether such a resource exists.
The option parsers read the query strings of lists, writes and deletions; their errors are what upstream answers.
Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, k8s.io/apimachinery/pkg/apis/meta/v1/validation
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import unquote

import msgspec

from kubelite.api import errors
from kubelite.api.meta import DeleteOptions, StatusDetails
from kubelite.api.query import Query, first, flag, parse_integer
from kubelite.apiserver.interface import ListParams

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH_VERBS = frozenset({"proxy", "watch"})
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_META_GROUP = "meta.k8s.io"
_MAX_FIELD_MANAGER = 128
_NAME_SELECTOR = re.compile(r"(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)")

FieldValidation = Literal["Ignore", "Warn", "Strict"]


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One request, resolved. A path that names no resource has only `path` and `verb` (its method in lower case)."""

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()  #: path segments after the subresource
    named_by_path: bool = False  #: `name` stands in the path, not in a field selector


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = "Warn"
    force: bool | None = None


def parse_request(method: str, raw_path: str, query: Query) -> RequestInfo:
    """Resolves a request.

    >>> info = parse_request("GET", "/apis/apps/v1/namespaces/default/deployments/web/scale", {})
    >>> info.verb, info.group, info.namespace, info.resource, info.name, info.subresource
    ('get', 'apps', 'default', 'deployments', 'web', 'scale')
    >>> parse_request("GET", "/version", {}).is_resource
    False
    """
    path = unquote(raw_path)
    parts = path.strip("/").split("/")
    plain = RequestInfo(verb=method.lower(), path=path)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    group = ""
    if parts[0] == "apis":
        if len(parts) < 4:
            return plain
        group, parts = parts[1], parts[1:]
    version, parts = parts[1], parts[2:]
    verb = _VERBS.get(method, "")
    if parts[0] in _PATH_VERBS:
        if len(parts) < 2:
            raise errors.BadRequest(f"unable to determine kind and namespace from url: {path}")
        verb, parts = parts[0], parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    named_by_path = bool(name)
    if not name and verb == "get":
        verb = "watch" if flag(query, "watch") else "list"
    if not name and verb in ("list", "watch") and (match := _NAME_SELECTOR.search(first(query, "fieldSelector"))):
        name = match[1]
    if not name and verb == "delete":
        verb = "deletecollection"
    return RequestInfo(
        verb=verb,
        path=path,
        is_resource=True,
        group=group,
        version=version,
        namespace=namespace,
        resource=parts[0],
        name=name,
        subresource=parts[2] if len(parts) > 2 else "",
        rest=tuple(parts[3:]),
        named_by_path=named_by_path,
    )


def not_found() -> errors.NotFound:
    """No such path or resource."""
    return errors.NotFound("the server could not find the requested resource", StatusDetails())


def method_not_allowed() -> errors.MethodNotAllowed:
    message = "the server does not allow this method on the requested resource"
    return errors.MethodNotAllowed(message, StatusDetails())


def parse_list_params(query: Query) -> ListParams:
    """The options of a list, watch or collection deletion. Raises: BadRequest for a number that is none."""
    send_initial = flag(query, "sendInitialEvents") if first(query, "sendInitialEvents") else None
    return ListParams(
        label_selector=first(query, "labelSelector"),
        field_selector=first(query, "fieldSelector"),
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
        limit=parse_integer(query, "limit") or 0,
        continue_=first(query, "continue"),
        send_initial_events=send_initial,
        allow_watch_bookmarks=flag(query, "allowWatchBookmarks"),
        timeout_s=parse_integer(query, "timeoutSeconds"),
    )


def _unsupported(field: str, value: str, supported: Sequence[str]) -> errors.FieldError:
    listed = ", ".join(f'"{entry}"' for entry in supported)
    detail = f'Unsupported value: "{value}": supported values: {listed}'
    return errors.FieldError("FieldValueNotSupported", field, detail)


def _dry_run(values: Sequence[str]) -> list[errors.FieldError]:
    if all(value == "All" for value in values):
        return []
    listed = " ".join(f'"{value}"' for value in values)
    return [
        errors.FieldError("FieldValueNotSupported", "dryRun", f'Unsupported value: [{listed}]: supported values: "All"')
    ]


def manager_of(user_agent: str) -> str:
    """The field manager of a client that names none.

    >>> manager_of("kubectl/v1.33.0 (linux/amd64)")
    'kubectl'
    """
    return "".join(char for char in user_agent.partition("/")[0] if char.isprintable())[:_MAX_FIELD_MANAGER]


def parse_write_options(
    query: Query,
    user_agent: str,
    *,
    kind: Literal["CreateOptions", "UpdateOptions", "PatchOptions"],
    apply: bool = False,
) -> WriteOptions:
    """The options of a create, update or patch.

    Raises: Invalid, naming `kind`, with every wrong option.
    """
    wrong = _dry_run(query.get("dryRun", ()))
    manager = first(query, "fieldManager")
    force = flag(query, "force") if "force" in query else None
    if kind == "PatchOptions" and not apply and force is not None:
        detail = "Forbidden: may not be specified for non-apply patch"
        wrong.insert(0, errors.FieldError("FieldValueForbidden", "force", detail))
    if apply and not manager:
        detail = "Required value: is required for apply patch"
        wrong.insert(0, errors.FieldError("FieldValueRequired", "fieldManager", detail))
    if len(manager) > _MAX_FIELD_MANAGER:
        detail = f"Too long: may not be more than {_MAX_FIELD_MANAGER} bytes"
        wrong.append(errors.FieldError("FieldValueTooLong", "fieldManager", detail))
    for at, char in enumerate(manager):
        if not char.isprintable():
            detail = f'Invalid value: "{manager}": invalid character U+{ord(char):04X} (at position {at})'
            wrong.append(errors.FieldError("FieldValueInvalid", "fieldManager", detail))
    validation = first(query, "fieldValidation")
    if validation not in ("", "Ignore", "Warn", "Strict"):
        wrong.append(_unsupported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
    if wrong:
        raise errors.invalid(_META_GROUP, kind, "", wrong)
    return WriteOptions(
        dry_run="All" in query.get("dryRun", ()),
        field_manager=manager or manager_of(user_agent),
        field_validation=msgspec.convert(validation or "Warn", FieldValidation),
        force=force,
    )


def parse_delete_options(query: Query, body: DeleteOptions | None) -> DeleteOptions:
    """The options of a deletion: the body's, or without one the query's. The registry judges them."""
    if body is None:
        orphan = flag(query, "orphanDependents") if "orphanDependents" in query else None
        body = DeleteOptions(
            grace_period_seconds=parse_integer(query, "gracePeriodSeconds"),
            orphan_dependents=orphan,
            propagation_policy=first(query, "propagationPolicy") or None,
            dry_run=tuple(query.get("dryRun", ())),
        )
    return body
