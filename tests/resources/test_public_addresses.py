"""Only public addresses are ever connected to, in whatever form they come."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_servers import GivenNames

from resources.image_fetcher.public_addresses import ForbiddenAddress, PublicResolver, is_public

ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7"),
        *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1"),
        *("fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "2002:a00:1::"),
        *("64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "fec0::1", "3fff::1", "5f00::1"),
    ],
)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "93.184.216.34"),
        *("2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
    ],
)
def test_a_public_address_is_allowed(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(ipv4 | ipv6)
def test_nothing_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    inner = getattr(address, "ipv4_mapped", None) or address
    special = not inner.is_global or inner.is_multicast or inner.is_reserved or inner.is_link_local or inner.is_loopback
    nat64 = address in ipaddress.ip_network("64:ff9b::/96")
    assert not (special and not nat64 and is_public(address))


@given(ipv4)
def test_an_ipv6_form_is_public_only_if_the_ipv4_address_in_it_is(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    nat64 = ipaddress.IPv6Address(f"64:ff9b::{address}")
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))
    compatible = ipaddress.IPv6Address(int(address))
    assert is_public(mapped) == is_public(nat64) == is_public(address)
    assert not is_public(six_to_four)
    assert not is_public(compatible)


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    names = GivenNames({"mixed.test": ["8.8.8.8", "10.0.0.1"], "good.test": ["8.8.8.8", "2606:4700::1111"]})
    resolver = PublicResolver(names, allow_private=False)
    assert [one["host"] for one in asyncio.run(resolver.resolve("good.test", 80))] == ["8.8.8.8", "2606:4700::1111"]
    with pytest.raises(ForbiddenAddress, match=r"mixed\.test resolves to 10\.0\.0\.1"):
        asyncio.run(resolver.resolve("mixed.test", 80))


def test_a_name_without_any_address_is_an_ordinary_failure() -> None:
    with pytest.raises(OSError, match="no address"):
        asyncio.run(PublicResolver(GivenNames({"empty.test": []}), allow_private=True).resolve("empty.test"))
