"""Pull policies, and which credentials go with an image."""

from __future__ import annotations

from base64 import b64encode

import msgspec
import pytest

from kubelite.actor.clock import SeededClock
from kubelite.api.core_v1 import Secret
from kubelite.kubelet.images import ImageFailed, ImagePuller
from kubelite.kubelet.pull_secrets import Credentials, credentials_for
from kubelite.kubelet.simulated import SimulatedRuntime
from kubelite.testing.virtual import run_virtually

GONE = "registry.invalid/x:1"


def test_policies_decide_whether_to_pull() -> None:
    async def main() -> None:
        clock = SeededClock()
        puller = ImagePuller(SimulatedRuntime(clock=clock), clock)
        reasons: list[str] = []

        async def ensure(image: str, policy: str) -> str:
            def report(type_: str, reason: str, message: str) -> None:
                reasons.append(reason)

            reasons.clear()
            try:
                await puller.ensure("uid", image, policy, secrets=(), report=report)
            except ImageFailed as error:
                return error.reason
            return ""

        assert (await ensure("busybox", "IfNotPresent"), reasons) == ("", ["Pulled"])
        assert (await ensure("busybox", "Never"), reasons) == ("", ["Pulled"])
        assert (await ensure("busybox", "Always"), reasons) == ("", ["Pulling", "Pulled"])
        assert (await ensure(GONE, "Never"), reasons) == ("ErrImageNeverPull", ["ErrImageNeverPull"])
        assert (await ensure("UPPER//case", "Never"), reasons) == ("InvalidImageName", ["InspectFailed"])
        assert (await ensure(GONE, "Always"), reasons) == ("ErrImagePull", ["Pulling", "Failed"])
        for delay in (10, 20, 40):
            assert (await ensure(GONE, "Always"), reasons) == ("ImagePullBackOff", ["BackOff"])
            await clock.sleep(delay - 0.5)
            assert await ensure(GONE, "Always") == "ImagePullBackOff"
            await clock.sleep(0.6)
            assert await ensure(GONE, "Always") == "ErrImagePull"

    run_virtually(main())


def secret(**auths: dict[str, str]) -> Secret:
    content = msgspec.json.encode(
        {"auths": {name.replace("__", "/").replace("_", "."): auth for name, auth in auths.items()}}
    )
    return Secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": content})


def test_the_longest_matching_registry_is_tried_first() -> None:
    given = secret(
        r_example={"username": "u", "password": "p"},
        r_example__team={"auth": b64encode(b"team:secret").decode()},
        other={"username": "x", "password": "y"},
    )
    assert credentials_for("r.example/team/app:1", [given]) == [Credentials("team", "secret"), Credentials("u", "p")]
    assert credentials_for("r.example/app", [given]) == [Credentials("u", "p")]
    assert credentials_for("nginx", [given]) == []


def test_docker_hub_has_several_names() -> None:
    given = Secret(
        type="kubernetes.io/dockercfg",
        data={".dockercfg": msgspec.json.encode({"https://index.docker.io/v1/": {"username": "u", "password": "p"}})},
    )
    assert credentials_for("library/nginx", [given]) == [Credentials("u", "p")]


@pytest.mark.parametrize("content", [b"", b"not json", b"[]"])
def test_an_unreadable_secret_is_passed_over(content: bytes) -> None:
    given = Secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": content})
    assert credentials_for("nginx", [given]) == []
