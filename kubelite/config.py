"""Every setting of kubelite: its name, default and unit. Read by the composition root only.

A setting comes from the command line (`--pod-cidr`), else from the environment (`KUBELITE_POD_CIDR`), else from the file
(`podCidr` in `config/kubelite.yaml`, which documents all of them), else it has its default. A wrong one is a `ConfigError`
of one line.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    import argparse

    from kubelite.kubelet.eviction_thresholds import Policy

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
    kubelet_port: Annotated[
        int,
        Meta(
            ge=-1,
            le=65535,
            description="TCP port of the kubelet's API; 0 is any free one, and so is 10250 if it is taken; -1 is none",
        ),
    ] = 10250
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
    eviction_hard: Annotated[
        str, Meta(description="thresholds, SIGNAL<AMOUNT or SIGNAL<PERCENT%, below which pods are evicted at once")
    ] = (
        "memory.available<100Mi,nodefs.available<512Mi,nodefs.inodesFree<1%,imagefs.available<512Mi,"
        "imagefs.inodesFree<1%,pid.available<100"
    )
    eviction_soft: Annotated[
        str, Meta(description="thresholds below which pods are evicted after evictionSoftGracePeriod")
    ] = ""
    eviction_soft_grace_period: Annotated[
        str, Meta(description="how long each soft threshold has to be crossed, as in memory.available=1m30s")
    ] = ""
    eviction_minimum_reclaim: Annotated[
        str, Meta(description="how far above a threshold a signal has to rise again, as in nodefs.available=500Mi")
    ] = ""
    eviction_pressure_transition_period: Annotated[
        int, Meta(ge=0, description="seconds for which a pressure is reported after its last threshold was left")
    ] = 300
    eviction_max_pod_grace_period: Annotated[
        int, Meta(ge=0, description="seconds that a pod may take to end after a soft threshold")
    ] = 0
    shutdown_grace_period: Annotated[
        int,
        Meta(ge=0, description="seconds in which pods end when the node shuts down (SIGPWR); 0 leaves them running"),
    ] = 0
    shutdown_grace_period_critical_pods: Annotated[
        int, Meta(ge=0, description="the last seconds of shutdownGracePeriod, kept for critical pods")
    ] = 0
    shutdown_on_stop: Annotated[
        bool, Meta(description="whether SIGTERM and Ctrl-C shut the node down too, instead of leaving its pods running")
    ] = False
    install_engine: Annotated[
        bool, Meta(description="install and start Debian's docker.io and libnftables if missing")
    ] = False
    scheduler_config: Annotated[
        str, Meta(description="file with a KubeSchedulerConfiguration, for profiles; empty is the default profile")
    ] = ""
    log_format: Annotated[
        Literal["console", "json"], Meta(description="form of the log on stderr: console or json")
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least level logged: debug, info, warning or error"),
    ] = "warning"

    token_auth_file: Annotated[str, Meta(description="CSV file of static bearer tokens: token,user,uid,groups")] = ""
    oidc_issuer_url: Annotated[str, Meta(description="https URL of an OpenID issuer whose ID tokens are accepted")] = ""
    oidc_client_id: Annotated[str, Meta(description="audience that its tokens must have")] = ""
    oidc_username_claim: Annotated[str, Meta(description="claim that is the user's name")] = "sub"
    oidc_username_prefix: Annotated[
        str, Meta(description="before the name; - for nothing; empty is OIDC_ISSUER_URL#, or nothing for email")
    ] = ""
    oidc_groups_claim: Annotated[str, Meta(description="claim that is the user's groups; empty for none")] = ""
    oidc_groups_prefix: Annotated[str, Meta(description="before each group")] = ""
    oidc_ca_file: Annotated[str, Meta(description="PEM file that verifies the issuer; empty is the system's")] = ""
    requestheader_client_ca_file: Annotated[
        str, Meta(description="PEM file that verifies front proxies, whose word on users is believed")
    ] = ""
    requestheader_allowed_names: Annotated[
        str, Meta(description="common names of front proxies, separated by commas; empty is any")
    ] = ""
    requestheader_username_headers: Annotated[
        str, Meta(description="headers with the user's name, separated by commas")
    ] = "X-Remote-User"
    requestheader_group_headers: Annotated[
        str, Meta(description="headers with the user's groups, separated by commas")
    ] = "X-Remote-Group"
    requestheader_extra_headers_prefix: Annotated[
        str, Meta(description="prefixes of headers with more about the user, separated by commas")
    ] = "X-Remote-Extra-"
    audit_policy_file: Annotated[str, Meta(description="audit.k8s.io/v1 Policy of what is logged")] = ""
    audit_log_path: Annotated[str, Meta(description="file of the audit log; - is stdout; empty for none")] = ""

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

    def eviction_policy(self) -> Policy:
        """Raises: ConfigError."""
        from kubelite.kubelet.eviction_thresholds import parse_policy

        try:
            return parse_policy(
                hard=self.eviction_hard,
                soft=self.eviction_soft,
                soft_grace=self.eviction_soft_grace_period,
                minimum_reclaim=self.eviction_minimum_reclaim,
                transition_s=self.eviction_pressure_transition_period,
                max_grace_s=self.eviction_max_pod_grace_period,
            )
        except ValueError as error:
            raise ConfigError(f"bad setting: eviction: {error}") from error

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
    import argparse

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
        given |= read_settings(Path(path))
    for field in msgspec.structs.fields(Config):
        value = parsed.get(field.name) or environ.get(f"KUBELITE_{field.name.upper()}")
        if value is not None:
            given[field.encode_name] = value
    try:
        config = msgspec.convert(given, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"bad setting: {error}") from error
    return check(config)


def read_settings(path: Path) -> dict[str, Any]:
    """What a YAML file holds. Raises: ConfigError."""
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
    if config.nodes > (most := networks["podCidr"].num_addresses // 4):
        raise ConfigError(f"bad setting: nodes: podCidr {config.pod_cidr} has room for {most} nodes")
    if networks["podCidr"].overlaps(networks["serviceCidr"]):
        raise ConfigError(f"bad setting: podCidr {config.pod_cidr} and serviceCidr {config.service_cidr} overlap")
    try:
        ipaddress.ip_address(config.bind_address)
    except ValueError as error:
        raise ConfigError(f"bad setting: bindAddress: {error}") from error
    if bool(config.oidc_issuer_url) != bool(config.oidc_client_id):
        raise ConfigError("bad setting: oidcIssuerUrl and oidcClientId go together")
    if config.oidc_issuer_url and not config.oidc_issuer_url.startswith("https://"):
        raise ConfigError(f"bad setting: oidcIssuerUrl: {config.oidc_issuer_url!r} is no https URL")
    if bool(config.audit_policy_file) != bool(config.audit_log_path):
        raise ConfigError("bad setting: auditPolicyFile and auditLogPath go together")
    if config.store not in {"sqlite", "memory"} and not config.store.startswith("etcd://"):
        raise ConfigError(f"bad setting: store: {config.store!r} is none of sqlite, memory, etcd://HOST:PORT")
    if config.uses_host:
        config.eviction_policy()
    if config.shutdown_grace_period_critical_pods > config.shutdown_grace_period:
        raise ConfigError("bad setting: shutdownGracePeriodCriticalPods: more than the whole of shutdownGracePeriod")
    if config.runtime == "docker" and config.nodes != 1:
        raise ConfigError("bad setting: nodes: the docker runtime has one node; use --runtime simulated for more")
    return config
