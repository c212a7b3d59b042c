"""Images on the engine: status, pull, load, list, removal. The part of DockerRuntime that needs no instance.

Source: https://docs.docker.com/reference/api/engine/ (images), upstream's --image-pull-progress-deadline
"""

from __future__ import annotations

import base64
from typing import BinaryIO

import msgspec

from kubelite.kubelet import docker_state as found
from kubelite.kubelet.docker_client import EngineClient, Refused, filters, lines
from kubelite.kubelet.runtime import Image, RuntimeFailed

#: A pull that makes no progress for this long has failed.
_PROGRESS_S = 60.0
_LOAD_DEADLINE_S = 600.0
_NOT_FOUND = 404


class _Progress(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""
    stream: str = ""


class _GraphDriver(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str = ""
    data: dict[str, str] = msgspec.field(default_factory=dict)


class _Stored(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Where an image is."""

    graph_driver: _GraphDriver = msgspec.field(default_factory=_GraphDriver)


class DockerImages:
    def __init__(self, client: EngineClient) -> None:
        self._client = client

    async def image_status(self, image: str) -> Image | None:
        path = f"images/{image}/json"
        try:
            answer = await self._client.request("GET", path, reason="ImageInspectError", answer=found.InspectedImage)
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        return found.parse_image(answer)

    async def image_layers(self, image: str) -> tuple[str, ...]:
        """Raises: RuntimeFailed."""
        answer = await self._client.request(
            "GET", f"images/{image}/json", reason="ImageVolumeMountFailed", answer=_Stored
        )
        driver = answer.graph_driver
        if driver.name != "overlay2" or not (top := driver.data.get("UpperDir")):
            raise RuntimeFailed(
                "ImageVolumeMountFailed", f"images of the engine's storage driver {driver.name} cannot be mounted"
            )
        lower = driver.data.get("LowerDir", "")
        return (top, *(lower.split(":") if lower else ()))

    async def pull_image(self, image: str, *, username: str = "", password: str = "") -> str:
        """Raises: RuntimeFailed(ErrImagePull) with the engine's message."""
        params = {"fromImage": image}
        if not {":", "@"} & set(image.rsplit("/", 1)[-1]):
            params["tag"] = "latest"  # without a tag the engine pulls all of them
        headers = {}
        if username or password:
            credentials = msgspec.json.encode({"username": username, "password": password})
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(credentials).decode()
        async with self._client.stream(
            "POST", "images/create", reason="ErrImagePull", params=params, headers=headers, progress_s=_PROGRESS_S
        ) as chunks:
            async for line in lines(chunks):
                if failure := msgspec.json.decode(line, type=_Progress).error:
                    raise RuntimeFailed("ErrImagePull", failure)
        status = await self.image_status(image)
        if status is None:
            raise RuntimeFailed("ErrImagePull", f"the engine pulled {image} but does not have it")
        return status.id

    async def load_image(self, archive: bytes | BinaryIO) -> list[str]:
        """Adds the images of an archive in the format of `docker save`; returns their names, or ids if they have none."""
        answer = await self._client.request(
            "POST", "images/load", reason="ErrImageLoad", body=archive, deadline_s=_LOAD_DEADLINE_S
        )
        loaded = []
        for line in answer.splitlines():
            told = msgspec.json.decode(line, type=_Progress) if line.strip() else _Progress()
            if told.error:
                raise RuntimeFailed("ErrImageLoad", told.error)
            if told.stream.startswith("Loaded image"):
                loaded.append(told.stream.partition(": ")[2].strip())
        return loaded

    async def prune(self, *, everything: bool) -> tuple[int, int]:
        """Removes images without a name, or `everything` that no container uses; returns (images, bytes)."""
        answer = await self._client.request(
            "POST",
            "images/prune",
            reason="ImagePruneError",
            answer=found.Pruned,
            params={"filters": filters(dangling=["false" if everything else "true"])},
            deadline_s=_LOAD_DEADLINE_S,
        )
        removed = [each for each in answer.images_deleted or () if each.get("Deleted", "").startswith("sha256:")]
        return len(removed), answer.space_reclaimed

    async def list_images(self) -> list[Image]:
        answer = await self._client.request(
            "GET", "images/json", reason="ImageListError", answer=list[found.InspectedImage]
        )
        return [found.parse_image(image) for image in answer]

    async def remove_image(self, image: str) -> None:
        try:
            await self._client.request("DELETE", f"images/{image}", reason="ImageRemoveError")
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
