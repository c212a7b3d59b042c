"""The text of a pod's /etc/hosts and /etc/resolv.conf. Pure.

Source: pkg/kubelet/kubelet_pods.go (managedHostsFileContent), pkg/kubelet/network/dns/dns.go,
https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

import msgspec

from kubelite.api.core_v1 import HostAlias, Pod

HOSTS_HEADER = "# Kubernetes-managed hosts file.\n"
HOST_NETWORK_HEADER = "# Kubernetes-managed hosts file (host network).\n"
_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
#: What the resolver libraries take at most. Source: pkg/apis/core/validation (MaxDNSNameservers, MaxDNSSearchPaths)
MAX_NAMESERVERS, MAX_SEARCHES = 3, 32
CLUSTER_NDOTS = "ndots:5"


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolv.conf says."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def hostname_of(pod: Pod) -> str:
    """spec.hostname or the pod's name, cut to 63 characters without trailing dashes or dots."""
    return (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")


def domain_of(pod: Pod, cluster_domain: str) -> str:
    """The pod's domain, if it has a subdomain."""
    return f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if pod.spec.subdomain else ""


def kernel_hostname(pod: Pod, cluster_domain: str) -> str:
    """What `hostname` says inside: the full name with setHostnameAsFQDN.

    Raises: ValueError when that is longer than the kernel's 64 characters.
    """
    name, domain = hostname_of(pod), domain_of(pod, cluster_domain)
    if not (pod.spec.set_hostname_as_fqdn and domain):
        return name
    full = f"{name}.{domain}"
    if len(full) > 64:
        raise ValueError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"(64 characters is the max, {len(full)} characters requested)"
        )
    return full


def hosts_text(pod: Pod, ip: str, cluster_domain: str, host_text: str = "") -> str:
    """The managed hosts file; `host_text` is the machine's, which pods on the host's network see."""
    if pod.spec.host_network:
        return HOST_NETWORK_HEADER + host_text + _aliases(pod.spec.host_aliases)
    name, domain = hostname_of(pod), domain_of(pod, cluster_domain)
    own = f"{ip}\t{name}.{domain}\t{name}\n" if domain else f"{ip}\t{name}\n"
    return HOSTS_HEADER + _HOSTS + own + _aliases(pod.spec.host_aliases)


def _aliases(aliases: tuple[HostAlias, ...]) -> str:
    if not aliases:
        return ""
    lines = "".join(f"{alias.ip}\t{chr(9).join(alias.hostnames)}\n" for alias in aliases)
    return f"\n# Entries added by HostAliases.\n{lines}"


def parse_resolv_conf(text: str) -> Resolver:
    """The machine's resolv.conf; of several `search` lines the last counts."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search", *found]:
                searches = tuple(each if each == "." else each.rstrip(".") for each in found)
            case ["options", *found]:
                options = tuple(found)
    return Resolver(nameservers=tuple(nameservers), searches=searches, options=options)


def resolver_of(pod: Pod, *, host: Resolver, cluster_dns: str, cluster_domain: str) -> Resolver:
    """What the pod's resolv.conf says, by dnsPolicy and dnsConfig."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or not cluster_dns:
        base = host
    else:
        namespace = pod.metadata.namespace
        own = (f"{namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        base = Resolver(nameservers=(cluster_dns,), searches=_unique(own + host.searches), options=(CLUSTER_NDOTS,))
    config = pod.spec.dns_config
    if config is not None:
        given = tuple(f"{each.name}:{each.value}" if each.value else each.name for each in config.options)
        base = Resolver(
            nameservers=_unique(base.nameservers + config.nameservers),
            searches=_unique(base.searches + config.searches),
            options=_merged(base.options, given),
        )
    return Resolver(
        nameservers=base.nameservers[:MAX_NAMESERVERS], searches=base.searches[:MAX_SEARCHES], options=base.options
    )


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _merged(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Options by name; a new one replaces an old one."""
    return tuple({each.partition(":")[0]: each for each in (*old, *new)}.values())


def resolv_conf_text(resolver: Resolver) -> str:
    """
    >>> resolv_conf_text(Resolver(nameservers=("10.96.0.10",), searches=("a", "b"), options=("ndots:5",)))
    'search a b\\nnameserver 10.96.0.10\\noptions ndots:5\\n'
    """
    lines = [f"search {' '.join(resolver.searches)}"] if resolver.searches else []
    lines += [f"nameserver {address}" for address in resolver.nameservers]
    if resolver.options:
        lines.append(f"options {' '.join(resolver.options)}")
    return "\n".join(lines) + "\n"
