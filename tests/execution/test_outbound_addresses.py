"""Which addresses may be reached, and how HTTP_ALLOW is read."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.execution.addresses import Allowed, find_objection, is_public, parse_allowed

V4 = st.ip_addresses(v=4)
ANY = st.ip_addresses()
NAT64 = int(IPv6Address("64:ff9b::"))


@given(ANY)
def test_what_is_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast:
        assert find_objection(address, 80)


@given(V4)
def test_an_address_within_an_address_is_judged_as_itself(inner: IPv4Address) -> None:
    forms = [
        IPv6Address(0xFFFF << 32 | int(inner)),
        IPv6Address(NAT64 | int(inner)),
        IPv6Address(0x2002 << 112 | int(inner) << 80 | 1),
    ]
    assert {is_public(form) for form in forms} == {is_public(inner)}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff0e::1",
    ],
)
def test_special_addresses_are_refused_by_name(address: str) -> None:
    objection = find_objection(address, 80)

    assert objection
    assert "is" in objection


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:2800:21f::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert find_objection(address, 443) is None


def test_the_setting_is_read_with_hosts_networks_and_ports() -> None:
    allowed = parse_allowed(
        " localhost, 10.0.0.0/8,,Shop.Internal.:8080, [fd00::7]:443, fd01::/16, 192.168.7.7:81, ::1 "
    )

    assert allowed.hosts == {("localhost", None), ("shop.internal", 8080)}
    assert allowed.has_host("LOCALHOST.", 1)
    assert allowed.has_host("shop.internal", 8080)
    assert not allowed.has_host("shop.internal", 80)
    assert not allowed.has_host("evil-shop.internal", 8080)
    assert not allowed.has_host("a.localhost", 80)
    assert allowed.has_address(ip_address("10.255.0.1"), 5)
    assert allowed.has_address(ip_address("fd00::7"), 443)
    assert not allowed.has_address(ip_address("fd00::7"), 80)
    assert allowed.has_address(ip_address("fd01::9"), 80)
    assert allowed.has_address(ip_address("192.168.7.7"), 81)
    assert not allowed.has_address(ip_address("192.168.7.8"), 81)
    assert allowed.has_address(ip_address("::1"), 80)


def test_an_empty_setting_allows_nothing_more() -> None:
    assert parse_allowed(" , ") == Allowed()


@pytest.mark.parametrize(
    "text", ["http://shop", "shop:0", "shop:99999", "10.0.0.0/33", "10.0.0", "a b", "*.internal", "shop:8080:1", "-x"]
)
def test_a_mistake_in_the_setting_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="neither a host"):
        parse_allowed(f"localhost, {text}")


def test_an_allowed_network_covers_the_mapped_form() -> None:
    allowed = parse_allowed("10.0.0.0/8")

    assert find_objection("::ffff:10.0.0.1", 80, allowed) is None
    assert find_objection("::ffff:192.168.0.1", 80, allowed)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        allowed = parse_allowed(text)
    except ValueError:
        return
    assert isinstance(allowed, Allowed)
