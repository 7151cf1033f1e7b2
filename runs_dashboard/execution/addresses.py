"""Which network addresses an outbound request may reach: the public ones, and what HTTP_ALLOW names.

Ranges after the IANA special-purpose address registries (RFC 6890 and its updates).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
# Not reachable in earnest, though `is_global` of some Python versions says so.
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocol assignments
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "2001::/23",  # IETF protocol assignments, Teredo among them
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be reached although it is not public. A port of None means every port."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    def has_host(self, host: str, port: int) -> bool:
        """Whether the host is named, so that any address it has may be reached."""
        name = _normalise(host)
        return (name, None) in self.hosts or (name, port) in self.hosts

    def has_address(self, address: Address, port: int) -> bool:
        """Whether a network that is named holds the address."""
        return any(
            network.version == address.version and address in network and only in (None, port)
            for network, only in self.networks
        )


NOTHING = Allowed()


def parse_allowed(text: str) -> Allowed:
    """Read the form of HTTP_ALLOW: `localhost, 10.0.0.0/8, shop.internal:8080, [fd00::7]:443`.

    Hosts, addresses and networks between commas; a host or an address may name one port. Raises ValueError naming
    the part it cannot read.
    """
    hosts: set[tuple[str, int | None]] = set()
    networks: list[tuple[Network, int | None]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        network = _read_network(part)
        if network is not None:
            networks.append((network, None))
            continue
        host, port = _split_port(part)
        network = _read_network(host)
        if network is not None and "/" not in host:
            networks.append((network, port))
        elif _HOST.fullmatch(_normalise(host)) and not re.fullmatch(r"[0-9.]+", host):
            hosts.add((_normalise(host), port))
        else:
            raise ValueError(f"{part!r} is neither a host, an address nor a network")
    return Allowed(frozenset(hosts), tuple(networks))


def find_objection(
    address: Address | str, port: int, allowed: Allowed = NOTHING, *, is_named_only: bool = False
) -> str | None:
    """Why this address may not be reached, in plain words; None when it may be.

    is_named_only: what is public has to be named too, since what is sent is not encrypted.
    """
    address = _unwrap(ip_address(address) if isinstance(address, str) else address)
    if allowed.has_address(address, port):
        return None
    if is_public(address):
        return f"{address} is public and this is plain http: use https" if is_named_only else None
    return f"{address} is {_describe(address)}"


def is_public(address: Address) -> bool:
    """Whether the address, and the IPv4 address within it if there is one, is of the public internet."""
    if isinstance(address, IPv6Address):
        inner = _find_inner(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address.version == network.version and address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _unwrap(address: Address) -> Address:
    """The address that a packet really goes to: an IPv4-mapped one is the IPv4 address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _find_inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _describe(address: Address) -> str:
    inner = _find_inner(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return f"a form of {inner}, which is {_describe(inner)}"
    for word, holds in (
        ("unspecified", address.is_unspecified),
        ("a loopback address", address.is_loopback),
        ("a link-local address", address.is_link_local),
        ("a multicast address", address.is_multicast),
        ("a private address", address.is_private),
    ):
        if holds:
            return word
    return "reserved"


def _read_network(text: str) -> Network | None:
    try:
        return ip_network(text.strip("[]") if text.startswith("[") and text.endswith("]") else text, strict=False)
    except ValueError:
        return None


def _split_port(part: str) -> tuple[str, int | None]:
    host, colon, port = part.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        return part, None
    return (host[1:-1] if host.startswith("[") and host.endswith("]") else host), int(port)


def _normalise(host: str) -> str:
    return host.lower().rstrip(".")
