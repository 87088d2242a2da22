from __future__ import annotations

import ipaddress
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import AlertsConfig
from alerts.delivery.address_guard import check_address, out_of_reach
from alerts.delivery.pinned import resolve
from collector.core.errors import InputError

EVERYTHING = ("0.0.0.0/0", "::/0", "hook.example")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "169.254.0.0", "169.254.255.255",
        "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:169.254.169.254",
        "fd00:ec2::254", "fd00:ec2:0:0:0:0:0:254", "fd20:ce::254",
        "100.100.100.200", "::ffff:100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.8",
        "fe80::1%eth0", "fe80::1", "fe80::a9fe:a9fe%1", "febf::1",
        "0.0.0.0", "0.1.2.3", "::", "0::0", "::ffff:0.0.0.0",
        "224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1",
        "::ffff:224.0.0.1", "::ffff:255.255.255.255",
        # An IPv4 address inside: relay, 6to4, Teredo, NAT64, translated, compatible, ISATAP.
        "192.88.99.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:0a00:0001::1",
        "2001:0:4136:e378::1", "2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254", "64:ff9b:1::7f00:1", "64:ff9b:1:a:b:c:7f00:1",
        "::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "::ffff:0:169.254.169.254",
        "::7f00:1", "::127.0.0.1", "::169.254.169.254", "::2",
        "2001:470::5efe:127.0.0.1", "2001:470::200:5efe:10.0.0.1", "fd12::5efe:7f00:1",
        # Of no host: site-local, segment routing, discard, and what nobody was given.
        "fec0::1", "feff::1", "5f00::1", "100::1", "4000::1", "8000::1", "e000::1", "1::1",
        "::1:0:0:0:1", "200::1", "fe00::1",
    ],
)  # fmt: skip
def test_what_no_receiver_is_at_stays_closed_whatever_is_allowed(address: str) -> None:
    """A webhook that reaches a metadata service hands out the machine's own credentials."""
    with pytest.raises(InputError, match="never go there"):
        check_address("hook.example", address, EVERYTHING)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
     "198.18.0.1", "fd12::1", "192.0.2.1", "3fff::1", "2001:db8::1", "2620:4f:8000::1",
     "192.31.196.1", "192.52.193.1", "192.175.48.1", "127.255.255.254", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_address_is_closed_until_it_is_allowed(address: str) -> None:
    """Inside is where the receivers are, and where everything else is too."""
    with pytest.raises(InputError, match=r"add it to alerts\.allowed_hosts"):
        check_address("hook.example", address, ())

    check_address("hook.example", address, EVERYTHING)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0",
     "localhost", "LOCALHOST", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "[::127.0.0.1]", "127.0.0.1.", "127。0。0。1", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
def test_the_loopback_is_closed_however_it_is_spelled(host: str) -> None:
    """What is judged is the address that will be connected to, not the text of the URL."""
    try:
        addresses = resolve(httpx.URL(f"http://{host}/").host, 80)
    except (httpx.InvalidURL, OSError):
        return  # no address, so no call
    assert addresses
    for address in addresses:
        with pytest.raises(InputError):
            check_address(host, address, ())


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


@pytest.mark.parametrize("denied", ["hook.example", "8.8.8.8", "8.8.0.0/16"])
def test_denied_host_is_closed_whatever_else_is_set(denied: str) -> None:
    """An administrator closes a public address, or one inside an allowed network."""
    with pytest.raises(InputError, match="denied_hosts"):
        check_address("hook.example", "8.8.8.8", ("8.8.8.8",), (denied,))
    check_address("other.example", "9.9.9.9", (), (denied,))


@pytest.mark.parametrize(
    ("url", "allowed", "says"),
    [
        ("https://10.1.2.3/hook", (), "which is private; .* add it to alerts.allowed_hosts"),
        ("https://10.1.2.3/hook", ("10.0.0.0/8",), ""),
        ("http://localhost:9/", (), "localhost is at 127.0.0.1, which is private"),
        ("http://localhost:9/", ("localhost",), ""),
        ("http://[::ffff:169.254.169.254]/", EVERYTHING, "webhooks never go there"),
        ("https://hook.example/", (), ""),
        ("https://93.184.215.14/", (), ""),
    ],
)
def test_receiver_at_an_address_out_of_reach_is_named(
    url: str, allowed: tuple[str, ...], says: str
) -> None:
    """It was told at the first alert, after every check of the settings was content."""
    alerts = AlertsConfig.model_validate(
        {
            "webhooks": [{"name": "pager", "url": url}],
            "alertmanagers": [{"url": "http://93.184.215.14:9093"}],
            "allowed_hosts": allowed,
        }
    )
    found = list(out_of_reach(alerts))
    assert [key for key, _ in found] == (["alerts.webhooks.0.url"] if says else [])
    assert all(re.search(says, why) for _, why in found)
