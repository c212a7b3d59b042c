"""Conversion webhooks: custom kinds' objects in the version that is asked for, and in the one that is stored.

Loaded with the first definition that names such a webhook.
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/conversion
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from anyio.abc import TaskGroup

from kubelite.actor.clock import Clock
from kubelite.api import codec
from kubelite.api.custom import CustomObject, Definition
from kubelite.api.custom_conversion import Malformed, Plain, compute_review, converted_objects, restore
from kubelite.api.custom_schema import well_formed
from kubelite.api.errors import BadRequest, ServiceUnavailable, Unknown
from kubelite.api.scheme import Resource
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.webhook_client import CallFailed, post

_TIMEOUT_S = 30


class Conversions:
    """Implements `entries.Converter`. `tasks`: where jobs run, while there is such a place."""

    def __init__(self, finder: Finder, clock: Clock, tasks: Callable[[], TaskGroup | None]) -> None:
        self._finder = finder
        self._clock = clock
        self._tasks = tasks

    async def present(self, resource: Resource, stored: Sequence[bytes]) -> list[bytes]:
        """Stored objects in the version of `resource`. Raises: Unknown."""
        type_: Any = resource.type
        definition: Definition = type_.definition
        made: list[bytes] = []
        asked: dict[int, Plain] = {}
        for at, value in enumerate(stored):
            version = codec.version_of(type_, value)
            if version == definition.version:
                made.append(codec.present_form(type_, value))
                continue
            plain = msgspec.json.decode(value)
            head = {"kind": definition.kind, "apiVersion": f"{definition.group}/{version}"}
            asked[at] = {**head, **{key: item for key, item in plain.items() if key not in head}}
            made.append(b"")
        converted = await self._convert(definition, list(asked.values()), definition.version)
        for at, plain in zip(asked, converted, strict=True):
            made[at] = codec.encode_stored(_typed(type_, plain))
        return made

    async def store(self, obj: CustomObject, shown: bytes) -> bytes:
        type_ = type(obj)
        definition = type_.definition
        if definition.version != definition.stored_version:
            original = codec.to_builtins(obj)
            (converted,) = await self._convert(definition, [original], definition.stored_version)
            made = codec.decoder(type_).decode(msgspec.json.encode(converted))
            shown = codec.encode_stored(made)
            obj = made
        return codec.stored_form(obj, shown)

    def start(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        tasks = self._tasks()
        if tasks is None:
            raise ServiceUnavailable("custom resources are being loaded")
        tasks.start_soon(job)

    async def _convert(self, definition: Definition, objects: list[Plain], version: str) -> list[Plain]:
        """Raises: Unknown."""
        webhook = definition.conversion
        if not objects or webhook is None or webhook.client_config is None:
            return objects
        desired = f"{definition.group}/{version}"
        who = f"conversion webhook for {objects[0]['apiVersion']}, Kind={definition.kind}"
        try:
            review = compute_review(objects, desired, self._clock.uid(), webhook.conversion_review_versions)
            body = msgspec.json.encode(review)
            answer = await post(webhook.client_config, body, self._finder, timeout_s=_TIMEOUT_S)
            found = converted_objects(answer, review)
        except (CallFailed, Malformed) as error:
            raise Unknown(f"{who} failed: {error}") from error
        if len(found) != len(objects):
            raise Unknown(f"{who} returned {len(found)} objects, expected {len(objects)}")
        restored = []
        for at, (original, converted) in enumerate(zip(objects, found, strict=True)):
            try:
                restored.append(restore(original, converted, desired))
            except Malformed as error:
                raise Unknown(f"{who} returned invalid object at index {at}: {error}") from error
        return restored


def _typed(type_: type[CustomObject], plain: Plain) -> CustomObject:
    """As its version's schema has it, defaults included."""
    obj: CustomObject = codec.decoder(type_).decode(msgspec.json.encode(plain))
    try:
        return msgspec.structs.replace(obj, content=well_formed(type_, obj.content))
    except BadRequest:  # malformed embedded metadata: shown as it is
        return obj
