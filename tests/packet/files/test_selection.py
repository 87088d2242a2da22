from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packet.files.selection import Chosen
from tests.support.packet.build import Packet, columns

_HOSTS = ["10.0.0.1", "10.0.1.7", "192.0.2.9", "fd00::1", "fd00:1::2", "::ffff:10.0.0.1"]
_NETWORKS = ["10.0.0.1", "10.0.0.0/16", "0.0.0.0/0", "fd00::/32", "fd00:1::2", "::/0"]


@given(
    st.lists(
        st.tuples(st.sampled_from(_HOSTS), st.sampled_from(_HOSTS), st.integers(0, 9)), max_size=9
    ),
    st.sampled_from([None, *_NETWORKS]),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_packets_are_those_of_host_port_and_time(
    drawn: list[tuple[str, str, int]], network: str | None, port: int | None, begin: int, end: int
) -> None:
    """Either end, both families, both bounds included; an IPv4 address is one however spelled."""
    packets = [Packet(at, (src, at % 3), (dst, at % 4)) for src, dst, at in drawn]
    held = None if network is None else ipaddress.ip_network(network)
    found = Chosen(held, port, begin, end).among(columns(packets)).tolist()
    assert found == [
        begin <= p.ts_ns <= end
        and (port is None or port in (p.src[1], p.dst[1]))
        and (held is None or _in(p.src[0], held) or _in(p.dst[0], held))
        for p in packets
    ]


def _in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv4Address) and network.version == 6:
        address = ipaddress.IPv6Address(f"::ffff:{address}")
    return address in network


@pytest.mark.parametrize(("chosen", "is_all"), [(Chosen(), True), (Chosen(port=0), False)])
def test_what_asks_for_nothing_asks_for_all(chosen: Chosen, is_all: bool) -> None:
    """Then nothing is copied."""
    assert chosen.is_all == is_all
