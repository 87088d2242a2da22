"""I/O: writes the tables of this room; the only writer of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from collector.store.connect import Connections
from packet.correlate.clock_offset import ClockOffset
from packet.correlate.spans import SpanFlow
from packet.correlate.trace_context import Context
from packet.correlate.wait_times import WireTime
from packet.decode.columns import U64, WIRE_ONLY, Mask, PacketColumns, address_texts
from packet.sampling.reconstruction import Captured, Reconstruction
from packet.sampling.triggers import Trigger
from packet.store.reader import FlowSpan, Reader
from packet.tcp.flows import IDLE_NS, Flow, analyse
from packet.tcp.microburst import Burst
from packet.tcp.per_second import WireSecond


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One row of `clock_offsets`."""

    window_ns: int
    host_a: str
    host_b: str
    source: str  # packets or spans
    offset: ClockOffset
    says_unsynchronised: tuple[str, ...]
    segments: int
    excluded: int


@dataclass(frozen=True, slots=True)
class ReconstructionRow:
    """One row of `reconstructions`."""

    trigger_id: str
    from_ns: int
    cause: str
    captured: Captured
    judged: Reconstruction


class Writer:
    """Writes of the packet job, on the connection of whichever thread asks."""

    def __init__(
        self,
        store: Connections,
        server_ports: frozenset[int] = frozenset(),
        host: str = "",
    ) -> None:
        """Write for one recorder; `host` is its `packet.host`."""
        self._store = store
        self._server_ports = server_ports
        self._host = host

    def packets(self, packets: PacketColumns, kept_for: str, trigger_id: str) -> None:
        """Write packets; one that is there already is replaced.

        Args:
            packets: at least one.
            kept_for: a `byte_budget.Tier`.
            trigger_id: of the alert or trigger that asked, "" where none did.
        """
        columns: dict[str, Any] = {
            field.name: getattr(packets, field.name)
            for field in fields(packets)
            if field.name not in {"src", "dst", *WIRE_ONLY}
        }
        columns["src_address"] = address_texts(packets.src)
        columns["dst_address"] = address_texts(packets.dst)
        columns["kept_for"] = [kept_for] * len(packets)
        columns["trigger_id"] = [trigger_id] * len(packets)
        columns["host"] = [self._host] * len(packets)
        self._store.client().insert_arrow("packets", pa.table(columns))

    def flows(self, reader: Reader, touched: PacketColumns, now_ns: int) -> int:
        """Write the connections that the given packets belong to; return how many.

        A connection is analysed from all of its kept packets. What comes to light later may begin
        it earlier, or join two stretches to one: rows that no longer hold are marked deleted.
        """
        extents = _Extents.of(touched)
        stored_links = reader.flow_spans(
            extents.hashes.tolist(),
            int(extents.first_ns.min()) - IDLE_NS,
            int(extents.last_ns.max()) + IDLE_NS,
        )
        near = [row for row in stored_links if extents.are_near(row)]
        for row in near:
            extents.include(row)
        kept = reader.packets(
            int(extents.first_ns.min()), int(extents.last_ns.max()), extents.hashes.tolist()
        )
        flows = analyse(kept.take(extents.hold(kept)), self._server_ports)
        self._write_flows(flows, is_deleted=0, now_ns=now_ns)
        self._write_flows(_gone(near, flows), is_deleted=1, now_ns=now_ns)
        return len(flows)

    def span_flows(self, links: Sequence[SpanFlow], now_ns: int) -> None:
        """Write links; that of the same span and connection is replaced."""
        if not links:
            return
        columns: dict[str, Any] = {
            field.name: [getattr(row, field.name) for row in links] for field in fields(SpanFlow)
        }
        columns["flow_hash"] = pa.array(columns["flow_hash"], pa.uint64())
        columns["wire_ns"] = pa.array(columns["wire_ns"], pa.uint64())
        columns["host"] = [row.host or self._host for row in links]
        columns["linked_ns"] = [now_ns] * len(links)
        self._store.client().insert_arrow("span_flows", pa.table(columns))

    def wire_times(self, times: Sequence[WireTime], now_ns: int) -> None:
        """Write what spans waited for; that of the same span is replaced."""
        names = ("trace_id", "span_id", "decision_id", "start_ns", "end_ns", "exchanges", "rtt_ns",
               "outside_ns", "confidence")  # fmt: skip
        self._insert(
            "wire_times",
            [*names, "kinds", "ends_ns", "linked_ns"],
            [
                [
                    *_values(row, names),
                    [str(what) for what, _, _ in row.pieces],
                    [to_ns for _, _, to_ns in row.pieces],
                    now_ns,
                ]
                for row in times
            ],
        )

    def wire_contexts(self, contexts: Sequence[Context], now_ns: int) -> None:
        """Write what kept packets said; that of the same packet and span is replaced."""
        names = tuple(field.name for field in fields(Context))
        self._insert(
            "wire_contexts",
            [*names, "host", "written_ns"],
            [[*_values(row, names), self._host, now_ns] for row in contexts],
        )

    def clock_offsets(self, rows: Sequence[ClockRow], now_ns: int) -> None:
        """Write what was estimated of pairs of clocks; that of the same minute is replaced."""
        names = ("window_ns", "host_a", "host_b", "source", "says_unsynchronised", "segments",
               "excluded")  # fmt: skip
        estimated = (
            "at_ns", "offset_ns", "bound_ns", "median_offset_ns", "rtt_min_ns", "drift_ppm",
            "drift_bound_ppm", "state", "stepped_ns", "forward", "reverse",
        )  # fmt: skip
        self._insert(
            "clock_offsets",
            [*names, *estimated, "version"],
            [[*_values(row, names), *_values(row.offset, estimated), now_ns] for row in rows],
        )

    def wire_seconds(self, seconds: Sequence[WireSecond]) -> None:
        """Write figures of the wire and the bursts among them; the same second is replaced."""
        names = ("second_ns", "packets", "wire_bytes", "flows", "peak_1ms_bytes",
               "peak_500us_bytes", "queue_bytes", "queue_ns", "retransmissions", "zero_windows",
               "bursts_refused")  # fmt: skip
        burst_own = tuple(field.name for field in fields(Burst))
        bursts = [burst for second in seconds for burst in second.bursts]
        self._insert(
            "wire_seconds",
            [*names, "bursts", "host"],
            [[*_values(row, names), len(row.bursts), self._host] for row in seconds],
        )
        self._insert(
            "microbursts",
            [*burst_own, "host"],
            [[*_values(burst, burst_own), self._host] for burst in bursts],
        )

    def triggers(self, triggers: Sequence[Trigger], now_ns: int) -> None:
        """Write requests to every recorder; one that reaches further now is replaced."""
        names = tuple(field.name for field in fields(Trigger))
        self._insert(
            "capture_triggers",
            [*names, "host", "version"],
            [[*_values(row, names), self._host, now_ns] for row in triggers],
        )

    def budget(self, spent: Mapping[str, int], now_ns: int) -> None:
        """Write what was seen, kept and refused since the last row, by column of the table."""
        self._insert(
            "packet_budget",
            ["at_ns", "host", *spent],
            [[now_ns, self._host, *spent.values()]],
        )

    def reconstruction(self, row: ReconstructionRow, now_ns: int) -> None:
        """Write the result of a request."""
        captured, verdict = row.captured, row.judged
        self._insert(
            "reconstructions",
            ["from_ns", "trigger_id", "host", "cause", "requests", "rebuilt", "packets",
             "probability", "sampled_probability", "grounds", "version"],
            [[row.from_ns, row.trigger_id, self._host, row.cause, captured.requests,
              captured.rebuilt, captured.packets, verdict.probability, verdict.sampled_probability,
              list(verdict.grounds), now_ns]],
        )  # fmt: skip

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._store.client().insert(table, rows, column_names=list(columns))

    def _write_flows(self, rows: Sequence[Flow], *, is_deleted: int, now_ns: int) -> None:
        if not rows:
            return
        columns: dict[str, Any] = {
            field.name: [getattr(row, field.name) for row in rows] for field in fields(Flow)
        }
        columns["flow_hash"] = pa.array(columns["flow_hash"], pa.uint64())
        columns["handshake_rtt_ns"] = pa.array(columns["handshake_rtt_ns"], pa.uint64())
        columns["version"] = [now_ns] * len(rows)
        columns["is_deleted"] = [is_deleted] * len(rows)
        columns["host"] = [self._host] * len(rows)
        self._store.client().insert_arrow("flows", pa.table(columns))


def _values(row: object, names: Sequence[str]) -> list[Any]:
    return [getattr(row, name) for name in names]


@dataclass(slots=True)
class _Extents:
    """The time in which each of some connections was seen, by ascending hash.

    Packets are read for the time of all of them together. A stretch of one that lies wholly
    elsewhere would be cut by that, and must be left as it is.
    """

    hashes: U64
    first_ns: U64
    last_ns: U64

    @classmethod
    def of(cls, packets: PacketColumns) -> _Extents:
        """Return the extents of the connections of at least one packet."""
        hashes, place = np.unique(packets.flow_hash, return_inverse=True)
        first_ns = np.full(len(hashes), np.iinfo(np.uint64).max, np.uint64)
        last_ns = np.zeros(len(hashes), np.uint64)
        np.minimum.at(first_ns, place, packets.ts_ns)
        np.maximum.at(last_ns, place, packets.ts_ns)
        return cls(hashes, first_ns, last_ns)

    def are_near(self, row: FlowSpan) -> bool:
        """Return whether a known stretch may be one with what was seen of its connection."""
        row_index = np.searchsorted(self.hashes, np.uint64(row.flow_hash))
        first_ns, last_ns = int(self.first_ns[row_index]), int(self.last_ns[row_index])
        return row.last_ns + IDLE_NS >= first_ns and row.first_ns <= last_ns + IDLE_NS

    def include(self, row: FlowSpan) -> None:
        """Reach to both ends of a known stretch."""
        row_index = np.searchsorted(self.hashes, np.uint64(row.flow_hash))
        self.first_ns[row_index] = min(int(self.first_ns[row_index]), row.first_ns)
        self.last_ns[row_index] = max(int(self.last_ns[row_index]), row.last_ns)

    def hold(self, packets: PacketColumns) -> Mask:
        """Return which packets, all of these connections, lie in the time of their own."""
        row_index = np.searchsorted(self.hashes, packets.flow_hash)
        is_inside: Mask = (packets.ts_ns >= self.first_ns[row_index]) & (
            packets.ts_ns <= self.last_ns[row_index]
        )
        return is_inside


def _gone(stored_links: Sequence[FlowSpan], flows: Sequence[Flow]) -> list[Flow]:
    """Return rows that mark as deleted the known stretches that are no stretches any more."""
    current = {(flow.flow_hash, flow.first_ns) for flow in flows}
    of_hash = {flow.flow_hash: flow for flow in flows}
    return [
        replace(of_hash[row.flow_hash], first_ns=row.first_ns, last_ns=row.last_ns)
        for row in stored_links
        if (row.flow_hash, row.first_ns) not in current
    ]
