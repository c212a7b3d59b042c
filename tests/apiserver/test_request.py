"""RequestInfo and options, as upstream resolves them."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st

from kubelite.api.errors import BadRequest, Invalid, StatusError
from kubelite.api.meta import DeleteOptions
from kubelite.api.query import parse_query
from kubelite.apiserver.request import (
    manager_of,
    parse_delete_options,
    parse_list_params,
    parse_request,
    parse_write_options,
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/namespaces", ("list", "", "", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/other", ("get", "", "other", "namespaces", "other", "")),
        ("PUT", "/api/v1/namespaces/other/finalize", ("update", "", "other", "namespaces", "other", "finalize")),
        ("GET", "/api/v1/namespaces/other/pods", ("list", "", "other", "pods", "", "")),
        ("GET", "/api/v1/namespaces/other/pods/p/log", ("get", "", "other", "pods", "p", "log")),
        ("POST", "/api/v1/namespaces/other/pods", ("create", "", "other", "pods", "", "")),
        ("DELETE", "/api/v1/namespaces/other/pods", ("deletecollection", "", "other", "pods", "", "")),
        ("GET", "/api/v1/nodes/n%2F1", ("get", "", "", "nodes", "n", "1")),
        ("PATCH", "/apis/apps/v1/namespaces/o/deployments/d", ("patch", "apps", "o", "deployments", "d", "")),
        ("GET", "/api/v1/watch/pods", ("watch", "", "", "pods", "", "")),
        ("OPTIONS", "/api/v1/pods", ("", "", "", "pods", "", "")),
    ],
)
def test_resource_paths(method: str, path: str, expected: tuple[str, ...]) -> None:
    info = parse_request(method, path, {})
    assert info.is_resource
    assert (info.verb, info.group, info.namespace, info.resource, info.name, info.subresource) == expected


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/healthz/ping"])
def test_other_paths_name_no_resource(path: str) -> None:
    info = parse_request("GET", path, {})
    assert (info.is_resource, info.verb, info.path) == (False, "get", path)


def test_watch_and_single_object_selectors_are_seen() -> None:
    assert parse_request("GET", "/api/v1/pods", parse_query("watch")).verb == "watch"
    assert parse_request("GET", "/api/v1/pods", parse_query("watch=0")).verb == "list"
    info = parse_request("GET", "/api/v1/pods", parse_query("fieldSelector=metadata.name%3Dp"))
    assert (info.verb, info.name, info.named_by_path) == ("list", "p", False)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_path_and_query_resolves_or_is_a_bad_request(path: str, query: str) -> None:
    try:
        parse_request("GET", f"/{path}", parse_query(query))
    except StatusError as error:
        assert isinstance(error, BadRequest)


@pytest.mark.parametrize(
    ("query", "kind", "apply", "message"),
    [
        ("dryRun=Some", "CreateOptions", False, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("force=1", "PatchOptions", False, "force: Forbidden: may not be specified for non-apply patch"),
        ("", "PatchOptions", True, "fieldManager: Required value: is required for apply patch"),
        (f"fieldManager={'m' * 129}", "UpdateOptions", False, "fieldManager: Too long: may not be more than 128 bytes"),
        ("fieldManager=a%07", "UpdateOptions", False, "invalid character U+0007 (at position 1)"),
        ("fieldValidation=Maybe", "CreateOptions", False, 'values: "", "Ignore", "Strict", "Warn"'),
    ],
)
def test_wrong_write_options_are_invalid(query: str, kind: Any, apply: bool, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_write_options(parse_query(query), "", kind=kind, apply=apply)
    assert message in caught.value.message
    assert caught.value.message.startswith(f'{kind}.meta.k8s.io "" is invalid: ')


def test_write_options_have_upstreams_defaults() -> None:
    kind: Literal["CreateOptions"] = "CreateOptions"
    options = parse_write_options({}, "kubectl/v1.33.1 (linux/amd64)", kind=kind)
    assert (options.field_manager, options.field_validation, options.dry_run) == ("kubectl", "Warn", False)
    assert manager_of("x\x07y" * 100) == ("xy" * 100)[:128]


def test_deletion_is_told_by_the_body_or_else_the_query() -> None:
    query = parse_query("gracePeriodSeconds=5&propagationPolicy=Foreground&dryRun=All")
    told = parse_delete_options(query, None)
    assert (told.grace_period_seconds, told.propagation_policy, told.dry_run) == (5, "Foreground", ("All",))
    assert parse_delete_options(query, DeleteOptions()) == DeleteOptions()


def test_list_params_are_read_and_numbers_checked() -> None:
    params = parse_list_params(parse_query("limit=5&timeoutSeconds=9&sendInitialEvents=false&labelSelector=a%3Db"))
    assert (params.limit, params.timeout_s, params.send_initial_events, params.label_selector) == (5, 9, False, "a=b")
    with pytest.raises(BadRequest, match='parsing "x": invalid syntax'):
        parse_list_params(parse_query("limit=x"))
