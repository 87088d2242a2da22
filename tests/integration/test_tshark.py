"""Wireshark's own program as the oracle of TCP analysis; `make test` installs it.

It is 4.0.17 on Debian 12 and 4.4.19 on Debian 13, which do not judge alike what breaks every rule
(`tests/support/packet/tshark_oracle.py` says where). Ours are the rules of 4.4: there every packet
has to be equal. What both agree in has to be equal on both.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from packet.bench.traffic import http_capture
from packet.decode.columns import ACK, FIN, RST, SYN
from tests.support.packet.build import Packet, capture_of
from tests.support.packet.tshark_oracle import (
    RTT_NEAR_NS,
    Row,
    our_rows,
    tshark_rows,
    tshark_version,
)

pytestmark = pytest.mark.integration

_OURS = (4, 4)
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


def _troubled_connection(dice: random.Random, port: int, ts_ns: int) -> list[Packet]:
    """Return a connection with every kind of trouble, none of which contradicts another."""
    sent = [dice.choice((0, 100, 2**31 - 300, 2**32 - 400, dice.randrange(2**32))), 900]
    ends = (("10.0.0.1", port), _SERVER)
    packets: list[Packet] = []

    def send(mine: int, seq: int, length: int, flags: int = ACK, window: int = 512) -> None:
        ack = sent[1 - mine] % 2**32 if flags & ACK else 0
        packets.append(
            Packet(ts_ns, ends[mine], ends[1 - mine], flags=flags, seq=seq % 2**32, ack=ack,
                   window=window, payload=length)
        )  # fmt: skip
        sent[mine] = max(sent[mine], seq + length + bool(flags & (SYN | FIN)))

    count = dice.randrange(3, 25)
    for number in range(count):
        mine = dice.randrange(2) if number > 1 else number
        seq, window = sent[mine], dice.choice((512, 512, 512, 600, 0))
        length = dice.choice((0, 0, 100, 100, 1000))
        ts_ns += dice.choice(_WAITS_NS[:4] if number < 3 else _WAITS_NS)
        if number < 2 and port % 3:
            send(mine, seq, 0, (SYN, SYN | ACK)[number])
            continue
        kind = dice.randrange(12) if number > 2 else 11
        if kind == 0:  # a probe of keepalive
            send(mine, seq - 1, dice.choice((0, 1)))
        elif kind == 1:  # two segments in the wrong order
            ts_ns += 30_000_000
            send(mine, seq + 100, 100)
            ts_ns += 1_000
            send(mine, seq, 100)
        elif kind < 5:  # something again, after a time-out
            ts_ns += 400_000_000
            send(mine, seq - dice.choice((100, 200, 1000)), length, window=window)
        elif kind == 5:  # behind a segment that was lost
            send(mine, seq + 100, length, window=window)
        elif number == count - 1:
            send(mine, seq, 0, FIN | ACK)
        else:
            send(mine, seq, length, window=window)
    return packets


def _verdicts(
    tmp_path: Path, connection: Callable[[random.Random, int, int], list[Packet]]
) -> tuple[dict[int, Row], dict[int, Row]]:
    """Return what tshark and we say of 700 connections; every packet is listed by both."""
    dice = random.Random(20_261_125)
    packets: list[Packet] = []
    for port in range(1024, 1724):
        packets += connection(dice, port, packets[-1].ts_ns if packets else _START)
    path = tmp_path / "strange.pcap"
    path.write_bytes(capture_of(packets))
    theirs, ours = tshark_rows(path), our_rows(path)
    assert theirs.keys() == ours.keys() == set(range(1, len(packets) + 1))
    return theirs, ours


def _assert_equal(theirs: dict[int, Row], ours: dict[int, Row]) -> None:
    assert sum(map(len, (row.names for row in theirs.values()))) > 1000
    for frame, row in theirs.items():
        assert ours[frame].names == row.names, frame
        assert (ours[frame].rtt_ns is None) == (row.rtt_ns is None), frame
        assert abs((ours[frame].rtt_ns or 0) - (row.rtt_ns or 0)) <= RTT_NEAR_NS, frame


def test_every_packet_of_troubled_traffic_is_what_any_tshark_says(tmp_path: Path) -> None:
    """Ten thousand packets lost, repeated, reordered, probing: all versions agree, and so do we."""
    theirs, ours = _verdicts(tmp_path, _troubled_connection)
    _assert_equal(theirs, ours)
    found = Counter(name for row in theirs.values() for name in row.names)
    assert {"retransmission", "out_of_order", "keep_alive", "lost_segment", "zero_window",
            "duplicate_ack", "spurious_retransmission"} <= found.keys()  # fmt: skip


def test_every_packet_of_strange_traffic_is_what_tshark_says(tmp_path: Path) -> None:
    """Packets that break every rule of TCP: all events and round trips are those of 4.4."""
    theirs, ours = _verdicts(tmp_path, _strange_connection)
    if tshark_version() >= _OURS:
        _assert_equal(theirs, ours)
    # What it says of such traffic depends on its version, but for what a packet says by itself.
    for frame, row in theirs.items():
        assert ("zero_window" in ours[frame].names) == ("zero_window" in row.names), frame


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
