"""The text of the nftables table: the fixed frame, and elements as one transaction. Pure; knows nothing of Services.

The table is named per instance and touches nothing outside itself, so that several run on one machine. Its hooks come just
before Docker's and iptables', which then see translated packets. Established connections keep their translation in conntrack
whatever happens here. Source: https://wiki.nftables.org, man nft; tried with nft 1.0.6 on kernel 6.18
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kubelite.proxy.rules import Elements

#: Marks packets to be masqueraded. kube-proxy's is 0x4000: both may run on one machine.
MARK = "0x10000"
_SET_MARK = f"meta mark set meta mark or {MARK}"
_COUNTED = re.compile(r"goto [nmlpqr](\d+)")
_LEAST_SLOTS = 64
_KEY = "meta l4proto . ip daddr . th dport"
_NODEPORT_KEY = "meta l4proto . th dport"


class TableConfig(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    pod_cidr: str
    service_cidr: str
    links: str  #: nft pattern of the interfaces to this node's pods, e.g. "kl1a2b3c*"


def encode_full(elements: Elements, config: TableConfig) -> str:
    """Replaces the whole table, whatever there was."""
    frame = _frame(config, needed_slots(elements))
    return encode_delete(config) + frame + encode_update({}, elements, config)


def needed_slots(elements: Elements) -> int:
    """How many endpoints per Service a table must provide for to hold `elements`: a power of two, at least 64.

    >>> needed_slots({("services", "tcp . 10.96.0.7 . 80"): "goto n65"})
    128
    """
    counts = (int(match[1]) for value in elements.values() if (match := _COUNTED.fullmatch(value)))
    return max(_LEAST_SLOTS, 1 << (max(counts, default=1) - 1).bit_length())


def encode_delete(config: TableConfig) -> str:
    """Removes the table; none to remove is no error."""
    return f"add table ip {config.name}\ndelete table ip {config.name}\n"


def encode_update(old: Elements, new: Elements, config: TableConfig) -> str:
    """Makes `new` of `old`; both hold only what differs, and `new` needs no more slots than the table has.

    Order matters within a transaction: elements let go of chains, chains of each other, and then they can be deleted.
    """
    table = config.name
    lines = _group("delete", ((m, k) for m, k in old if m not in _OBJECTS), table)
    lines += [f"add set ip {table} {k} {{ {v} }}" for (m, k), v in new.items() if m == "set"]
    lines += [f"add chain ip {table} {k}" for (m, k) in new if m == "chain"]
    lines += [f"flush chain ip {table} {k}" for (m, k) in old if m == "chain"]
    for (m, k), v in new.items():
        if m == "chain":
            lines += [f"add rule ip {table} {k} {rule}" for rule in v.split("\n")]
    lines += _group("add", ((m, f"{k} : {v}" if v else k) for (m, k), v in new.items() if m not in _OBJECTS), table)
    lines += [f"delete {m} ip {table} {k}" for m in _OBJECTS for (n, k) in old if n == m and (m, k) not in new]
    return "".join(f"{line}\n" for line in lines)


_OBJECTS = ("chain", "set")  #: what is declared, not added to a map; in the order of deletion


def _group(verb: str, elements: Iterable[tuple[str, str]], table: str) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name, text in elements:
        groups.setdefault(name, []).append(text)
    return [f"{verb} element ip {table} {name} {{ {', '.join(texts)} }}" for name, texts in groups.items()]


def _counted(slots: int) -> str:
    """For each number of endpoints and kind of traffic the chain that draws one of the slots."""
    maps = {
        "n": (_KEY, "", "endpoints"),
        "m": (_KEY, _SET_MARK, "endpoints"),
        "l": (_KEY, "", "external_endpoints"),
        "p": (_NODEPORT_KEY, "", "nodeport_endpoints"),
        "q": (_NODEPORT_KEY, _SET_MARK, "nodeport_endpoints"),
        "r": (_NODEPORT_KEY, "", "external_nodeport_endpoints"),
    }
    return "".join(
        f"  chain {kind}{n} {{ {mark} dnat ip addr . port to {key} . numgen random mod {n} map @{name}; }}\n"
        for kind, (key, mark, name) in maps.items()
        for n in range(1, slots + 1)
    )


def _frame(config: TableConfig, slots_count: int) -> str:
    # Counted chains stand here because nft refuses a rule on such a map that it did not declare in the same text.
    # "typeof ... numgen random mod 65536" only declares the slot's type; each chain draws from its own count.
    slots = f"typeof {_KEY} . numgen random mod 65536 : ip daddr . th dport;"
    nodeport_slots = f"typeof {_NODEPORT_KEY} . numgen random mod 65536 : ip daddr . th dport;"
    verdicts = "type inet_proto . ipv4_addr . inet_service : verdict;"
    nodeport_verdicts = "type inet_proto . inet_service : verdict;"
    outside = f"ip saddr != {config.pod_cidr} fib saddr type != local"
    pods, services, links = config.pod_cidr, config.service_cidr, config.links
    return f"""table ip {config.name} {{
  map services {{ {verdicts} }}
  map endpoints {{ {slots} }}
  map external_services {{ {verdicts} }}
  map external_endpoints {{ {slots} }}
  map nodeports {{ {nodeport_verdicts} }}
  map nodeport_endpoints {{ {nodeport_slots} }}
  map external_nodeports {{ {nodeport_verdicts} }}
  map external_nodeport_endpoints {{ {nodeport_slots} }}
  map blocked {{ {verdicts} }}
  map blocked_nodeports {{ {nodeport_verdicts} }}
  set cluster_ips {{ type ipv4_addr; }}
  set hairpin {{ type ipv4_addr . ipv4_addr; }}
{_counted(slots_count)}  chain forward_service {{
    {outside} {_KEY} vmap @external_services
    {_KEY} vmap @services
    fib daddr type local jump forward_nodeport
  }}
  chain forward_nodeport {{
    {outside} {_NODEPORT_KEY} vmap @external_nodeports
    {_NODEPORT_KEY} vmap @nodeports
  }}
  chain refuse {{ reject; }}
  chain check {{
    {_KEY} vmap @blocked
    fib daddr type local {_NODEPORT_KEY} vmap @blocked_nodeports
    ip daddr @cluster_ips reject
    ip daddr {services} drop
  }}
  chain masquerade_service {{
    meta mark and {MARK} != 0 masquerade fully-random
    ct status dnat ip saddr . ip daddr @hairpin masquerade
    ct status dnat ip saddr 127.0.0.0/8 oifname != "lo" masquerade
    ct status dnat ip saddr != {pods} oifname != {{ "lo", "{links}" }} masquerade
    ip saddr {pods} ip daddr != {pods} oifname != {{ "lo", "{links}" }} masquerade
  }}
  chain prerouting {{ type nat hook prerouting priority dstnat - 5; jump forward_service; }}
  chain output {{ type nat hook output priority -105; jump forward_service; }}
  chain postrouting {{ type nat hook postrouting priority srcnat - 5; jump masquerade_service; }}
  chain filter_input {{ type filter hook input priority filter - 5; ct state new jump check; }}
  chain filter_forward {{ type filter hook forward priority filter - 5; ct state new jump check; }}
  chain filter_output {{ type filter hook output priority filter - 5; ct state new jump check; }}
}}
"""
