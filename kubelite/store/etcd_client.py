"""The one door to etcd's gRPC API: calls, errors and credentials; messages are those of etcd_messages.proto.

grpcio (the extra `[etcd]`) is imported when a client is made. The channel balances over all members and reconnects by itself;
a call waits for a connection until its deadline.

Source: https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/; error texts: etcd api/v3rpc/rpctypes/error.go
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import msgspec

from kubelite.store import etcd_messages_pb2 as pb
from kubelite.store.store import OutcomeUnknown, StoreError, Unavailable

if TYPE_CHECKING:
    from google.protobuf.message import Message

    Answer = TypeVar("Answer", bound=Message)

CALL_TIMEOUT_S = 10.0
#: Reasons of UNAVAILABLE that say that nothing was done. Source: etcd api/v3rpc/rpctypes/error.go
NOT_SENT = ("no leader", "etcdserver: not capable", "failed to connect to all addresses")
#: One member's answer may hold a whole LIST.
MAX_MESSAGE_BYTES = 512 << 20


class EtcdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoints` are HOST:PORT; TLS is used when `ca_file` is given, with a client certificate when that is given too."""

    endpoints: tuple[str, ...]
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> EtcdConfig:
        """From `etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][?ca=FILE&cert=FILE&key=FILE]`. Raises: ValueError.

        >>> EtcdConfig.parse("etcd://127.0.0.1:2379,127.0.0.1:2389").endpoints
        ('127.0.0.1:2379', '127.0.0.1:2389')
        """
        from urllib.parse import parse_qsl, unquote, urlsplit

        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        endpoints = tuple(hosts.split(","))
        options = dict(parse_qsl(parts.query))
        if (
            parts.scheme != "etcd"
            or parts.path
            or not all(":" in host for host in endpoints)
            or options.keys() - {"ca", "cert", "key"}
        ):
            raise ValueError(f"not an etcd URL: {url}")
        return cls(
            endpoints=endpoints,
            ca_file=options.get("ca", ""),
            cert_file=options.get("cert", ""),
            key_file=options.get("key", ""),
            user=unquote(user),
            password=unquote(password),
        )


class Refused(StoreError):
    """etcd answered with an error; `reason` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EtcdClient:
    """A channel to the members. Made within the event loop."""

    def __init__(self, config: EtcdConfig) -> None:
        self._config = config
        self._metadata: tuple[tuple[str, str], ...] = ()
        self._channel: Any = None

    async def connect(self) -> None:
        """Raises: StoreError when grpcio is missing; Unavailable when no member answers."""
        try:
            import grpc.aio
        except ImportError as error:
            raise StoreError("an etcd store needs grpcio: pip install 'kubelite[etcd]'") from error
        config = self._config
        try:
            addresses = [await _resolve(endpoint) for endpoint in config.endpoints]
            ca, cert, key = [await _read(name) for name in (config.ca_file, config.cert_file, config.key_file)]
        except OSError as error:
            raise StoreError(f"cannot connect to etcd: {error}") from error
        options: list[tuple[str, Any]] = [
            ("grpc.lb_policy_name", "round_robin"),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 3_000),
        ]
        target = "ipv4:" + ",".join(addresses)
        if config.ca_file:
            credentials = grpc.ssl_channel_credentials(ca, key, cert)
            options.append(("grpc.ssl_target_name_override", config.endpoints[0].rpartition(":")[0]))
            self._channel = grpc.aio.secure_channel(target, credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(target, options)
        if config.user:
            await self._authenticate()

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def call(self, method: str, request: Message, answer: type[Answer]) -> Answer:
        """One call. Raises: Refused; Unavailable when nothing was done; OutcomeUnknown when no member answered."""
        import grpc

        for attempt in (1, 2):
            rpc = self._channel.unary_unary(
                f"/etcdserverpb.{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )
            try:
                result: Answer = await rpc(
                    request, timeout=CALL_TIMEOUT_S, wait_for_ready=True, metadata=self._metadata
                )
            except grpc.aio.AioRpcError as error:
                if attempt == 1 and self._config.user and "auth token" in str(error.details()):
                    await self._authenticate()  # it had expired
                    continue
                raise _translated(error) from error
            return result
        raise AssertionError("unreachable")

    def stream(self, method: str, request: type[Message], answer: type[Message]) -> Any:
        """A call with messages both ways: `write`, `read` and `cancel`; errors go through `translate`."""
        rpc = self._channel.stream_stream(
            f"/etcdserverpb.{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return rpc(wait_for_ready=True, metadata=self._metadata)

    async def _authenticate(self) -> None:
        config, self._metadata = self._config, ()
        request = pb.AuthenticateRequest(name=config.user, password=config.password)
        answer = await self.call("Auth/Authenticate", request, pb.AuthenticateResponse)
        self._metadata = (("token", answer.token),)


def stream_errors() -> tuple[type[BaseException], ...]:
    """What reading or writing a stream raises when the connection or the member is gone."""
    import asyncio

    import grpc

    return (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError)


def _translated(error: Any) -> StoreError:
    import grpc

    detail = str(error.details())
    match error.code():
        case grpc.StatusCode.UNAVAILABLE if any(text in detail for text in NOT_SENT):
            return Unavailable(f"etcd: {detail}")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED | grpc.StatusCode.CANCELLED:
            return OutcomeUnknown(f"etcd: {detail}; whether anything was written is unknown")
    return Refused(detail)


async def _resolve(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    found = await anyio.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return f"{found[0][4][0]}:{port}"


async def _read(name: str) -> bytes | None:
    return await anyio.Path(Path(name)).read_bytes() if name else None
