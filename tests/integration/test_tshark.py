"""Wireshark's own program as the oracle of TCP analysis; `make test` installs it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from packet.bench_traffic import http_capture
from packet.columns import ACK, FIN, RST, SYN
from tests.bench.tshark_oracle import RTT_NEAR_NS, our_rows, tshark_rows
from tests.packet.build import Packet, capture_of

pytestmark = pytest.mark.integration

_START = 1_700_000_000_000_000_000
_SERVER = ("10.0.0.2", 40_001)
_WAITS_NS = (0, 1000, 100_000, 1_000_000, 5_000_000, 30_000_000, 300_000_000)


def _strange_connection(dice: random.Random, port: int, ts_ns: int) -> list[Packet]:
    """Return a connection that loses, repeats, probes, resets and contradicts itself."""
    sent = [dice.choice((0, 100, 2**31 - 300, 2**32 - 400, dice.randrange(2**32))), 900]
    ends = (("10.0.0.1", port), _SERVER)
    packets = []
    for number in range(dice.randrange(3, 25)):
        mine = dice.randrange(2) if number > 1 else number
        seq, ack, flags = sent[mine], sent[1 - mine], ACK
        seq -= dice.choice((0, 0, 0, 0, 0, 1, 100, 200, 1000))
        seq += dice.choice((0, 0, 0, 0, 0, 0, 0, 1, 100))
        ack -= dice.choice((0, 0, 0, 0, 0, 1, 100, 200))
        if dice.random() < 0.02:
            # A bit that flipped: exactly half of the numbers away.
            seq, ack = dice.choice(((seq ^ 2**31, ack), (seq, ack ^ 2**31)))
        if number < 2 and port % 3:
            flags = (SYN, SYN | ACK)[number]
        elif dice.random() < 0.04:
            flags = dice.choice((SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, FIN))
        length = 0 if flags & SYN else dice.choice((0, 0, 1, 100, 100, 1000))
        edges = (ack + 100, ack + 200) if dice.random() < 0.2 else ()
        ts_ns += dice.choice(_WAITS_NS)
        packets.append(
            Packet(
                ts_ns,
                ends[mine],
                ends[1 - mine],
                flags=flags,
                seq=seq % 2**32,
                ack=ack % 2**32 if flags & ACK else 0,
                window=dice.choice((512, 512, 512, 512, 600, 0)),
                payload=length,
                sack=tuple(edge % 2**32 for edge in edges),
            )
        )
        sent[mine] = max(sent[mine], seq + length + bool(flags & (SYN | FIN)))
    return packets


def test_every_packet_of_strange_traffic_is_what_tshark_says(tmp_path: Path) -> None:
    """Ten thousand packets that break every rule of TCP: all events and round trips are equal."""
    dice = random.Random(20_261_125)
    packets: list[Packet] = []
    for port in range(1024, 1724):
        begin = packets[-1].ts_ns if packets else _START
        packets += _strange_connection(dice, port, begin)
    path = tmp_path / "strange.pcap"
    path.write_bytes(capture_of(packets))
    theirs, ours = tshark_rows(path), our_rows(path)
    assert theirs.keys() == ours.keys() == set(range(1, len(packets) + 1))
    assert sum(map(len, (row.names for row in theirs.values()))) > 1000
    for frame, row in theirs.items():
        assert ours[frame].names == row.names, frame
        assert (ours[frame].rtt_ns is None) == (row.rtt_ns is None), frame
        assert abs((ours[frame].rtt_ns or 0) - (row.rtt_ns or 0)) <= RTT_NEAR_NS, frame


def test_usual_traffic_is_what_tshark_says(tmp_path: Path) -> None:
    """Most of it goes the fast way, which must not be another one."""
    path = tmp_path / "http.pcap"
    path.write_bytes(http_capture(4_000, seed=5))
    theirs, ours = tshark_rows(path), our_rows(path)
    assert theirs.keys() == ours.keys()
    assert [ours[frame].names for frame in theirs] == [row.names for row in theirs.values()]
    timed = [(row.rtt_ns, ours[frame].rtt_ns) for frame, row in theirs.items() if row.rtt_ns]
    assert len(timed) > 1000
    assert all(their is not None and abs(their - (our or 0)) <= RTT_NEAR_NS for their, our in timed)
