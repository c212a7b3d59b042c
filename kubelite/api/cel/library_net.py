"""URLs, IP addresses and ranges of them. Pure.

Source: k8s.io/apiserver pkg/cel/library/{urls,ip,cidr}.go, pkg/cel/{url,ip,cidr}.go
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote, unquote_plus

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.values import Opaque

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:[^@]*@)?(\[[^\]\[]*\]|[^:\[\]]*)(?::([0-9]*))?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Url(Opaque, frozen=True):
    type_name: ClassVar[str] = "kubernetes.URL"
    scheme: str
    host: str  #: with the port
    path: str
    query: str


class Ip(Opaque, frozen=True):
    type_name: ClassVar[str] = "net.IP"
    address: Any


class Cidr(Opaque, frozen=True):
    """`address` may have bits beyond the range's prefix."""

    type_name: ClassVar[str] = "net.CIDR"
    address: Any
    bits: int

    @property
    def network(self) -> Network:
        return ipaddress.ip_network(f"{self.address}/{self.bits}", strict=False)


# -- URLs ------------------------------------------------------------------------------------------------------------------


def _url(text: str) -> Url:
    """An absolute URI, or an absolute path. Raises: CelError."""
    problem = CelError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    match = _URL.fullmatch(text)
    if match is None or not text or any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise problem
    scheme, authority, path, query = match[1], match[2], match[3], match[4]
    if (not scheme and not text.startswith("/")) or _BAD_ESCAPE.search(path) or " " in (authority or ""):
        raise problem
    if scheme and authority is None and not path.startswith("/"):
        return Url((scheme or "").lower(), "", "", query or "")
    if authority is not None and _AUTHORITY.fullmatch(authority) is None:
        raise problem
    host = (authority or "").rpartition("@")[2]
    return Url((scheme or "").lower(), host, path, query or "")


def _tried(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except CelError:
            return False
        return True

    return check


def _hostname(url: Url) -> str:
    match = _AUTHORITY.fullmatch(url.host)
    return match[1].strip("[]") if match else ""


def _port(url: Url) -> str:
    match = _AUTHORITY.fullmatch(url.host)
    return match[2] or "" if match else ""


def _query(url: Url) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in url.query.split("&"):
        if not pair or ";" in pair or _BAD_ESCAPE.search(pair):
            continue
        key, _, value = pair.partition("=")
        found.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return found


URLS: dict[str, Callable[..., Any]] = {
    "url(string): kubernetes.URL": _url,
    "isURL(string): bool": _tried(_url),
    "kubernetes.URL.getScheme(): string": lambda url: url.scheme,
    "kubernetes.URL.getHost(): string": lambda url: url.host,
    "kubernetes.URL.getHostname(): string": _hostname,
    "kubernetes.URL.getPort(): string": _port,
    "kubernetes.URL.getEscapedPath(): string": lambda url: quote(url.path, safe="/%:@!$&'()*+,;=~-._"),
    "kubernetes.URL.getQuery(): map<string, list<string>>": _query,
}


# -- addresses -------------------------------------------------------------------------------------------------------------


def _address(text: str) -> Address:
    """Raises: ValueError."""
    address = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError("IP address with zone value is not allowed")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError("IPv4-mapped IPv6 address is not allowed")
    return address


def _ip(text: str) -> Ip:
    """Raises: CelError."""
    try:
        return Ip(_address(text))
    except ValueError as error:
        why = str(error) if "allowed" in str(error) else "unable to parse IP"
        raise CelError(f'IP Address "{text}" parse error during conversion from string: {why}') from None


def _cidr(text: str) -> Cidr:
    """Raises: CelError."""
    problem = f"network address parse error during conversion from string: network address parse error: {text}"
    host, slash, bits = text.partition("/")
    try:
        address = _address(host)
    except ValueError:
        raise CelError(problem) from None
    is_number = bits.isascii() and bits.isdigit() and (bits == "0" or not bits.startswith("0"))
    if not slash or not is_number or len(bits) > 3 or int(bits) > address.max_prefixlen:
        raise CelError(problem)
    return Cidr(address, int(bits))


def _is_global_unicast(ip: Ip) -> bool:
    address = ip.address
    is_broadcast = str(address) == "255.255.255.255"
    odd = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not is_broadcast and not odd


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return ip.address in cidr.network


def _contains_cidr(cidr: Cidr, other: Cidr) -> bool:
    mine, theirs = cidr.network, other.network
    return mine.version == theirs.version and cidr.bits <= other.bits and theirs.network_address in mine


def _is_link_local_multicast(ip: Ip) -> bool:
    if ip.address.version == 4:
        return bool(ip.address in ipaddress.ip_network("224.0.0.0/24"))
    return bool(ip.address.is_multicast and ip.address.packed[1] & 0x0F == 2)


ADDRESSES: dict[str, Callable[..., Any]] = {
    "ip(string): net.IP": _ip,
    "isIP(string): bool": _tried(_ip),
    "ip/isCanonical(string): bool": lambda text: str(_ip(text).address) == text,
    "net.IP.family(): int": lambda ip: ip.address.version,
    "net.IP.isUnspecified(): bool": lambda ip: ip.address.is_unspecified,
    "net.IP.isLoopback(): bool": lambda ip: ip.address.is_loopback,
    "net.IP.isLinkLocalMulticast(): bool": _is_link_local_multicast,
    "net.IP.isLinkLocalUnicast(): bool": lambda ip: ip.address.is_link_local,
    "net.IP.isGlobalUnicast(): bool": _is_global_unicast,
    "string(net.IP): string": lambda ip: str(ip.address),
    "cidr(string): net.CIDR": _cidr,
    "isCIDR(string): bool": _tried(_cidr),
    "net.CIDR.containsIP(net.IP): bool": _contains_ip,
    "net.CIDR.containsIP(string): bool": lambda cidr, text: _contains_ip(cidr, _ip(text)),
    "net.CIDR.containsCIDR(net.CIDR): bool": _contains_cidr,
    "net.CIDR.containsCIDR(string): bool": lambda cidr, text: _contains_cidr(cidr, _cidr(text)),
    "net.CIDR.ip(): net.IP": lambda cidr: Ip(cidr.address),
    "net.CIDR.masked(): net.CIDR": lambda cidr: Cidr(cidr.network.network_address, cidr.bits),
    "net.CIDR.prefixLength(): int": lambda cidr: cidr.bits,
    "string(net.CIDR): string": lambda cidr: f"{cidr.address}/{cidr.bits}",
}
