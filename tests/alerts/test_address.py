from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.address import check_address
from collector.errors import InputError

EVERYTHING = ("0.0.0.0/0", "::/0", "hook.example")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "fd00:ec2::254",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "fe80::1%eth0", "0.0.0.0", "::",
        "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "192.88.99.1", "2002:7f00:1::",
        "2001:0:4136:e378::1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "::7f00:1",
    ],
)  # fmt: skip
def test_what_no_receiver_is_at_stays_closed_whatever_is_allowed(address: str) -> None:
    """A webhook that reaches a metadata service hands out the machine's own credentials."""
    with pytest.raises(InputError, match="never go there"):
        check_address("hook.example", address, EVERYTHING)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
     "198.18.0.1", "fd12::1", "192.0.2.1"],
)  # fmt: skip
def test_private_address_is_closed_until_it_is_allowed(address: str) -> None:
    """Inside is where the receivers are, and where everything else is too."""
    with pytest.raises(InputError, match=r"add it to alerts\.allowed_hosts"):
        check_address("hook.example", address, ())

    check_address("hook.example", address, EVERYTHING)


@pytest.mark.parametrize(
    ("allowed", "address", "is_open"),
    [
        pytest.param("10.1.2.3", "10.1.2.3", True, id="by address"),
        pytest.param("10.0.0.0/8", "10.1.2.3", True, id="by network"),
        pytest.param("10.1.2.9/24", "10.1.2.3", True, id="by a network written carelessly"),
        pytest.param("Hook.Example.", "10.1.2.3", True, id="by name"),
        pytest.param("example", "10.1.2.3", False, id="not by the end of a name"),
        pytest.param("10.1.2.4", "10.1.2.3", False, id="not a neighbour"),
        pytest.param("fd00::/8", "10.1.2.3", False, id="not the other family"),
    ],
)
def test_allowed_hosts(allowed: str, address: str, is_open: bool) -> None:
    """Each entry opens what it names and nothing more."""
    try:
        check_address("hook.example", address, (allowed,))
    except InputError:
        assert not is_open
    else:
        assert is_open


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_address_is_open(address: str) -> None:
    """Most receivers are services on the Internet."""
    check_address("hook.example", address, ())


@given(st.ip_addresses())
def test_whatever_is_open_by_default_is_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """The list of what is closed may have holes; this is the floor beneath it."""
    try:
        check_address("hook.example", str(address), ())
    except InputError:
        return
    mapped = getattr(address, "ipv4_mapped", None)
    assert (mapped or address).is_global
