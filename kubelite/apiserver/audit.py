"""The audit log: one JSON line per stage of a request, as much of it as the policy wants.

`Handlers` opens a `Record` per request if there is a log; the record is told who asks and what was decided, sees the body as
it is read and the outcome as it is carried out. Lines are written before the next stage begins.
Source: k8s.io/apiserver pkg/audit, pkg/endpoints/filters/audit.go, plugin/pkg/audit/log
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.errors import StatusError
from kubelite.api.scheme import Scheme
from kubelite.api.timestamp import rfc3339_micro
from kubelite.apiserver import media
from kubelite.apiserver.answers import Answer, Flowing, Outcome, Relayed, Request, Watching
from kubelite.apiserver.audit_policy import Level, Policy, Stage, Wanted
from kubelite.apiserver.authz import Decision
from kubelite.apiserver.interface import User
from kubelite.apiserver.request import RequestInfo
from kubelite.apiserver.traffic import is_long

_AGENT_LENGTH = 1024
_BODY_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_log = get_logger(__name__)
T = TypeVar("T")


def open_file(path: str) -> Callable[[bytes], None]:
    """Appends to a file that only its owner may read; "-" is stdout. Raises: OSError."""
    descriptor = 1
    if path != "-":
        descriptor = os.open(Path(path), os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        os.fchmod(descriptor, 0o600)  # it may have been there, readable to others

    def write(line: bytes) -> None:
        try:
            os.write(descriptor, line)
        except OSError as error:
            _log.error("Lost an audit event", path=path, error=str(error))

    return write


class AuditLog:
    """`scheme` is what is served just now, by which binary bodies are read."""

    def __init__(
        self, policy: Policy, write: Callable[[bytes], None], clock: Clock, scheme: Callable[[], Scheme]
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.scheme = scheme
        self._write = write

    @contextmanager
    def record(self, request: Request) -> Iterator[Record]:
        """One request; what nobody foresaw is a stage of its own, and who leaves early is noted too."""
        record = Record(self, request)
        try:
            yield record
        except anyio.get_cancelled_exc_class():
            record.cut_off("ResponseComplete", 504, "the client left, or the server stopped, before the answer")
            raise
        except BaseException:
            record.cut_off("Panic", 500, "")
            raise

    def write(self, event: dict[str, Any]) -> None:
        self._write(msgspec.json.encode(event) + b"\n")


class Record:
    """What is known of one request."""

    def __init__(self, log: AuditLog, request: Request) -> None:
        self.code = 0
        self.annotations: dict[str, str] | None = None  #: for whoever decides something; None if nothing is logged
        self._log = log
        self._request = request
        self._received_at = rfc3339_micro(log.clock.now())
        self._user: User | None = None
        self._impersonated: User | None = None
        self._info: RequestInfo | None = None
        self._wanted = Wanted()
        self._body: bytes | None = None
        self._answer: Answer | None = None
        self._message = ""
        self._is_complete = False

    # -- what the handlers tell ----------------------------------------------------------------------------------------

    def received(self, user: User, info: RequestInfo) -> Request:
        """The request to go on with."""
        self._begin(user, info)
        if self._wanted.level == Level.NONE:
            return self._request
        self.annotations = {}
        self.emit("RequestReceived")
        return replace(self._request, read=self._read) if info.verb in _BODY_VERBS else self._request

    def unknown(self, info: RequestInfo) -> None:
        """Nobody knows who asks."""
        self._begin(None, info)
        how = [name for name, given in (("bearer", "Authorization"),) if self._request.headers.get(given, "")]
        how += ["x509"] if self._request.peer is not None else []
        said = f", attempted: {', '.join(how)}" if how else ", no credentials provided"
        self._message = f"Authentication failed{said}"

    def _begin(self, user: User | None, info: RequestInfo) -> None:
        self._message = ""
        self._user, self._info = user, info
        self._wanted = self._log.policy.evaluate(user, info)

    def impersonated(self, user: User) -> None:
        if user is not self._user:
            self._impersonated = user

    def decided(self, decision: Decision) -> None:
        if self.annotations is not None:
            self.annotations["authorization.k8s.io/decision"] = "allow" if decision.allowed else "forbid"
            self.annotations["authorization.k8s.io/reason"] = decision.reason

    async def _read(self) -> bytes:
        self._body = await self._request.read()
        return self._body

    # -- the outcome ---------------------------------------------------------------------------------------------------

    async def carry_out(self, outcome: Outcome, carry_out: Callable[[Outcome], Awaitable[T]]) -> T:
        """Does it, and logs its stages: an answer in one piece before the client has it, a stream when it ends."""
        if isinstance(outcome, Answer):
            self._answer, self.code = outcome, outcome.code
            self.emit("ResponseComplete" if self._user is not None else "ResponseStarted")
            return await carry_out(outcome)
        if isinstance(outcome, Watching):
            self._start(200)
        elif isinstance(outcome, Flowing):
            outcome = replace(outcome, chunks=self._noted(outcome.chunks, lambda _: 200))
        elif isinstance(outcome, Relayed):
            outcome = replace(outcome, open=self._noted(outcome.open, lambda found: found.code))
        else:
            outcome = replace(outcome, open=self._noted(outcome.open, lambda _: 101))
        try:
            return await carry_out(outcome)
        finally:
            self.emit("ResponseComplete")

    @asynccontextmanager
    async def _noted(self, inner: AbstractAsyncContextManager[Any], code: Callable[[Any], int]) -> AsyncIterator[Any]:
        try:
            async with inner as value:
                self._start(code(value))
                yield value
        except StatusError as error:
            if not self.code:
                self.code, self._message = error.status_code, error.message
            raise

    def cut_off(self, stage: Stage, code: int, message: str) -> None:
        """The end that was none."""
        if not self._is_complete:
            self.code, self._message = code, message
            self.emit(stage)

    def _start(self, code: int) -> None:
        """The answer has begun; of what takes long that is a stage."""
        self.code = code
        if self._info is not None and is_long(self._info):
            self.emit("ResponseStarted")

    # -- the event -----------------------------------------------------------------------------------------------------

    def emit(self, stage: Stage) -> None:
        wanted, info = self._wanted, self._info
        self._is_complete = stage == "ResponseComplete"
        if wanted.level == Level.NONE or info is None or stage in wanted.omit_stages:
            return
        request = self._request
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": wanted.level.wire,
            "auditID": request.audit_id,
            "stage": stage,
            "requestURI": f"{request.path}?{request.raw_query}" if request.raw_query else request.path,
            "verb": info.verb,
            "user": _user(self._user),
        }
        if self._impersonated is not None:
            event["impersonatedUser"] = _user(self._impersonated)
        if sources := _sources(request):
            event["sourceIPs"] = sources
        if agent := request.headers.get("User-Agent", ""):
            event["userAgent"] = agent if len(agent) <= _AGENT_LENGTH else f"{agent[:_AGENT_LENGTH]}...TRUNCATED"
        sent = self._sent()
        if info.is_resource:
            event["objectRef"] = _reference(info, sent)
        if self.code:
            event["responseStatus"] = self._status()
        if sent is not None and wanted.level >= Level.REQUEST:
            event["requestObject"] = _trimmed(sent) if wanted.omit_managed_fields else sent
        is_whole = stage == "ResponseComplete" and wanted.level >= Level.REQUEST_RESPONSE
        if is_whole and (answered := _decoded(self._answer)) is not None:
            event["responseObject"] = _trimmed(answered) if wanted.omit_managed_fields else answered
        event["requestReceivedTimestamp"] = self._received_at
        event["stageTimestamp"] = rfc3339_micro(self._log.clock.now())
        if self.annotations:
            event["annotations"] = dict(self.annotations)
        self._log.write(event)

    def _sent(self) -> Any:
        """The body as it came; None while there is none, or when it cannot be read."""
        if not self._body:
            return None
        type_ = self._request.headers.get("Content-Type", "")
        try:
            if "protobuf" in type_ and (info := self._info) is not None:
                resource = self._log.scheme().resource(info.group, info.version, info.resource)
                return media.decode(self._body, type_, resource.kind, (resource.type,))
            return media.parse_yaml(self._body) if "yaml" in type_ else msgspec.json.decode(self._body)
        except (ValueError, KeyError, StatusError):
            return None

    def _status(self) -> dict[str, Any]:
        said = _decoded(self._answer) if self._answer is not None and self._answer.code >= 400 else None
        if isinstance(said, dict) and said.get("kind") == "Status":
            known = {key: said[key] for key in ("status", "message", "reason", "details") if said.get(key)}
            return {"metadata": {}, **known, "code": self.code}
        return {"metadata": {}, **({"message": self._message} if self._message else {}), "code": self.code}


def _user(user: User | None) -> dict[str, Any]:
    if user is None:
        return {}
    shown = {"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra}
    return {key: value for key, value in shown.items() if value}


def _sources(request: Request) -> list[str]:
    """Where it came from: what proxies say, and the other end of the connection."""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    found = [*forwarded, request.headers.get("X-Real-Ip", ""), request.remote]
    return list(dict.fromkeys(address.strip() for address in found if address.strip()))


def _reference(info: RequestInfo, sent: Any) -> dict[str, str]:
    meta = sent.get("metadata") if isinstance(sent, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    found = {
        "resource": info.resource,
        "namespace": info.namespace or meta.get("namespace"),
        "name": info.name or meta.get("name"),
        "uid": meta.get("uid"),
        "apiGroup": info.group,
        "apiVersion": info.version,
        "resourceVersion": meta.get("resourceVersion"),
        "subresource": info.subresource,
    }
    return {key: value for key, value in found.items() if value}


def _decoded(answer: Answer | None) -> Any:
    if answer is None or "json" not in answer.type:
        return None
    try:
        return msgspec.json.decode(answer.body)
    except ValueError:
        return None


def _trimmed(value: Any) -> Any:
    """Without the managed fields of it, and of its items."""
    if not isinstance(value, dict):
        return value
    found = dict(value)
    if isinstance(meta := found.get("metadata"), dict):
        found["metadata"] = {key: each for key, each in meta.items() if key != "managedFields"}
    if isinstance(items := found.get("items"), list):
        found["items"] = [_trimmed(item) for item in items]
    return found
