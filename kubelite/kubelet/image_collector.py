"""Removes images that pods no longer use when the disk fills up: the longest unused first, from 85 % down to 80 %.

The host's engine is not kubelite's alone, so only what this kubelet pulled is ever removed; a file remembers that.
Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#container-image-lifecycle,
pkg/kubelet/images/image_gc_manager.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.kubelet.node_status import Health
from kubelite.kubelet.runtime import Image, Runtime, RuntimeFailed

HIGH_PERCENT, LOW_PERCENT = 85, 80
MIN_AGE_S, PERIOD_S = 120.0, 300.0

#: Gives the names of images that volumes show.
Mounted = Callable[[], Set[str]]

log = get_logger(__name__)


def bytes_to_free(health: Health) -> int:
    """What is missing to the low mark, once the high one is passed.

    >>> bytes_to_free(Health(disk_bytes=1000, disk_free_bytes=100)), bytes_to_free(Health(disk_bytes=1000, disk_free_bytes=160))
    (100, 0)
    """
    if health.disk_free_bytes * 100 > health.disk_bytes * (100 - HIGH_PERCENT) or not health.disk_bytes:
        return 0
    return health.disk_bytes * (100 - LOW_PERCENT) // 100 - health.disk_free_bytes


def compute_removals(images: Iterable[Image], last_used: Mapping[str, float], to_free: int, now: float) -> list[Image]:
    """Of the unused images those to remove; `last_used` has the ones that may be."""
    old = [each for each in images if each.id in last_used and now - last_used[each.id] >= MIN_AGE_S]
    chosen: list[Image] = []
    for each in sorted(old, key=lambda image: last_used[image.id]):
        if sum(image.size_bytes for image in chosen) >= to_free:
            break
        chosen.append(each)
    return chosen


def _names(image: Image) -> set[str]:
    """How volumes may refer to an image."""
    return {image.id, *image.tags, *image.digests, *(tag.removesuffix(":latest") for tag in image.tags)}


class ImageCollector:
    """`record` is the file of the images that were pulled; without it none is removed."""

    def __init__(self, runtime: Runtime, clock: Clock, record: Path | None) -> None:
        self._runtime = runtime
        self._clock = clock
        self._record = record
        known = record.read_text().split() if record is not None and record.exists() else []
        self._last_used = dict.fromkeys(known, clock.now())
        self._collected_at = 0.0

    def note_pull(self, image_id: str) -> None:
        if self._record is None or image_id in self._last_used:
            return
        self._last_used[image_id] = self._clock.now()
        with self._record.open("a") as file:
            file.write(f"{image_id}\n")

    async def check(self, health: Health, mounted: Mounted = frozenset) -> None:
        """To be called with every reading of the node's health. Raises: RuntimeFailed."""
        to_free, now = bytes_to_free(health), self._clock.now()
        if to_free and self._last_used and now - self._collected_at >= PERIOD_S:
            self._collected_at = now
            await self.collect(to_free, mounted)

    async def collect(self, to_free: int, mounted: Mounted = frozenset) -> int:
        """Returns the bytes of what it removed. `mounted` names the images of volumes. Raises: RuntimeFailed."""
        now, freed = self._clock.now(), 0
        used = {each.image_ref for each in await self._runtime.list_containers()}
        images, named = await self._runtime.list_images(), mounted()
        used |= {each.id for each in images if named & _names(each)}
        self._last_used |= dict.fromkeys(used & self._last_used.keys(), now)
        unused = [each for each in images if each.id not in used]
        for image in compute_removals(unused, self._last_used, to_free, now):
            try:
                for name in image.tags or (image.id,):
                    await self._runtime.remove_image(name)
            except RuntimeFailed as error:  # somebody else's container uses it
                log.debug("Kept an image", image=image.id, err=error.message)
                continue
            log.info("Removed an unused image", image=image.id, size=image.size_bytes)
            del self._last_used[image.id]
            freed += image.size_bytes
        if freed and self._record is not None:
            self._record.write_text("".join(f"{each}\n" for each in self._last_used))
        return freed
