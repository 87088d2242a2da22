"""Pure: which network addresses a webhook may reach.

A receiver of a self-hosted service is often private, so private addresses are opened one by one in
`alerts.allowed_hosts`. Addresses at which no receiver can be, above all the metadata services of
clouds, stay closed whatever is configured; `alerts.denied_hosts` closes more.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from alerts.config import AlertsConfig
from collector.core.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER: tuple[tuple[str, str], ...] = (
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("fe80::/10", "link-local"),
    ("fd00:ec2::/32", "the metadata service of a cloud"),
    ("fd20:ce::254/128", "the metadata service of a cloud"),
    ("100.100.100.200/32", "the metadata service of a cloud"),
    ("168.63.129.16/32", "the metadata service of a cloud"),
    ("192.0.0.0/24", "the metadata service of a cloud"),
    ("0.0.0.0/8", "no destination"),
    ("::/128", "no destination"),
    ("224.0.0.0/4", "multicast"),
    ("ff00::/8", "multicast"),
    ("240.0.0.0/4", "reserved"),
    # These carry an IPv4 address inside, past any check of the outer one; Python 3.11 calls the
    # relay prefix 192.88.99.0/24 and some of them global.
    ("192.88.99.0/24", "a relay to other addresses"),
    ("2002::/16", "a tunnel to other addresses"),
    ("2001::/32", "a tunnel to other addresses"),
    ("64:ff9b::/96", "a translation to other addresses"),
    ("64:ff9b:1::/48", "a translation to other addresses"),
    ("::ffff:0:0:0/96", "a translation to other addresses"),
    ("::/96", "an outdated form of other addresses"),
)
_NEVER_NETWORKS = tuple((ipaddress.ip_network(text), reason) for text, reason in _NEVER)
# Where hosts have IPv6 addresses: global unicast, unique local, and the loopback (RFC 4291, 4193).
# Everything else is outdated (fec0::/10), for other ends (5f00::/16), or not given to anybody.
_IN_USE_6 = tuple(map(ipaddress.ip_network, ("2000::/3", "fc00::/7", "::1/128")))
# Python 3.11 calls these global: documentation and the sinks of AS112.
_NOT_GLOBAL = tuple(
    map(
        ipaddress.ip_network,
        ("3fff::/20", "2620:4f:8000::/48", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"),
    )
)
_LOOPBACK_6 = ipaddress.ip_address("::1")
# An interface identifier of ISATAP: the last 32 bits are an IPv4 address to tunnel to (RFC 5214).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def check_address(
    host: str, address: str, allowed_hosts: Sequence[str], denied_hosts: Sequence[str] = ()
) -> None:
    """Return when a webhook for `host`, which resolved to `address`, may be sent there.

    Args:
        host: as in the URL.
        address: what it resolved to, and what will be connected to.
        allowed_hosts: host names, addresses and networks (CIDR) that may be private.
        denied_hosts: those that are not reached, public or allowed as they may be.

    Raises:
        InputError: it may not; the message says why and, where there is one, the remedy.
    """
    found = _unwrapped(address)
    reason = _why_never(found)
    if reason:
        raise InputError(f"{host} is at {found}, {reason}: webhooks never go there")
    if _is_named(host, found, denied_hosts):
        raise InputError(
            f"{host} is at {found}, which alerts.denied_hosts closes; take it out there if "
            "webhooks may go there"
        )
    is_global = found.is_global and not any(
        found.version == network.version and found in network for network in _NOT_GLOBAL
    )
    if is_global or _is_named(host, found, allowed_hosts):
        return
    raise InputError(
        f"{host} is at {found}, which is private; if webhooks may go there, add it to "
        "alerts.allowed_hosts"
    )


def out_of_reach(alerts: AlertsConfig) -> Iterator[tuple[str, str]]:
    """Yield the key of each address of a receiver that nothing is ever sent to, and why.

    Where a name leads is known when something is sent.
    """
    urls = [(f"webhooks.{at}", each.url) for at, each in enumerate(alerts.webhooks)]
    urls += [(f"alertmanagers.{at}", each.url) for at, each in enumerate(alerts.alertmanagers)]
    for receiver, url in urls:
        host = urlsplit(url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        if not _is_address(address):
            continue
        try:
            check_address(host, address, alerts.allowed_hosts, alerts.denied_hosts)
        except InputError as error:
            yield f"alerts.{receiver}.url", str(error)


def _is_address(text: str) -> bool:
    try:
        _unwrapped(text)
    except ValueError:
        return False
    return True


def _why_never(found: Address) -> str:
    """Return why nothing is ever sent to an address, "" where it may be."""
    if found == _LOOPBACK_6:
        return ""
    for network, reason in _NEVER_NETWORKS:
        if found.version == network.version and found in network:
            return reason
    if isinstance(found, ipaddress.IPv6Address):
        if not any(found in network for network in _IN_USE_6):
            return "which is an address of no host"
        if int(found) >> 32 & 0xFFFF_FFFF in _ISATAP:
            return "a tunnel to other addresses"
    return ""


def _unwrapped(address: str) -> Address:
    # A scope id names an interface, not another destination.
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _is_named(host: str, address: Address, entries: Sequence[str]) -> bool:
    for entry in entries:
        network = _network(entry)
        if network is None:
            if entry.rstrip(".").lower() == host.rstrip(".").lower():
                return True
        elif network.version == address.version and address in network:
            return True
    return False


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
