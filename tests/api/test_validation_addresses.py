"""What IPAddresses and ServiceCIDRs may be."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.meta import ObjectMeta
from kubelite.api.networking_v1 import (
    IPAddress,
    IPAddressSpec,
    ParentReference,
    ServiceCIDR,
    ServiceCIDRSpec,
    ServiceCIDRStatus,
)
from kubelite.api.validation import validate, validate_update


def address(
    name: str = "10.96.0.5", *, group: str = "", resource: str = "services", namespace: str = "default", of: str = "web"
) -> IPAddress:
    parent = ParentReference(group=group, resource=resource, namespace=namespace, name=of)
    return IPAddress(metadata=ObjectMeta(name=name), spec=IPAddressSpec(parent_ref=parent))


def cidr(*cidrs: str) -> ServiceCIDR:
    return ServiceCIDR(metadata=ObjectMeta(name="more"), spec=ServiceCIDRSpec(cidrs=cidrs))


def problems(obj: IPAddress | ServiceCIDR, old: IPAddress | ServiceCIDR | None = None) -> list[tuple[str, str]]:
    found = validate(obj, namespaced=False) if old is None else validate_update(obj, old, namespaced=False)
    return [(error.field, error.detail) for error in found]


@pytest.mark.parametrize("name", ["10.96.0.5", "fd00::1", "::"])
def test_a_canonical_address_is_a_name(name: str) -> None:
    assert problems(address(name)) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("web", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("10.96.0.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("10.096.0.5", "must not have leading 0s"),
        ("::ffff:10.96.0.5", "must not be an IPv4-mapped IPv6 address"),
        ("fd00:0::1", 'must be in canonical form ("fd00::1")'),
    ],
)
def test_another_name_is_refused(name: str, why: str) -> None:
    assert problems(address(name)) == [("metadata.name", f'Invalid value: "{name}": {why}')]


def test_an_address_belongs_to_something_forever() -> None:
    assert problems(replace(address(), spec=IPAddressSpec())) == [("spec.parentRef", "Required value")]
    nothing = address(resource="", of="")
    assert problems(nothing) == [
        ("spec.parentRef.resource", "Required value"),
        ("spec.parentRef.name", "Required value"),
    ]
    assert [path for path, _ in problems(address(group="G", resource="a/b", namespace=".."))] == [
        "spec.parentRef.group",
        "spec.parentRef.resource",
        "spec.parentRef.namespace",
    ]
    shown = '{"Group":"","Resource":"services","Namespace":"default","Name":"other"}'
    changed = [("spec.parentRef", f"Invalid value: {shown}: field is immutable")]
    assert problems(address(), address()) == []
    assert problems(address(of="other"), address()) == changed


@pytest.mark.parametrize(
    ("cidrs", "found"),
    [
        (("10.97.0.0/24",), []),
        (("10.97.0.0/24", "fd00::/112"), []),
        ((), [("spec.cidrs", "Required value: at least one CIDR required")]),
        (
            ("10.97.0.1/24",),
            [("spec.cidrs[0]", 'Invalid value: "10.97.0.1/24": must not have bits set beyond the prefix length')],
        ),
        (
            ("010.97.0.0/24",),
            [("spec.cidrs[0]", 'Invalid value: "010.97.0.0/24": must not have leading 0s in IP or prefix length')],
        ),
        (
            ("FD00::/64",),
            [("spec.cidrs[0]", 'Invalid value: "FD00::/64": must be in canonical form ("fd00::/64")')],
        ),
        (
            ("10.97.0.0",),
            [
                (
                    "spec.cidrs[0]",
                    'Invalid value: "10.97.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
                )
            ],
        ),
        (
            ("10.97.0.0/24", "10.98.0.0/24"),
            [
                (
                    "spec.cidrs",
                    'Invalid value: ["10.97.0.0/24","10.98.0.0/24"]: may specify no more than one IP for each IP family, '
                    "i.e 192.168.0.0/24 and 2001:db8::/64",
                )
            ],
        ),
        (
            ("10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24"),
            [
                (
                    "spec.cidrs",
                    'Invalid value: {"CIDRs":["10.0.0.0/24","10.1.0.0/24","10.2.0.0/24"]}: may only hold up to 2 values',
                )
            ],
        ),
    ],
)
def test_a_service_cidr_is_one_network_or_one_of_each_family(
    cidrs: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    assert problems(cidr(*cidrs)) == found


def test_the_networks_of_a_service_cidr_stay_and_one_of_the_other_family_may_come() -> None:
    before = cidr("10.97.0.0/24")
    assert problems(replace(before, status=ServiceCIDRStatus()), before) == []
    assert problems(cidr("10.97.0.0/24", "fd00::/112"), before) == []
    changed = [("spec.cidrs[0]", 'Invalid value: "10.98.0.0/24": field is immutable')]
    assert problems(cidr("10.98.0.0/24"), before) == changed
    assert problems(before, cidr("10.97.0.0/24", "fd00::/112")) == [
        ("spec.cidrs", 'Invalid value: ["10.97.0.0/24"]: field is immutable')
    ]
    assert [path for path, _ in problems(cidr("10.97.0.0/24", "10.98.0.0/24"), before)] == ["spec.cidrs"]
