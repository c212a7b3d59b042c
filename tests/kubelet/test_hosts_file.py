"""The texts of /etc/hosts and /etc/resolv.conf."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.core_v1 import HostAlias, Pod, PodDNSConfig, PodDNSConfigOption, PodSpec
from kubelite.api.meta import ObjectMeta
from kubelite.kubelet.hosts_file import (
    Resolver,
    hosts_text,
    kernel_hostname,
    parse_resolv_conf,
    resolv_conf_text,
    resolver_of,
)

HOST = Resolver(nameservers=("9.9.9.9",), searches=("corp",), options=("timeout:2",))


def pod(**spec: Any) -> Pod:
    return Pod(metadata=ObjectMeta(name="web-0", namespace="d"), spec=PodSpec(**spec))


def resolver(**spec: Any) -> Resolver:
    return resolver_of(pod(**spec), host=HOST, cluster_dns="10.96.0.10", cluster_domain="cluster.local")


def test_the_hosts_file_names_the_pod_its_domain_and_aliases() -> None:
    aliases = (HostAlias(ip="1.2.3.4", hostnames=("a", "b")),)
    text = hosts_text(pod(subdomain="sub", host_aliases=aliases), "10.0.0.1", "cluster.local")
    assert text.splitlines()[0] == "# Kubernetes-managed hosts file."
    assert "10.0.0.1\tweb-0.sub.d.svc.cluster.local\tweb-0\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_pods_on_the_hosts_network_see_the_hosts_file() -> None:
    text = hosts_text(pod(host_network=True), "", "cluster.local", "127.0.0.1 me\n")
    assert text == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"


def test_dns_policies() -> None:
    searches = ("d.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp")
    cluster = Resolver(nameservers=("10.96.0.10",), searches=searches, options=("ndots:5",))
    assert resolver() == cluster
    assert resolver(dns_policy="ClusterFirst", host_network=True) == HOST
    assert resolver(dns_policy="ClusterFirstWithHostNet", host_network=True) == cluster
    assert resolver(dns_policy="Default") == HOST
    config = PodDNSConfig(
        nameservers=("1.1.1.1",), searches=("x",), options=(PodDNSConfigOption(name="ndots", value="2"),)
    )
    assert resolver(dns_policy="None", dns_config=config) == Resolver(
        nameservers=("1.1.1.1",), searches=("x",), options=("ndots:2",)
    )
    merged = resolver(dns_config=config)
    assert merged.nameservers == ("10.96.0.10", "1.1.1.1")
    assert merged.options == ("ndots:2",)


def test_resolv_conf_is_read_as_the_resolver_reads_it() -> None:
    text = "# x\nnameserver 1.1.1.1\nsearch a\nsearch b. c\noptions rotate\n"
    found = parse_resolv_conf(text)
    assert found == Resolver(nameservers=("1.1.1.1",), searches=("b", "c"), options=("rotate",))
    assert parse_resolv_conf(resolv_conf_text(found)) == found


def test_the_hostname_may_be_the_full_name_if_it_fits() -> None:
    assert kernel_hostname(pod(subdomain="s"), "cluster.local") == "web-0"
    assert (
        kernel_hostname(pod(subdomain="s", set_hostname_as_fqdn=True), "cluster.local") == "web-0.s.d.svc.cluster.local"
    )
    with pytest.raises(ValueError, match="64 characters is the max"):
        kernel_hostname(pod(subdomain="s" * 60, set_hostname_as_fqdn=True), "cluster.local")
