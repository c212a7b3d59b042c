"""A watch of the registry: the store's events through a selection, into a `WatchSink`.

The first delivery of a watch that starts with the present state holds exactly that state (it may be empty), at its revision.
It never happens inside `watch` itself, so that the caller has its handle by then.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kubelite.api.errors import Expired, ServiceUnavailable, StatusError
from kubelite.api.scheme import Resource
from kubelite.apiserver.entries import EntryCache, is_converted
from kubelite.apiserver.interface import Change, ListParams, WatchSink
from kubelite.apiserver.listing import check_list_params, parse_wanted, too_large
from kubelite.apiserver.selection import Selection, parse_selection, select_changes
from kubelite.store.store import Compacted, Event, Range, Record, Store, StoreError, Subscription, prefix_end


def too_old(wanted: int, oldest: int) -> Expired:
    return Expired(f"too old resource version: {wanted} ({oldest})")


def open_watch(
    store: Store, entries: EntryCache, resource: Resource, namespace: str, params: ListParams, sink: WatchSink
) -> Feed:
    """Raises: Expired, BadRequest, Invalid, Timeout (a revision that does not exist yet)."""
    check_list_params(params)
    selection = parse_selection(resource, params)
    start = parse_wanted(params.resource_version)
    if start > store.revision:
        raise too_large(start, store.revision)
    prefix = resource.prefix_of(namespace)
    end: str | None = prefix_end(prefix)
    if selection.name and (namespace or not resource.namespaced):
        prefix, end = resource.key(selection.name, namespace), None
    kind = ConvertedFeed if is_converted(resource) else Feed
    feed = kind(entries, resource, selection, sink)
    wants_state = params.send_initial_events or (params.send_initial_events is None and not start)
    try:
        if wants_state:
            store.present(prefix, end, lambda state: feed.begin(store, prefix, end, state), feed.lost)
        else:
            feed.start(store, prefix, end, start or store.revision)
    except Compacted as error:
        raise too_old(start, error.compact_revision) from error
    except StoreError as error:
        raise ServiceUnavailable(str(error)) from error
    return feed


class Feed:
    """A store sink that filters, and the watch's handle."""

    def __init__(self, entries: EntryCache, resource: Resource, selection: Selection, sink: WatchSink) -> None:
        self._entries = entries
        self._resource = resource
        self._selection = selection
        self._sink = sink
        self._subscription: Subscription | None = None
        self._initial: list[Change] | None = None
        self._from = 0
        self._paused = self._closed = False

    def start(self, store: Store, key: str, end: str | None, revision: int) -> None:
        """Everything after `revision`."""
        self._from = revision
        self._subscription = store.watch(key, end, self, start_revision=revision + 1)
        if self._paused:
            self._subscription.pause()

    def begin(self, store: Store, key: str, end: str | None, state: Range) -> None:
        """Delivers `state` as ADDED, soon, and then everything after it."""
        if self._closed:
            return
        self.start(store, key, end, state.revision)
        entries = [self._entries.of(self._resource, record) for record in state.records]
        chosen = entries if self._selection.everything else [e for e in entries if self._selection.matches(e.object)]
        self._initial = [Change("ADDED", entry) for entry in chosen]
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if self._initial is not None and not self._paused and self._subscription is not None:
            changes, self._initial = self._initial, None
            self._sink.deliver(changes, self._from)

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        self._flush()
        changes = select_changes(events, self._resource, self._selection, self._entries) if events else ()
        self._sink.deliver(changes, revision)

    def lost(self, error: StoreError) -> None:
        if self._closed:
            return
        self._flush()
        self._sink.lost(self._as_status(error))

    def _as_status(self, error: StoreError) -> StatusError:
        if isinstance(error, Compacted):
            at = self._subscription.revision if self._subscription else self._from
            return too_old(at, error.compact_revision)
        return ServiceUnavailable(str(error))

    def pause(self) -> None:
        self._paused = True
        if self._subscription is not None:
            self._subscription.pause()

    def resume(self) -> None:
        self._paused = False
        if self._initial is not None:
            asyncio.get_running_loop().call_soon(self._flush)
        if self._subscription is not None:
            self._subscription.resume()

    def close(self) -> None:
        self._closed = True
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None


class ConvertedFeed(Feed):
    """A feed whose objects somebody else must convert first: it takes no more from the store until that is done."""

    _is_busy = False

    def begin(self, store: Store, key: str, end: str | None, state: Range) -> None:
        start = super().begin
        self._after(state.records, lambda: start(store, key, end, state))

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        records = [record for event in events for record in (event.record, event.prev) if record is not None]
        pass_on = super().deliver
        if records:
            self._after(records, lambda: pass_on(events, revision))
        else:
            pass_on(events, revision)

    def resume(self) -> None:
        if self._is_busy:
            self._paused = False
        else:
            super().resume()

    def _after(self, records: Sequence[Record], then: Callable[[], None]) -> None:
        """`then`, once the records are loaded."""
        self._is_busy = True
        if self._subscription is not None:
            self._subscription.pause()
        converter = self._entries.converter
        assert converter is not None  # it is there before the kind is served

        async def job() -> None:
            problem: StatusError | None = ServiceUnavailable("the conversion was cut off")
            try:
                await self._entries.load(self._resource, records)
                problem = None
            except StatusError as error:
                problem = error
            finally:
                self._is_busy = False
                if problem is not None and not self._closed:
                    self.close()
                    self._sink.lost(problem)
            if not self._closed:
                self._continue(then)

        converter.start(job)

    def _continue(self, then: Callable[[], None]) -> None:
        try:
            then()
        except StoreError as error:
            self.lost(error)
            return
        if not self._paused and self._subscription is not None and not self._is_busy:
            self._subscription.resume()
