"""Every setting of kubelite: its name, default and unit. Read by the composition root only.

A setting comes from the command line (`--pod-cidr`), else from the environment (`KUBELITE_POD_CIDR`), else from the file
(`podCidr` in `config/kubelite.yaml`, which documents all of them), else it has its default. A wrong one is a `ConfigError`
of one line.
"""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

#: Where the cluster's DNS server listens on the gateway address.
DNS_PORT = 53


class ConfigError(Exception):
    """A setting is wrong; the message is one line for a person."""


#: What a cluster is made of. Source: https://kubernetes.io/docs/concepts/overview/components/
COMPONENTS = ("apiserver", "controllers", "scheduler", "kubelet", "proxy", "dns")


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The settings of one cluster."""

    data_dir: Annotated[str, Meta(description="directory of the store, certificates, volumes and the kubeconfig")] = (
        "/var/lib/kubelite"
    )
    bind_address: Annotated[str, Meta(description="IP address that the API server listens on")] = "0.0.0.0"
    secure_port: Annotated[int, Meta(ge=0, le=65535, description="TCP port of the API server; 0 is any free one")] = (
        6443
    )
    kubeconfig: Annotated[
        str, Meta(description="where to write the kubeconfig; empty is DATA_DIR/admin.kubeconfig")
    ] = ""
    runtime: Annotated[Literal["docker", "simulated"], Meta(description="what runs pods: docker or simulated")] = (
        "docker"
    )
    components: Annotated[
        str, Meta(description="what runs, separated by commas; one controller is controllers/NAME-controller")
    ] = ",".join(COMPONENTS)
    nodes: Annotated[int, Meta(ge=0, description="number of nodes, with the simulated runtime")] = 1
    store: Annotated[str, Meta(description="sqlite (on disk), memory, or etcd://HOST:PORT[,HOST:PORT...]")] = "sqlite"
    pod_cidr: Annotated[str, Meta(description="IPv4 network of the pods")] = "10.244.0.0/16"
    service_cidr: Annotated[str, Meta(description="IPv4 network of the Services")] = "10.96.0.0/12"
    cluster_domain: Annotated[str, Meta(description="DNS domain of the cluster")] = "cluster.local"
    node_name: Annotated[str, Meta(description="name of the node; empty is the host's name")] = ""
    docker_socket: Annotated[str, Meta(description="path of the Docker engine's socket")] = "/var/run/docker.sock"
    install_engine: Annotated[
        bool, Meta(description="install and start Debian's docker.io and libnftables if missing")
    ] = False
    log_format: Annotated[
        Literal["console", "json"], Meta(description="form of the log on stderr: console or json")
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least level logged: debug, info, warning or error"),
    ] = "warning"

    @property
    def api_ip(self) -> str:
        """The ClusterIP of the `kubernetes` Service: the first address."""
        return str(ipaddress.IPv4Network(self.service_cidr).network_address + 1)

    @property
    def dns_ip(self) -> str:
        """The ClusterIP of the DNS server: the tenth address, as kubeadm has it."""
        return str(ipaddress.IPv4Network(self.service_cidr).network_address + 10)

    @property
    def gateway_ip(self) -> str:
        """The node's address in the pod network: its first."""
        return str(ipaddress.IPv4Network(self.pod_cidr).network_address + 1)

    @property
    def kubeconfig_path(self) -> Path:
        return Path(self.kubeconfig or Path(self.data_dir) / "admin.kubeconfig")

    @property
    def named_controllers(self) -> frozenset[str]:
        """The controllers that are named singly."""
        names = (name.partition("/") for name in self.components.split(","))
        return frozenset(controller for component, _, controller in names if component == "controllers" and controller)

    @property
    def uses_host(self) -> bool:
        """Whether this host is the node: its engine, network and kernel are used."""
        return self.runtime == "docker" and any(self.runs(component) for component in ("kubelet", "proxy", "dns"))

    def runs(self, component: str, controller: str = "") -> bool:
        """Whether a component, or one of the controllers, is wanted.

        >>> config = Config(components="apiserver,controllers/job-controller")
        >>> config.runs("kubelet"), config.runs("controllers", "job-controller")
        (False, True)
        """
        return component in self.components.split(",") or controller in self.named_controllers


def _flag(field: msgspec.structs.FieldInfo) -> str:
    return "--" + field.name.replace("_", "-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kubelite",
        description="Kubernetes in one process. Runs in the foreground until it gets SIGTERM or Ctrl-C.",
        epilog="Other commands: `python -m kubelite cleanup --help`, and the same of `image`, `store` and `why`.",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file of settings (see config/kubelite.yaml)")
    for field in msgspec.structs.fields(Config):
        help_text = f"{_described(field)} (default: {field.default!r})"
        if field.type is bool or field.default is False:
            parser.add_argument(_flag(field), action="store_const", const="true", help=help_text)
        else:
            parser.add_argument(_flag(field), metavar="VALUE", help=help_text)
    return parser


def _described(field: msgspec.structs.FieldInfo) -> str:
    info = msgspec.inspect.type_info(field.type)
    extra = getattr(info, "extra_json_schema", None) or {}
    return str(extra.get("description", ""))


def load(arguments: Sequence[str], environ: Mapping[str, str]) -> Config:
    """The settings of a daemon started with these arguments and this environment.

    Raises: ConfigError for a setting that is unknown, malformed or contradicts another; SystemExit for --help.
    """
    parsed = vars(_parser().parse_args(arguments))
    given: dict[str, Any] = {}
    path = parsed.pop("config") or environ.get("KUBELITE_CONFIG")
    if path:
        given |= _read_file(Path(path))
    for field in msgspec.structs.fields(Config):
        value = parsed.get(field.name) or environ.get(f"KUBELITE_{field.name.upper()}")
        if value is not None:
            given[field.encode_name] = value
    try:
        config = msgspec.convert(given, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"bad setting: {error}") from error
    return check(config)


def _read_file(path: Path) -> dict[str, Any]:
    import yaml

    try:
        read = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{path} must hold settings, one `name: value` a line")
    return read


def check(config: Config) -> Config:
    """`config` itself, if its settings fit together. Raises: ConfigError."""
    named = set(config.components.split(","))
    if unknown := sorted(name for name in named.difference(COMPONENTS) if not name.startswith("controllers/")):
        raise ConfigError(f"bad setting: components: {unknown[0]!r} is none of {', '.join(COMPONENTS)}")
    if "apiserver" not in named:
        raise ConfigError("bad setting: components: apiserver is missing, which all others live off")
    if "dns" in named and "proxy" not in named:
        raise ConfigError("bad setting: components: dns needs proxy, which follows the Services for both")
    networks = {}
    for name, text, shortest in (("podCidr", config.pod_cidr, 24), ("serviceCidr", config.service_cidr, 28)):
        try:
            networks[name] = ipaddress.IPv4Network(text)
        except ValueError as error:
            raise ConfigError(f"bad setting: {name}: {error}") from error
        if networks[name].prefixlen > shortest:
            raise ConfigError(f"bad setting: {name}: {text} is too small, at least a /{shortest} is needed")
    if networks["podCidr"].overlaps(networks["serviceCidr"]):
        raise ConfigError(f"bad setting: podCidr {config.pod_cidr} and serviceCidr {config.service_cidr} overlap")
    try:
        ipaddress.ip_address(config.bind_address)
    except ValueError as error:
        raise ConfigError(f"bad setting: bindAddress: {error}") from error
    if config.store not in {"sqlite", "memory"} and not config.store.startswith("etcd://"):
        raise ConfigError(f"bad setting: store: {config.store!r} is none of sqlite, memory, etcd://HOST:PORT")
    if config.runtime == "docker" and config.nodes != 1:
        raise ConfigError("bad setting: nodes: the docker runtime has one node; use --runtime simulated for more")
    return config
