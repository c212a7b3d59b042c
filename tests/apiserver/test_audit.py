"""What the audit log holds: of each stage as much as the policy says."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import msgspec
import pytest
from multidict import CIMultiDict

from kubelite import Cluster
from kubelite.actor.clock import SystemClock
from kubelite.api.scheme import Scheme
from kubelite.apiserver.answers import Answer, Request
from kubelite.apiserver.audit import AuditLog
from kubelite.apiserver.audit_policy import Level, parse_policy
from kubelite.apiserver.interface import User
from kubelite.apiserver.request import parse_request
from kubelite.config import ConfigError
from tests.apiserver.authorities import trust

JANE = User(name="jane", groups=("devs",))
PODS = "/api/v1/namespaces/default/pods"


def policy(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more}


@pytest.mark.parametrize(
    ("rule", "method", "path", "fits"),
    [
        ({}, "GET", PODS, True),
        ({"users": ["jane"]}, "GET", PODS, True),
        ({"users": ["bob"]}, "GET", PODS, False),
        ({"userGroups": ["devs", "ops"]}, "GET", PODS, True),
        ({"verbs": ["list"]}, "GET", PODS, True),
        ({"verbs": ["get"]}, "GET", PODS, False),
        ({"namespaces": ["default"]}, "GET", PODS, True),
        ({"namespaces": [""]}, "GET", PODS, False),
        ({"namespaces": [""]}, "GET", "/api/v1/nodes", True),
        ({"resources": [{"group": ""}]}, "GET", PODS, True),
        ({"resources": [{"group": "apps"}]}, "GET", PODS, False),
        ({"resources": [{"resources": ["pods"]}]}, "GET", f"{PODS}/a", True),
        ({"resources": [{"resources": ["pods"]}]}, "GET", f"{PODS}/a/log", False),
        ({"resources": [{"resources": ["pods/log"]}]}, "GET", f"{PODS}/a/log", True),
        ({"resources": [{"resources": ["pods/*"]}]}, "GET", f"{PODS}/a/log", True),
        ({"resources": [{"resources": ["*/log"]}]}, "GET", f"{PODS}/a/log", True),
        ({"resources": [{"resources": ["*/log"]}]}, "GET", f"{PODS}/a", False),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["b"]}]}, "GET", f"{PODS}/a", False),
        ({"nonResourceURLs": ["/health*"]}, "GET", "/healthz", True),
        ({"nonResourceURLs": ["/health*"]}, "GET", PODS, False),
        ({"resources": [{"group": ""}]}, "GET", "/healthz", False),
    ],
)
def test_a_rule_fits_what_it_names(rule: dict[str, Any], method: str, path: str, fits: bool) -> None:
    found = parse_policy(policy({"level": "Metadata", **rule})).evaluate(JANE, parse_request(method, path, {}))
    assert found.level == (Level.METADATA if fits else Level.NONE)


def test_the_first_fitting_rule_counts_and_stages_add_up() -> None:
    rules = ({"level": "None", "users": ["bob"]}, {"level": "RequestResponse", "omitStages": ["Panic"]})
    parsed = parse_policy(policy(*rules, omitStages=["RequestReceived"], omitManagedFields=True))
    found = parsed.evaluate(JANE, parse_request("GET", PODS, {}))
    assert (found.level, found.omit_managed_fields) == (Level.REQUEST_RESPONSE, True)
    assert found.omit_stages == {"Panic", "RequestReceived"}
    assert parsed.evaluate(User(name="bob"), parse_request("GET", PODS, {})).level == Level.NONE


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"kind": "Pod"}, r"must be a Policy of audit\.k8s\.io/v1"),
        (policy(), "has no rules"),
        (policy({"level": "Some"}), r"rules\[0\]: level must be one of None, Metadata, Request, RequestResponse"),
        (policy({"level": "None", "nonResourceURLs": ["x"]}), "must begin with a slash"),
        (policy({"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["b"]}), "cannot apply to both"),
        (policy({"level": "None", "user": ["b"]}), "unknown field `user`"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_policy(value)


RULES = policy(
    {"level": "None", "nonResourceURLs": ["/healthz"]},
    {"level": "Metadata", "resources": [{"resources": ["secrets"]}]},
    {"level": "RequestResponse", "resources": [{"resources": ["configmaps"]}], "omitManagedFields": True},
    {"level": "Request", "resources": [{"resources": ["pods"]}], "omitStages": ["RequestReceived"]},
    {"level": "Metadata"},
)


class Log:
    """A served cluster with RULES, and its log."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "audit.log"
        file = directory / "policy.yaml"
        file.write_bytes(msgspec.json.encode(RULES))
        settings: dict[str, Any] = {"audit_policy_file": str(file), "audit_log_path": str(self.path)}
        tokens = directory / "tokens.csv"
        tokens.write_text("secret,jane,1,devs\nroot,root,2,system:masters\n")
        self.cluster = Cluster(serve=True, components="apiserver", token_auth_file=str(tokens), **settings)

    async def ask(self, method: str, path: str, *, token: str = "root", **options: Any) -> int:
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        root = self.cluster.kubeconfig
        assert root is not None
        context = trust((root.parent / "pki" / "ca.crt").read_text())
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.cluster.server + path, headers=headers, ssl=context, **options) as answer,
        ):
            await answer.read()
            return answer.status

    def events(self, path: str = "") -> list[dict[str, Any]]:
        """Those whose URI begins so."""
        found = [msgspec.json.decode(line) for line in self.path.read_bytes().splitlines()]
        return [event for event in found if event["requestURI"].startswith(path)]


async def test_each_stage_is_a_line_with_who_what_and_what_came_of_it(tmp_path: Path) -> None:
    log = Log(tmp_path)
    async with log.cluster:
        body = {"metadata": {"name": "a"}, "data": {"k": "v"}}
        headers = {"Audit-ID": "given-by-client", "User-Agent": "test/1"}
        assert await log.ask("POST", "/api/v1/namespaces/default/configmaps", json=body, headers=headers) == 201
        received, complete = log.events("/api/v1/namespaces/default/configmaps")
        assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
        assert received["stage"] == "RequestReceived"
        assert "responseStatus" not in received
        assert complete["stage"] == "ResponseComplete"
        assert complete["auditID"] == received["auditID"] == "given-by-client"
        assert (complete["verb"], complete["level"], complete["userAgent"]) == ("create", "RequestResponse", "test/1")
        assert complete["user"] == {
            "username": "root",
            "uid": "2",
            "groups": ["system:masters", "system:authenticated"],
        }
        assert complete["sourceIPs"] == ["127.0.0.1"]
        assert complete["objectRef"] == {
            "resource": "configmaps",
            "namespace": "default",
            "name": "a",
            "apiVersion": "v1",
        }
        assert complete["responseStatus"] == {"metadata": {}, "code": 201}
        assert complete["requestObject"] == body
        assert complete["responseObject"]["data"] == {"k": "v"}
        assert "managedFields" not in complete["responseObject"]["metadata"]
        assert complete["annotations"]["authorization.k8s.io/decision"] == "allow"
        assert complete["requestReceivedTimestamp"] <= complete["stageTimestamp"]


async def test_secrets_follow_the_policy_and_nothing_is_logged_of_what_it_leaves_out(tmp_path: Path) -> None:
    log = Log(tmp_path)
    async with log.cluster:
        secret = {"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}
        assert await log.ask("POST", "/api/v1/namespaces/default/secrets", json=secret) == 201
        assert await log.ask("GET", "/healthz") == 200
        assert [event["objectRef"]["name"] for event in log.events("/api/v1/namespaces/default/secrets")[1:]] == ["s"]
        assert b"hunter2" not in log.path.read_bytes()
        assert b"aHVudGVyMg" not in log.path.read_bytes()
        assert log.events("/healthz") == []


async def test_refusals_say_why(tmp_path: Path) -> None:
    log = Log(tmp_path)
    async with log.cluster:
        assert await log.ask("GET", f"{PODS}/a", token="secret") == 403
        assert await log.ask("GET", f"{PODS}/b", token="wrong") == 401
        as_jane = {"Impersonate-User": "jane"}
        assert await log.ask("GET", f"{PODS}/c", headers=as_jane) == 403
        [refused] = log.events(f"{PODS}/a")
        assert refused["responseStatus"]["reason"] == "Forbidden"
        assert refused["responseStatus"]["code"] == 403
        assert 'User "jane" cannot get resource "pods"' in refused["responseStatus"]["message"]
        assert refused["annotations"] == {
            "authorization.k8s.io/decision": "forbid",
            "authorization.k8s.io/reason": "",
        }
        [unknown] = log.events(f"{PODS}/b")
        assert unknown["stage"] == "ResponseStarted"
        assert unknown["responseStatus"]["code"] == 401
        assert "user" in unknown
        [pretended] = log.events(f"{PODS}/c")
        assert pretended["user"]["username"] == "root"
        assert pretended["impersonatedUser"]["username"] == "jane"


async def test_a_watch_starts_and_completes(tmp_path: Path) -> None:
    log = Log(tmp_path)
    async with log.cluster:
        assert await log.ask("GET", f"{PODS}?watch=1&timeoutSeconds=1&resourceVersion=0") == 200
        assert [event["stage"] for event in log.events(PODS)] == ["ResponseStarted", "ResponseComplete"]
        assert {event["verb"] for event in log.events(PODS)} == {"watch"}


async def test_what_breaks_off_is_noted_once() -> None:
    lines: list[bytes] = []
    rules = parse_policy(policy({"level": "Metadata"}, omitStages=["RequestReceived"]))
    log = AuditLog(rules, lines.append, SystemClock(), Scheme)

    async def nothing() -> bytes:
        return b""

    async def chunks() -> AsyncIterator[bytes]:
        yield b""

    asked = Request(
        method="GET", path=PODS, query={}, headers=CIMultiDict[str](), peer=None, read=nothing, stream=chunks
    )
    info = parse_request("GET", PODS, {})
    with pytest.raises(ZeroDivisionError), log.record(asked) as record:
        record.received(JANE, info)
        raise ZeroDivisionError
    with anyio.CancelScope() as scope, log.record(asked) as record:
        record.received(JANE, info)
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    with anyio.CancelScope() as scope, log.record(asked) as record:
        record.received(JANE, info)
        await record.carry_out(Answer(), lambda _: nothing())
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    events = [msgspec.json.decode(line) for line in lines]
    found = [(event["stage"], event["responseStatus"]["code"]) for event in events]
    assert found == [("Panic", 500), ("ResponseComplete", 504), ("ResponseComplete", 200)]


async def test_policy_and_path_go_together_and_must_be_usable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="go together"):
        Cluster(audit_log_path=str(tmp_path / "log"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Pod")
    settings: dict[str, Any] = {"audit_policy_file": str(bad), "audit_log_path": str(tmp_path / "log")}
    with pytest.raises(ConfigError, match="auditPolicyFile"):
        async with Cluster(serve=True, components="apiserver", **settings):
            raise AssertionError
