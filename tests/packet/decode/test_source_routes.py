from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from scapy.layers.inet import IP, TCP, IPOption_LSRR, IPOption_RR, IPOption_SSRR
from scapy.layers.inet6 import IPv6, IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting
from scapy.layers.l2 import Ether

from packet.decode.columns import address_texts
from packet.decode.decode import decode
from packet.decode.frames import frames_of

Layer: TypeAlias = Any  # scapy ships no types

_STOPS = ["10.0.0.7", "10.0.0.2"]
_STOPS6 = ["fd00::7", "fd00::2"]
_RECORD = IPOption_RR(routers=["0.0.0.0"])


@pytest.mark.parametrize(
    ("network", "destination"),
    [
        pytest.param(IP(options=[IPOption_LSRR(routers=_STOPS)]), "10.0.0.2", id="loose"),
        pytest.param(IP(options=[IPOption_SSRR(routers=_STOPS)]), "10.0.0.2", id="strict"),
        pytest.param(
            IP(options=[_RECORD, IPOption_LSRR(routers=_STOPS, pointer=8)]), "10.0.0.2", id="behind"
        ),
        pytest.param(
            IP(options=[IPOption_LSRR(routers=_STOPS, pointer=12)]), "10.0.0.9", id="used up"
        ),
        pytest.param(
            IP(options=[IPOption_LSRR(routers=_STOPS, pointer=5)]), "10.0.0.9", id="pointer lies"
        ),
        pytest.param(
            IP(options=[IPOption_LSRR(routers=_STOPS, length=10)]), "10.0.0.9", id="length lies"
        ),
        pytest.param(
            IP(options=[IPOption_LSRR(routers=_STOPS, length=40)]), "10.0.0.9", id="length too long"
        ),
        pytest.param(IP(options=[_RECORD]), "10.0.0.9", id="no route"),
        pytest.param(
            IPv6() / IPv6ExtHdrRouting(type=0, addresses=_STOPS6, segleft=2), "fd00::2", id="type 0"
        ),
        pytest.param(
            IPv6() / IPv6ExtHdrRouting(type=2, addresses=["fd00::2"], segleft=1),
            "fd00::2",
            id="mobile",
        ),
        pytest.param(
            IPv6() / IPv6ExtHdrRouting(type=3, addresses=_STOPS6, segleft=1), "fd00::2", id="RPL"
        ),
        pytest.param(
            IPv6() / IPv6ExtHdrSegmentRouting(addresses=_STOPS6[::-1], segleft=1, lastentry=1),
            "fd00::2",
            id="SRv6",
        ),
        pytest.param(
            IPv6() / IPv6ExtHdrRouting(type=0, addresses=_STOPS6, segleft=0),
            "fd00::9",
            id="arrived",
        ),
    ],
)
def test_source_routed_packet_goes_to_its_last_stop(network: Layer, destination: str) -> None:
    """The next stop is another for every hop; the answers come from the last one."""
    network.src = "fd00::1" if IPv6 in network else "10.0.0.1"
    network.dst = "fd00::9" if IPv6 in network else "10.0.0.9"
    frame = bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / network / TCP(dport=443)
    )
    columns = decode(frames_of([(5, len(frame), frame)])).columns
    assert address_texts(columns.dst) == [destination]
    assert columns.dst_port.tolist() == [443]
