from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from kubelite.config import Config, ConfigError, load

FILE = Path(__file__).parent.parent / "config" / "kubelite.yaml"


def test_the_file_documents_every_setting_with_its_default() -> None:
    text = FILE.read_text()
    documented = yaml.safe_load(text)
    assert documented == msgspec.to_builtins(Config())
    for name in documented:
        assert re.search(rf"^# .+\n{name}:", text, re.MULTILINE), f"{name} has no comment"


def test_the_command_line_goes_before_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("nodes: 3\nruntime: simulated\nlogLevel: info\nsecurePort: 1\n")
    environ = {"KUBELITE_CONFIG": str(file), "KUBELITE_LOG_LEVEL": "error", "KUBELITE_SECURE_PORT": "2"}
    config = load(["--secure-port", "0"], environ)
    assert (config.nodes, config.log_level, config.secure_port) == (3, "error", 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nodes", "many"], "nodes"),
        (["--runtime", "podman"], "podman"),
        (["--secure-port", "70000"], "securePort"),
        (["--pod-cidr", "10.0.0.0/8"], "overlap"),
        (["--pod-cidr", "nonsense"], "podCidr"),
        (["--pod-cidr", "10.1.1.0/30"], "too small"),
        (["--bind-address", "localhost"], "bindAddress"),
        (["--store", "redis"], "redis"),
        (["--nodes", "3"], "simulated"),
        (["--runtime", "simulated", "--nodes", "65", "--pod-cidr", "10.1.1.0/24"], "room for 64 nodes"),
        (["--components", "apiserver,etcd"], "'etcd'"),
        (["--components", "scheduler"], "apiserver is missing"),
        (["--components", "apiserver,dns"], "dns needs proxy"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--eviction-hard", "disk.available<1Gi"], "disk.available"),
        (["--eviction-soft", "memory.available<1Gi"], "has no grace period"),
        (["--shutdown-grace-period-critical-pods", "5"], "shutdownGracePeriodCriticalPods"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(arguments: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        load(arguments, {})
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("podCIDR: 10.1.0.0/16\n")
    with pytest.raises(ConfigError, match="podCIDR"):
        load(["--config", str(file)], {})
