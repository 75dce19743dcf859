"""Which network addresses are public, so that no catalogue can make us ask our own network.

Belongs here: the table of special ranges, the check of one address, the resolver that applies it. Does not belong
here: URLs and host names.

A name is resolved once per connection and the addresses found are checked and then connected to: nothing is resolved
a second time, so a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries (RFC 6890 and later), written out because `ipaddress` changes its mind with Python's
# version and calls multicast, 6to4 and IPv4-compatible addresses global.
_SPECIAL_IPV4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a platform service inside one large cloud
        "169.254.0.0/16",  # link-local; the other clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT relays
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL_IPV6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address hides in it
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# The well-known NAT64 prefix stands for the IPv4 address in its last 32 bits; networks without IPv4 need it.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddress(OSError):
    """A host name resolves to an address that is not public."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet. IPv4-mapped and NAT64 forms are what they stand for."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_IPV6)


class PublicResolver(AbstractResolver):
    """Another resolver's answers, refused when one of the addresses is not public (unless `allow_private`).

    One bad address refuses the name: which of several is connected to must not decide whether an image is fetched.
    """

    def __init__(self, names: AbstractResolver, *, allow_private: bool) -> None:
        self._names = names
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises ForbiddenAddress, or OSError when there is none."""
        found = await self._names.resolve(host, port, family)
        if not found:
            raise OSError(f"{host} has no address")
        for one in found:
            if not self._allow_private and not is_public(ipaddress.ip_address(one["host"])):
                raise ForbiddenAddress(f"{host} resolves to {one['host']}, which is not a public address")
        return found

    async def close(self) -> None:
        """Close the resolver that was asked."""
        await self._names.close()
