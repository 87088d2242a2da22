"""I/O: `millworth bench wire`: what a caller's kernel shows of its connection, beside the truth.

A forwarder delays and loses packets between two hosts and writes down which, and for how long. The
caller reads the state of its connection around each call, as the client hooks do, and the call is
split by it, as attribution does. The peer works for some time, which is none of the wire's.
"""

from __future__ import annotations

import socket
import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from attribution.path.evidence import Connection, Evidence, split_by_connection
from collector.bench.harness import Progress, medians
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MS, NS_PER_US
from collector.instrument.tcp_info import TcpInfo, tcp_info
from packet.decode.columns import U32
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.lab.forwarder import LOST
from packet.lab.network import Host, Impairment, LogRows, slow_path

CALLS: Final = 150
_BYTES: Final = 100
_WORK_S: Final = 0.005  # of the peer
_DELAYED: Final = Impairment(delay_ns=5 * NS_PER_MS, jitter_ns=100_000)
_LOSSY: Final = Impairment(delay_ns=5 * NS_PER_MS, loss_ratio=0.04)
_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its caller saw it; Unix ns."""

    begin_ns: int
    end_ns: int
    before: TcpInfo
    after: TcpInfo

    def split(self) -> Evidence:
        """Return its time by what the kernel showed."""
        again = self.after.retransmits - self.before.retransmits
        connection = Connection(
            self.begin_ns,
            self.end_ns,
            self.after.min_rtt_us * NS_PER_US,
            self.before.rto_us * NS_PER_US,
            again,
            self.after.data_segments_out - self.before.data_segments_out,
            is_shared=False,
        )
        return split_by_connection([(self.begin_ns, self.end_ns)], connection)[0]


@dataclass(frozen=True, slots=True)
class Truth:
    """One call as the path treated it."""

    wire_ns: int  # how long request and answer were held on their way
    lost_ns: int  # from each segment that was lost to the same one that came through
    lost_requests: int


def run_kernel(runs: int, progress: Progress, calls: int = CALLS) -> dict[str, float]:
    """Return medians over the runs.

    Keys: of a path with 10 ms there and back, whose peer works for 5 ms, `tcp_rtt_error_us` (median
    error of the round trip that a call is charged with) and `tcp_rtt_over_us` (the most that one
    was charged too much); of one that loses 4 % of its packets `tcp_lost_requests`,
    `tcp_lost_found` (their share whose call says that something was sent again),
    `tcp_lost_error_ms` (median error of the time that is charged for it) and `tcp_lost_over_ms`
    (the most that was too much).
    """
    done = []
    for number in range(runs):
        delayed = _measured(_DELAYED, calls, number)
        lossy = _measured(_LOSSY, calls, number)
        done.append(one := _rtt_figures(delayed) | _loss_figures(lossy))
        progress(
            f"run {number + 1}: round trip off by {one['tcp_rtt_error_us']:.0f} us, at most "
            f"{one['tcp_rtt_over_us']:.0f} us too long; {one['tcp_lost_found']:.0%} of "
            f"{one['tcp_lost_requests']:.0f} lost requests found, their time off by "
            f"{one['tcp_lost_error_ms']:.0f} ms, at most {one['tcp_lost_over_ms']:.0f} ms too long"
        )
    return medians(done)


def _rtt_figures(done: Sequence[tuple[Evidence, Truth]]) -> dict[str, float]:
    errors_us = [(split.rtt_ns - truth.wire_ns) / NS_PER_US for split, truth in done]
    return {
        "tcp_rtt_error_us": statistics.median(map(abs, errors_us)),
        "tcp_rtt_over_us": max(0.0, *errors_us),
    }


def _loss_figures(done: Sequence[tuple[Evidence, Truth]]) -> dict[str, float]:
    lost = [(split, truth) for split, truth in done if truth.lost_requests]
    errors_ms = [(s.retransmission_ns - t.lost_ns) / NS_PER_MS for s, t in lost]
    over_ms = [(s.retransmission_ns - t.lost_ns) / NS_PER_MS for s, t in done]
    return {
        "tcp_lost_requests": len(lost),
        "tcp_lost_found": sum(s.retransmission_ns > 0 for s, _ in lost) / max(len(lost), 1),
        "tcp_lost_error_ms": statistics.median(map(abs, errors_ms)) if errors_ms else 0.0,
        "tcp_lost_over_ms": max(0.0, *over_ms),
    }


def _measured(impairment: Impairment, calls: int, seed: int) -> list[tuple[Evidence, Truth]]:
    with slow_path() as path:
        # The connection is opened over a sound path of the same length.
        path.impair(Impairment(delay_ns=impairment.delay_ns, seed=seed + 1))
        done = _call(path.a, path.b, calls, lambda: path.impair(impairment))
        rows = path.log()
    return [(call.split(), truth) for call, truth in zip(done, _truths(rows, done), strict=True)]


def _truths(rows: LogRows, calls: Sequence[Call]) -> list[Truth]:
    records = [
        (int(row["arrived_ns"]), int(row["length"]), row["head"].tobytes()[: int(row["length"])])
        for row in rows
    ]
    decoded = decode(frames_of(records))
    has_data = decoded.columns.payload_bytes > 0
    rows, sequence = rows[decoded.rows][has_data], decoded.columns.tcp_seq[has_data]
    order = np.argsort(rows["arrived_ns"], kind="stable")
    rows, sequence = rows[order], sequence[order]
    truths = []
    for call in calls:
        mine = (rows["arrived_ns"] >= call.begin_ns) & (rows["arrived_ns"] <= call.end_ns)
        truths.append(_truth(rows[mine], sequence[mine]))
    return truths


def _truth(rows: LogRows, sequence: U32) -> Truth:
    wire_ns = lost_ns = lost_requests = 0
    for way in (0, 1):
        of_way = rows["way"] == way
        for one in np.unique(sequence[of_way]):
            segment = rows[of_way & (sequence == one)]
            through = segment[segment["fate"] != LOST]
            is_lost = segment[0]["fate"] == LOST
            lost_requests += bool(is_lost and way == 0)
            if len(through):
                wire_ns += int(through[0]["released_ns"] - through[0]["arrived_ns"])
                lost_ns += int(through[0]["arrived_ns"] - segment[0]["arrived_ns"]) * bool(is_lost)
    return Truth(wire_ns, lost_ns, lost_requests)


def _call(client: Host, server: Host, calls: int, begin: Callable[[], None]) -> list[Call]:
    """Ask so often over one connection, each time after the answer; `begin` comes before."""
    with server.entered():
        listener = socket.create_server((server.address, 0))
    thread = threading.Thread(target=_answer, args=(listener,))
    thread.start()
    done = []
    with listener:
        with client.entered():
            connection = socket.create_connection(listener.getsockname())
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _exchange(connection)
            begin()
            done = [_exchange(connection) for _ in range(calls)]
        thread.join()
    return done


def _exchange(connection: socket.socket) -> Call:
    before, begin_ns = tcp_info(connection), _CLOCK.now_ns()
    connection.sendall(b"s" * _BYTES)
    left = _BYTES
    while left:
        left -= len(connection.recv(left))
    end_ns, after = _CLOCK.now_ns(), tcp_info(connection)
    assert before is not None, "a lab is on Linux, whose kernel shows its connections"
    assert after is not None, "the connection was closed by its peer"
    return Call(begin_ns, end_ns, before, after)


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    working = threading.Event()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while received := connection.recv(65_536):
            working.wait(_WORK_S)
            connection.sendall(received)
