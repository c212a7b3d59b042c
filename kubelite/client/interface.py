"""What a component may do with the cluster, one Protocol per right.

`apiserver/local` (in process, no copies) and `client/remote` (HTTPS) implement them alike. Objects are typed, frozen values;
`type[O]` names the resource. Every call may raise `api.errors.StatusError`. A component takes the narrowest Protocol it needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from kubelite.api.meta import DeleteOptions, Object

O = TypeVar("O", bound=Object)  # noqa: E741


class Listing(msgspec.Struct, Generic[O], frozen=True):
    """The objects as of `resource_version`, from which a watch continues."""

    items: tuple[O, ...]
    resource_version: str
    continue_: str = ""


class WatchEvent(msgspec.Struct, Generic[O], frozen=True, gc=False):
    """One change. A DELETED event carries the last state, at the revision of the deletion; a BOOKMARK only a revision."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: O


class Reader(Protocol):
    async def get(self, type_: type[O], name: str, namespace: str = "") -> O:
        """Raises: NotFound."""

    async def list(
        self, type_: type[O], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing[O]:
        """All objects of the kind in `namespace` (empty: everywhere), consistent as of one revision."""


class Watcher(Protocol):
    def watch(
        self,
        type_: type[O],
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AbstractAsyncContextManager[AsyncIterator[list[WatchEvent[O]]]]:
        """Everything after `resource_version`, each change once and in order, in batches.

        Raises: Expired, at entry or from the iterator, when the place is lost: list again.
        """


class Writer(Protocol):
    async def create(self, obj: O, *, dry_run: bool = False) -> O:
        """Raises: AlreadyExists, Invalid, Forbidden."""

    async def update(self, obj: O, *, subresource: str = "", dry_run: bool = False) -> O:
        """Replaces the object (or only `status`); its resourceVersion, if set, must be current. Raises: Conflict, NotFound."""

    async def patch(
        self,
        type_: type[O],
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        patch_type: Literal["merge", "json", "strategic", "apply"] = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> O: ...

    async def delete(
        self, type_: type[Object], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        """Starts the deletion; finalizers and grace periods may delay its end. Raises: NotFound, Conflict (preconditions)."""

    async def create_subresource(self, obj: Object, name: str, namespace: str, *, plural: str, subresource: str) -> Any:
        """POSTs `obj` to a subresource, e.g. a Binding to pods/binding; returns the answer's typed value."""


class Client(Reader, Writer, Watcher, Protocol):
    """All rights at once; `because` gives the same client whose writes carry a cause (see apiserver/registry)."""

    def because(self, cause: str) -> Client: ...
