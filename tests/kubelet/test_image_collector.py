"""A filling disk costs images that were pulled and are unused, the longest unused first, and no others."""

from __future__ import annotations

from pathlib import Path

from kubelite.actor.clock import SystemClock
from kubelite.kubelet.image_collector import MIN_AGE_S, ImageCollector, compute_removals
from kubelite.kubelet.node_status import Health
from kubelite.kubelet.runtime import Image
from kubelite.kubelet.simulated import SimulatedRuntime

FULL = Health(disk_bytes=1000, disk_free_bytes=100)


def image(name: str) -> Image:
    return Image(id=name, tags=(f"{name}:1",), digests=(), size_bytes=60)


def test_the_longest_unused_go_until_it_is_enough() -> None:
    images = [image("new"), image("old"), image("foreign"), image("young")]
    used = {"new": 200.0, "old": 100.0, "young": 1000.0 - MIN_AGE_S + 1}
    assert [each.id for each in compute_removals(images, used, 60, 1000.0)] == ["old"]
    assert [each.id for each in compute_removals(images, used, 1000, 1000.0)] == ["old", "new"]


class Clock(SystemClock):
    """Runs ahead when told to."""

    later_s = 0.0

    def now(self) -> float:
        return super().now() + self.later_s


class Engine(SimulatedRuntime):
    """A runtime that holds two images."""

    def __init__(self) -> None:
        super().__init__(clock=SystemClock())
        self.present = [image("pulled"), image("foreign")]

    async def list_images(self) -> list[Image]:
        return self.present

    async def remove_image(self, image: str) -> None:
        self.present = [each for each in self.present if image not in each.tags]


async def test_an_image_that_a_volume_shows_is_in_use(tmp_path: Path) -> None:
    clock, runtime = Clock(), Engine()
    collector = ImageCollector(runtime, clock, tmp_path / "pulled")
    collector.note_pull("pulled")
    clock.later_s = MIN_AGE_S
    assert await collector.collect(1000, lambda: {"pulled:1"}) == 0
    clock.later_s = 2 * MIN_AGE_S
    assert await collector.collect(1000, lambda: {"another:1"}) == 60


async def test_only_what_was_pulled_goes_and_a_restart_still_knows(tmp_path: Path) -> None:
    record = tmp_path / "pulled"
    clock = Clock()
    ImageCollector(Engine(), clock, record).note_pull("pulled")
    assert record.read_text() == "pulled\n"
    runtime = Engine()
    collector = ImageCollector(runtime, clock, record)
    await collector.check(FULL)
    assert len(runtime.present) == 2  # seen just now
    clock.later_s = MIN_AGE_S
    assert await collector.collect(1000) == 60
    assert [each.id for each in runtime.present] == ["foreign"]
    assert record.read_text() == ""
