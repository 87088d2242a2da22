"""Pure: incidents in simulated time: what was on the wire, what spans say of it, who recorded it.

Everything is drawn from a seed, and the truth is known: which packets each call has. A recorder of
simulated time holds what a real one would at an instant: it forgets, overflows, drops, and ends.
"""

from __future__ import annotations

import random
import struct
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.protocol import RecorderStats
from packet.correlate.trace_context import ContextRows, no_contexts
from packet.decode.decode import decode
from packet.decode.frames import Frames, frames_of
from packet.decode.sampler import Selection
from packet.tcp.per_second import WireSecond

CONNECTIONS: Final = 24
SERVER_PORT: Final = 8080
_FIRST_PORT: Final = 40_000
_REQUEST_BYTES, _ANSWER_BYTES = 200, 1_000  # of a segment
_CALL_NS: Final = 20 * NS_PER_MS
_AFFECTED: Final = 0.6  # of the requests while an incident lasts
_GAP_NS: Final = NS_PER_S // 150  # between requests
_OFF_NS: Final = (
    900 * NS_PER_MS
)  # at most, of a clock that is off: packets further off are not read

Wire = tuple[int, int, bool]  # when, the client's port, whether it is an answer


@dataclass(frozen=True, slots=True)
class Sort:
    """One class of incidents: what is in the way of rebuilding them."""

    unnamed: str = ""  # of one call in some incidents: "half", or "all" of its connection
    is_off: bool = False  # the clock of the spans
    flows_max: int = 2_000  # packet.capture_flows_max
    window_s: float = 120.0  # of the recorder's memory
    held_packets: int = 10**9  # ... and its size
    late_s: tuple[float, float] = (0.0, 2.0)  # the alert fires so long after its incident
    drop_packets: tuple[int, int] = (0, 0)  # that the kernel drops while it lasts
    is_killed: bool = False


SORTS: Final = {
    "pooled": Sort(),
    "half_named": Sort(unnamed="half"),
    "no_address": Sort(unnamed="all"),
    "over_cap": Sort(flows_max=24),
    "clock_off": Sort(is_off=True),
    "ring_overflow": Sort(held_packets=800),
    "kernel_drops": Sort(drop_packets=(0, 8)),
    "recorder_killed": Sort(is_killed=True),
    "short_window": Sort(window_s=10.0, late_s=(0.0, 12.0)),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one decision."""

    trace_id: str
    span_id: str
    at_ns: int  # by the clock of the packets
    port: int
    named: str  # "", or what its span leaves out, as in `Sort.unnamed`
    lag_ns: int  # of its span's clock

    def packets(self) -> list[Wire]:
        """Return what it has on the wire: a request, and an answer of two segments."""
        sent_ns, answered_ns = self.at_ns + NS_PER_MS, self.at_ns + _CALL_NS - NS_PER_MS
        return [(sent_ns, self.port, False), (answered_ns, self.port, True),
                (answered_ns + 1_000, self.port, True)]  # fmt: skip

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return begin and end of its span, by the span's clock."""
        return self.at_ns + self.lag_ns, self.at_ns + self.lag_ns + _CALL_NS


@dataclass(slots=True)
class Incident:
    """What happened, and when somebody asks for it."""

    from_ns: int
    to_ns: int
    asked_ns: int
    killed_ns: int
    touched: list[Call] = field(default_factory=list)
    others: list[Call] = field(default_factory=list)  # ordinary requests on the same connections
    dropped: set[Wire] = field(default_factory=set)


def incident(sort: Sort, seed: int, begin_ns: int) -> Incident:
    """Return one incident of a class, drawn from a seed."""
    drawn = random.Random(seed)  # noqa: S311 - repeatable, not a secret
    size = drawn.randint(30, 220)
    lag_ns = drawn.choice((-1, 1)) * drawn.randint(_OFF_NS // 9, _OFF_NS) if sort.is_off else 0
    is_unnamed = bool(sort.unnamed) and drawn.random() < 0.5
    free_ns = [0] * CONNECTIONS
    at_ns, touched, others = begin_ns, list[Call](), list[Call]()
    while len({call.trace_id for call in touched}) < size:
        at_ns += round(drawn.expovariate(1 / _GAP_NS))
        is_of_it = drawn.random() < _AFFECTED
        trace_id = f"{drawn.getrandbits(128):032x}"
        calls = touched if is_of_it else others
        # One decision in ten calls twice, at once; where a call is not named, it is the second.
        for number in range(2 if drawn.random() < 0.1 else 1):
            place = drawn.randrange(CONNECTIONS)
            start_ns = max(at_ns, free_ns[place])
            free_ns[place] = start_ns + _CALL_NS
            left_out = sort.unnamed if number and is_of_it and is_unnamed else ""
            port = _FIRST_PORT + place
            calls.append(Call(trace_id, f"{number + 1:016x}", start_ns, port, left_out, lag_ns))
    end_ns = max(call.at_ns for call in touched) + _CALL_NS
    late_ns = round(drawn.uniform(*sort.late_s) * NS_PER_S)
    wire = [packet for call in (*touched, *others) for packet in call.packets()]
    return Incident(
        from_ns=begin_ns - NS_PER_S,
        to_ns=end_ns + NS_PER_S,
        asked_ns=end_ns + 2 * NS_PER_S + late_ns,
        killed_ns=drawn.randint(begin_ns - 8 * NS_PER_S, end_ns + 16 * NS_PER_S),
        touched=touched,
        others=others,
        dropped=set(drawn.sample(wire, drawn.randint(*sort.drop_packets))),
    )


class SimulatedRecorder:
    """What a recorder would hold at `now_ns`, of the packets that came by then."""

    def __init__(self, sort: Sort, started_ns: int) -> None:
        self._sort = sort
        self.now_ns = self._started_ns = started_ns
        self._times: list[int] = []
        self._frames = frames_of([])
        self._dropped_ns: list[int] = []
        self._is_ended = False

    def hear(self, happened: Incident) -> None:
        """Take what was on the wire of one incident; they come in order of time."""
        calls = (*happened.touched, *happened.others)
        wire = sorted(packet for call in calls for packet in call.packets())
        heard = [
            (packet, record)
            for packet, record in zip(wire, _records(wire), strict=True)
            if packet not in happened.dropped
        ]
        self._times = [packet[0] for packet, _ in heard]
        self._frames = frames_of([record for _, record in heard])
        self._dropped_ns = sorted(ns for ns, _, _ in happened.dropped)

    def end(self) -> None:
        """End, as by a signal."""
        self._is_ended = True

    def revive(self, now_ns: int) -> None:
        """Begin anew where it has ended, with nothing held."""
        if self._is_ended:
            self._is_ended, self._started_ns = False, now_ns

    def stats(self) -> RecorderStats:
        """Return what it has seen and holds."""
        self._check()
        begin, end = self._held()
        count = end - bisect_left(self._times, self._started_ns)
        drops = bisect_left(self._dropped_ns, self.now_ns)
        drops -= min(bisect_left(self._dropped_ns, self._started_ns), drops)
        since_ns = max(self._started_ns, self.now_ns - round(self._sort.window_s * NS_PER_S))
        if end - begin >= self._sort.held_packets:
            since_ns = max(since_ns, self._times[begin])
        oldest_ns = self._times[begin] if begin < end else None
        return RecorderStats(max(count, 0), drops, end - begin, 0, oldest_ns, since_ns, 0)

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames."""
        self._check()
        begin, end = self._held()
        frames = self._frames.between(begin, end)
        decoded = decode(frames)
        return frames.take(decoded.rows[selection.of(decoded.columns)])

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return nothing: nobody said whose a request is."""
        self._check()
        return no_contexts()

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return nothing: no figures are kept."""
        self._check()
        return []

    def _check(self) -> None:
        if self._is_ended:
            raise CaptureError("the packet recorder has ended")

    def _held(self) -> tuple[int, int]:
        end = bisect_left(self._times, self.now_ns)
        oldest_ns = max(self._started_ns, self.now_ns - round(self._sort.window_s * NS_PER_S))
        begin = max(bisect_left(self._times, oldest_ns), end - self._sort.held_packets)
        return min(begin, end), end


def _records(wire: Sequence[Wire]) -> Iterator[tuple[int, int, bytes]]:
    """Yield frames as the recorder has them: headers, with the numbers of their connections."""
    sent: dict[tuple[int, bool], int] = defaultdict(int)  # bytes, by connection and side
    for ts_ns, port, is_answer in wire:
        ends = (SERVER_PORT, port) if is_answer else (port, SERVER_PORT)
        payload = _ANSWER_BYTES if is_answer else _REQUEST_BYTES
        numbers = sent[port, is_answer], sent[port, not is_answer]
        sent[port, is_answer] += payload
        tcp = struct.pack(">HHIIBBHHH", *ends, *numbers, 0x50, 0x18, 512, 0, 0)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + payload, 0, 0, 64, 6, 0)
        head = b"\x02" * 12 + b"\x08\x00" + ip + b"\x7f\x00\x00\x01" * 2
        yield ts_ns, len(head) + len(tcp) + payload, head + tcp
