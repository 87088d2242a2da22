from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from collector.core.clock import SystemClock
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig
from packet.correlate.clock_offset import Samples, estimate, one_way, two_ways
from packet.decode.columns import PacketColumns
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.decode.sampler import Selection
from packet.lab.forwarder import LOST
from packet.lab.network import Impairment, LogRows, cable, forwarded, slow_path
from tests.integration.lab.traffic import exchange, recording

pytestmark = [pytest.mark.integration, pytest.mark.alone]

_CLOCK = SystemClock()


def _pulled(process: RecorderProcess, from_ns: int) -> PacketColumns:
    return decode(process.pull(Selection(from_ns, _CLOCK.now_ns()))).columns


def _tcp(rows: LogRows, stamp: str) -> tuple[PacketColumns, LogRows]:
    """Return the TCP packets of a forwarder's log, at the time when they came or went."""
    records = [
        (int(row[stamp]), int(row["length"]), row["head"].tobytes()[: int(row["length"])])
        for row in rows
    ]
    decoded = decode(frames_of(records))
    return decoded.columns, rows[decoded.rows]


def test_log_is_the_truth_of_what_both_recorders_saw() -> None:
    """A packet is in a capture before it is in the log, and in the other capture after it."""
    with slow_path(Impairment(delay_ns=1 * NS_PER_MS, jitter_ns=200_000, seed=3)) as path:
        with recording(path.a) as at_a, recording(path.b) as at_b:
            from_ns = _CLOCK.now_ns()
            exchange(path.a, path.b, rounds=50)
            a, b = _pulled(at_a, from_ns), _pulled(at_b, from_ns)
        rows = forwarded(path.log())
    forward, reverse = two_ways(a, b)
    assert len(forward) > 50
    assert len(reverse) > 50
    held_forward, held_reverse = two_ways(*_as_captures(rows))
    for seen, held in ((forward, held_forward), (reverse, held_reverse)):
        # The last ACK of all may be on its way still when the second recorder is asked.
        assert len(held) - 1 <= len(seen) <= len(held)
        order_seen = np.argsort(seen.sent_ns)
        order_held = np.argsort(held.sent_ns)[: len(seen)]
        assert (seen.sent_ns[order_seen] <= held.sent_ns[order_held]).all()
        assert (seen.seen_ns[order_seen] >= held.seen_ns[order_held]).all()


def _as_captures(rows: LogRows) -> tuple[PacketColumns, PacketColumns]:
    """Return a log as two captures would have it: at the first end and at the second."""
    came, rows = _tcp(rows, "arrived_ns")
    forward = rows["way"] == 0
    first = np.where(forward, rows["arrived_ns"], rows["released_ns"])
    second = np.where(forward, rows["released_ns"], rows["arrived_ns"])
    return replace(came, ts_ns=first), replace(came, ts_ns=second)


def test_clock_of_another_host_is_found_over_a_real_path() -> None:
    """+5 ms and 25 ppm, put on the stamps of one end, come back within the bound."""
    impairment = Impairment(delay_ns=300_000)
    with slow_path(impairment) as path, recording(path.a) as at_a, recording(path.b) as at_b:
        from_ns = _CLOCK.now_ns()
        exchange(path.a, path.b, rounds=200)
        a, b = _pulled(at_a, from_ns), _pulled(at_b, from_ns)
    true_forward, true_reverse = two_ways(a, b)
    true_ns = b.ts_ns.astype(np.int64)
    shift = np.rint(5 * NS_PER_MS + 25e-6 * (true_ns - from_ns)).astype(np.int64)
    forward, reverse = two_ways(a, replace(b, ts_ns=(true_ns + shift).astype(np.uint64)))
    found = estimate(forward, reverse)
    assert found is not None
    truth_ns = 5 * NS_PER_MS + 25e-6 * (found.at_ns - from_ns)
    assert abs(found.offset_ns - truth_ns) <= found.bound_ns
    assert found.bound_ns * 2 >= 600_000
    for samples, true, from_a in ((forward, true_forward, True), (reverse, true_reverse, False)):
        segments = one_way(samples, found, from_a=from_a)
        error = np.abs(segments.length_ns - (true.seen_ns - true.sent_ns))
        assert (error <= segments.bound_ns).all()


def test_what_the_path_loses_reaches_nobody_and_is_sent_again() -> None:
    """A loss is one packet at the sender, none at the receiver, and a row that says so."""
    with slow_path(Impairment(loss_ratio=0.03, seed=5)) as path:
        with recording(path.a) as at_a, recording(path.b) as at_b:
            from_ns = _CLOCK.now_ns()
            client, _ = exchange(path.a, path.b, rounds=60)
            a, b = _pulled(at_a, from_ns), _pulled(at_b, from_ns)
        rows = path.log()
    lost = rows[(rows["fate"] == LOST) & (rows["way"] == 0)]
    assert len(lost) > 0
    sent = int((a.src_port == client).sum())
    came = int((b.src_port == client).sum())
    assert sent - came == len(_tcp(lost, "arrived_ns")[0])


def test_path_can_be_changed_while_it_carries() -> None:
    """An incident begins in the middle of things."""
    with slow_path() as path:
        exchange(path.a, path.b, rounds=5)
        changed_ns = _CLOCK.now_ns()
        path.impair(Impairment(delay_ns=20 * NS_PER_MS, back_delay_ns=0))
        exchange(path.a, path.b, rounds=5)
        rows = forwarded(path.log())
    held = (rows["released_ns"] - rows["arrived_ns"]).astype(np.int64)
    slow = (rows["way"] == 0) & (rows["arrived_ns"] > changed_ns + NS_PER_S // 100)
    assert slow.any()
    assert (held[slow] >= 20 * NS_PER_MS).all()
    assert (held[rows["way"] == 1] < 20 * NS_PER_MS).any()


def test_order_is_kept_unless_packets_are_to_overtake() -> None:
    """Jitter alone is a queue; reordering is asked for by itself."""
    with slow_path(Impairment(delay_ns=500_000, jitter_ns=400_000, seed=6)) as path:
        exchange(path.a, path.b, rounds=100)
        rows = forwarded(path.log())
    for way in (0, 1):
        released = rows["released_ns"][rows["way"] == way].astype(np.int64)
        assert (np.diff(released) >= 0).all()


def test_both_families_cross_a_cable() -> None:
    """The same traffic, nothing between: what the two ends record is the same."""
    with cable() as wire, recording(wire.a) as at_a, recording(wire.b) as at_b:
        from_ns = _CLOCK.now_ns()
        exchange(wire.a, wire.b, rounds=5)
        exchange(wire.a, wire.b, rounds=5, v6=True)
        a, b = _pulled(at_a, from_ns), _pulled(at_b, from_ns)
    assert len(np.unique(a.flow_hash)) == 2
    for name in ("flow_hash", "tcp_seq", "tcp_ack", "tcp_flags", "payload_bytes", "src_port"):
        assert (getattr(a, name) == getattr(b, name)).all(), name


def test_interface_without_ethernet_is_refused_and_not_silent() -> None:
    """The filter reads Ethernet: on a tunnel it would drop every packet and say nothing."""
    with cable() as wire:
        subprocess.run(
            ["ip", "-n", wire.a.namespace, "tuntap", "add", "mode", "tun", "name", "tun0"],
            check=True,
        )
        with (
            wire.a.entered(),
            pytest.raises(CaptureError, match="tun0: its frames have no Ethernet header"),
        ):
            RecorderProcess.start(PacketConfig(interface="tun0"))


def test_lab_leaves_nothing_behind() -> None:
    """It is made of the machine's own namespaces, and those are found again by their name."""
    with cable() as wire:
        assert wire.a.namespace in _namespaces()
    assert not [name for name in _namespaces() if name.startswith(f"millworth-{os.getpid()}-")]


def _namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines()]


def test_samples_of_nothing_give_nothing() -> None:
    """Two captures that share no packet say nothing of their clocks."""
    nothing = np.zeros(0, np.int64)
    assert estimate(Samples(nothing, nothing), Samples(nothing, nothing)) is None
