"""Lists: which revision to read, pages and their continue tokens.

A continue token is opaque to clients: the revision of the first page and the key from which to go on, so that all pages show
one state. Source: k8s.io/apiserver pkg/storage/continue.go, pkg/storage/etcd3/store.go (GetList), and
k8s.io/apimachinery pkg/apis/internalversion/validation (which combinations are allowed)
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from kubelite.api.errors import BadRequest, Expired, ServiceUnavailable, StatusError, Timeout, Unknown, invalid
from kubelite.api.meta import ListMeta, Status, StatusCause, StatusDetails
from kubelite.api.scheme import Resource
from kubelite.api.validation_field import forbidden, not_supported
from kubelite.apiserver.entries import EntryCache
from kubelite.apiserver.interface import Entry, ListParams, Page
from kubelite.apiserver.selection import Selection, parse_selection
from kubelite.store.store import Compacted, Future, Record, Store, StoreError, prefix_end

_TOKEN_VERSION = "meta.k8s.io/v1"
#: Records read at a time when a selector may leave most of them out.
_CHUNK = 500

_TOO_OLD = "The resourceVersion for the provided list is too old."
_TOKEN_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing "
    "with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the "
    "time the first chunk was returned and now may show up in the list."
)


class _Token(msgspec.Struct, frozen=True):
    v: str
    rv: int
    start: str


class ContinueExpired(Expired):
    """A continue token's revision is gone; its Status holds a token that goes on with the present state."""

    def __init__(self, token: str) -> None:
        super().__init__(_TOKEN_TOO_OLD)
        self._token = token

    def status(self) -> Status:
        return msgspec.structs.replace(super().status(), metadata=ListMeta(continue_=self._token))


def parse_version(text: str) -> int:
    """The resourceVersion of an object as a revision; "" is 0. Raises: Unknown."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise Unknown(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def parse_wanted(text: str) -> int:
    """The resourceVersion of a list or watch as a revision; "" is 0. Raises: BadRequest."""
    try:
        return parse_version(text)
    except Unknown as error:
        why = f'resourceVersion: Invalid value: "{text}": {error.message}'
        raise BadRequest(f"invalid resource version: {why}") from None


def encode_token(revision: int, start: str) -> str:
    """
    >>> decode_token(encode_token(7, "default/web"))
    (7, 'default/web')
    """
    raw = msgspec.json.encode(_Token(_TOKEN_VERSION, revision, start))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_token(text: str) -> tuple[int, str]:
    """(revision, key after the prefix). Raises: BadRequest."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        token = msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, ValueError) as error:
        bad = next(
            (at for at, char in enumerate(text) if not (char.isascii() and (char.isalnum() or char in "-_"))), None
        )
        why = str(error) if bad is None else f"illegal base64 data at input byte {bad}"
        raise BadRequest(f"invalid continue token: continue key is not valid: {why}") from error
    if token.v != _TOKEN_VERSION:
        raise BadRequest(f'continue key is not valid: server does not recognize this encoded version "{token.v}"')
    if not token.start or token.start.startswith("/") or "/../" in f"/{token.start}":
        raise BadRequest(f"continue key is not valid: {token.start}")
    return token.rv, token.start


def check_list_params(params: ListParams) -> None:
    """Raises: Invalid, BadRequest."""
    match = params.resource_version_match
    found = []
    if match:
        at = "resourceVersionMatch"
        if not params.resource_version and params.send_initial_events is None:
            found.append(forbidden(at, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if params.continue_:
            found.append(forbidden(at, "resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            found.append(not_supported(at, match, ("Exact", "NotOlderThan", "")))
        elif match == "Exact" and params.resource_version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            found.append(forbidden(at, why))
    if found:
        raise invalid("meta.k8s.io", "ListOptions", "", found)
    if params.continue_ and params.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")


def too_large(wanted: int, current: int) -> Timeout:
    """The client has seen a revision that this server has not."""
    cause = StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
    text = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return Timeout(text, StatusDetails(causes=(cause,), retry_after_seconds=1))


def read_error(error: StoreError, revision: int, current: int) -> StatusError:
    """What a failed read at `revision` is to a client."""
    match error:
        case Compacted():
            return Expired(_TOO_OLD)
        case Future():
            return too_large(revision, current)
        case _:
            return ServiceUnavailable(str(error))


async def read_page(store: Store, entries: EntryCache, resource: Resource, namespace: str, params: ListParams) -> Page:
    """The list that `params` asks for. Raises: BadRequest, Invalid, Expired, Timeout."""
    check_list_params(params)
    selection = parse_selection(resource, params)
    prefix = resource.prefix_of(namespace)
    revision = _revision(store, params)
    start = prefix
    if params.continue_:
        revision, after = decode_token(params.continue_)
        revision = max(revision, 0)  # -1: whatever is there now
        start = prefix + after
    try:
        if not params.continue_ and selection.name and (namespace or not resource.namespaced):
            return await _read_one(store, entries, resource, namespace, selection, revision)
        return await _read_from(store, entries, resource, prefix, start, revision, selection, params.limit)
    except StoreError as error:
        if params.continue_ and isinstance(error, Compacted):
            raise ContinueExpired(encode_token(-1, start[len(prefix) :])) from error
        raise read_error(error, revision, store.revision) from error


def _revision(store: Store, params: ListParams) -> int:
    """0 for the present state."""
    wanted = parse_wanted(params.resource_version)
    if wanted > store.revision:
        raise too_large(wanted, store.revision)
    exact = params.resource_version_match == "Exact" or (not params.resource_version_match and params.limit > 0)
    return wanted if exact else 0


async def _read_one(
    store: Store, entries: EntryCache, resource: Resource, namespace: str, selection: Selection, revision: int
) -> Page:
    found = await store.range(resource.key(selection.name, namespace), revision=revision)
    kept = await entries.load(resource, found.records)
    return Page(tuple(entry for entry in kept if selection.matches(entry.object)), found.revision)


async def _read_from(
    store: Store,
    entries: EntryCache,
    resource: Resource,
    prefix: str,
    start: str,
    revision: int,
    selection: Selection,
    limit: int,
) -> Page:
    end = prefix_end(prefix)
    kept: list[Entry] = []
    while True:
        chunk = 0 if not limit else limit - len(kept) if selection.everything else max(limit, _CHUNK)
        found = await store.range(start, end, revision=revision, limit=chunk)
        revision = revision or found.revision
        loaded = await entries.load(resource, found.records)
        for index, (record, entry) in enumerate(zip(found.records, loaded, strict=True)):
            if not selection.everything and not selection.matches(entry.object):
                continue
            kept.append(entry)
            if limit and len(kept) == limit:
                left = found.count - index - 1
                if not left:
                    break
                token = encode_token(revision, _after(record)[len(prefix) :])
                return Page(tuple(kept), revision, token, left if selection.everything else None)
        if not found.more:
            return Page(tuple(kept), revision)
        start = _after(found.records[-1])


def _after(record: Record) -> str:
    return record.key + "\0"
