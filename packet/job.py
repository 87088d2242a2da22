"""I/O: keeps packets the recorder holds, and links them to spans.

Kept are a consistent sample of all flows, and, when an alert asks, the flows of the decisions it
names. Every step may be run again over the same time and leaves the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.clock import NS_PER_S
from collector.config import AttributesConfig
from collector.errors import CaptureError
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from packet.clock_job import ClockJob, ClockReport
from packet.columns import PacketColumns, port_pairs
from packet.config import PacketConfig
from packet.decode import decode
from packet.link import (
    AMBIGUOUS_CONFIDENCE,
    WINDOW_MARGIN_NS,
    SpanEndpoints,
    link,
    within_windows,
)
from packet.queries import REACH_NS, CaptureRequest, Reader
from packet.recorder import Recorder
from packet.sampler import Selection
from packet.store import Writer

_SAMPLE_CURSOR = "packet.sample"
_LINK_CURSOR = "packet.link"

# OpenTelemetry SDKs export a batch every 5 s, and a stored batch may be another second old.
LATE_NS = 10 * NS_PER_S
# A span that arrives later than this after its time is not linked: it would have all packets read.
_LINK_REACH_NS = 600 * NS_PER_S
# Spans this far outside a range are read too, because they may claim the same exchange.
_RIVAL_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class PacketReport:
    """What one run did."""

    sampled: int  # packets kept for the sample
    captured: int  # packets kept for alerts, those of earlier runs again included
    flows: int  # connections written
    linked: int  # links written
    ambiguous: int  # ... of them, those that are one of a set
    open_requests: int  # alerts whose decisions may still arrive
    refused_flows: int  # connections beyond packet.capture_flows_max
    undecoded: dict[str, int]  # frames of no use, by reason
    capture_lost: str | None  # why the recorder did not answer, None where it did
    clocks: ClockReport


@dataclass(slots=True)
class _Tally:
    """A report in the making, and the ranges of time to link."""

    sampled: int = 0
    captured: int = 0
    flows: int = 0
    linked: int = 0
    ambiguous: int = 0
    open_requests: int = 0
    refused_flows: int = 0
    undecoded: Counter[str] = field(default_factory=Counter)
    capture_lost: str | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def report(self, clocks: ClockReport) -> PacketReport:
        """Return what was counted."""
        return PacketReport(
            sampled=self.sampled,
            captured=self.captured,
            flows=self.flows,
            linked=self.linked,
            ambiguous=self.ambiguous,
            open_requests=self.open_requests,
            refused_flows=self.refused_flows,
            undecoded=dict(self.undecoded),
            capture_lost=self.capture_lost,
            clocks=clocks,
        )


@dataclass(slots=True)
class _Capture:
    """How far one alert's request has come."""

    received_ns: int = 0  # decisions received up to here have been looked at
    pairs: set[int] = field(default_factory=set)  # connections pulled so far
    done: bool = False


class PacketJob:
    """Keeps and links packets; without a recorder it links what was kept before."""

    def __init__(
        self,
        config: PacketConfig,
        attributes: AttributesConfig,
        store: Connections,
        recorder: Recorder | None,
    ) -> None:
        self._config = config
        self._store = store
        self._recorder = recorder
        self._reader = Reader(store, attributes, config.host)
        self._writer = Writer(store, frozenset(config.ports), config.host)
        self._clocks = ClockJob(store, self._reader, self._writer)
        # Recorders that share a store advance each by itself.
        self._sample_cursor = _SAMPLE_CURSOR + (f".{config.host}" if config.host else "")
        self._link_cursor = _LINK_CURSOR + (f".{config.host}" if config.host else "")
        # Lost in a restart, as is what the recorder holds: an older request then finds nothing.
        self._captures: dict[str, _Capture] = {}

    def run_once(self, now_ns: int) -> PacketReport:
        """Keep and link everything that is older than `packet.settle_s` at `now_ns`."""
        until_ns = now_ns - round(self._config.settle_s * NS_PER_S)
        tally = _Tally()
        if self._recorder is not None:
            try:
                self._keep_sample(self._recorder, until_ns, now_ns, tally)
                self._keep_captures(self._recorder, until_ns, now_ns, tally)
            except CaptureError as error:
                # Spans are linked to what was kept before; the page says what is missing.
                tally.capture_lost = str(error)
        self._link_new_spans(until_ns, now_ns, tally)
        return tally.report(self._clocks.run_once(now_ns))

    def _keep_sample(self, recorder: Recorder, until_ns: int, now_ns: int, tally: _Tally) -> None:
        from_ns = read_cursor(self._store.client(), self._sample_cursor)
        if from_ns >= until_ns:
            return
        selection = Selection(
            from_ns,
            until_ns,
            sample_ratio=self._config.sample_ratio,
            sample_epoch_s=self._config.sample_epoch_s,
        )
        packets = self._pull(recorder, selection, tally)
        tally.sampled += len(packets)
        tally.flows += self._keep(packets, "sample", "", now_ns)
        write_cursor(self._store.client(), self._sample_cursor, until_ns)

    def _keep_captures(self, recorder: Recorder, until_ns: int, now_ns: int, tally: _Tally) -> None:
        oldest_ns = recorder.stats().oldest_ns
        requests = [] if oldest_ns is None else self._reader.capture_requests(oldest_ns)
        self._captures = {
            request.trigger_id: self._captures.get(request.trigger_id, _Capture())
            for request in requests
        }
        for request in requests:
            capture = self._captures[request.trigger_id]
            if capture.done:
                continue
            is_last = until_ns >= request.to_ns + LATE_NS
            if is_last:
                # Spans of a decision come in by themselves: the last look is at all of them again.
                capture.received_ns = 0
            self._keep_capture(recorder, request, capture, until_ns, now_ns, tally)
            capture.received_ns, capture.done = until_ns, is_last
            tally.open_requests += not is_last

    def _keep_capture(
        self,
        recorder: Recorder,
        request: CaptureRequest,
        capture: _Capture,
        until_ns: int,
        now_ns: int,
        tally: _Tally,
    ) -> None:
        flows_max = self._config.capture_flows_max
        traces = self._reader.affected_traces(request, capture.received_ns, until_ns, flows_max)
        if not traces:
            return
        spans = self._reader.spans(
            max(request.from_ns - REACH_NS, 0), request.to_ns + REACH_NS, trace_ids=traces
        )
        wanted = _pairs_by_rank(spans, traces)
        new = [pair for pair in wanted if pair not in capture.pairs]
        room = max(flows_max - len(capture.pairs), 0)
        tally.refused_flows += len(new[room:])
        capture.pairs.update(new[:room])
        spans = [span for span in spans if span.port_pair in capture.pairs]
        if not spans:
            return
        from_ns = min(span.start_ns for span in spans) - WINDOW_MARGIN_NS
        to_ns = max(span.end_ns for span in spans) + WINDOW_MARGIN_NS
        pairs = frozenset(span.port_pair for span in spans)
        packets = self._pull(recorder, Selection(from_ns, to_ns, pairs), tally)
        packets = packets.take(within_windows(packets, spans))
        tally.captured += len(packets)
        tally.flows += self._keep(packets, "alert", request.trigger_id, now_ns)
        tally.ranges.append((from_ns, to_ns))

    def _pull(self, recorder: Recorder, selection: Selection, tally: _Tally) -> PacketColumns:
        decoded = decode(recorder.pull(selection))
        tally.undecoded.update(decoded.undecoded)
        return decoded.columns

    def _keep(self, packets: PacketColumns, kept_for: str, trigger_id: str, now_ns: int) -> int:
        """Write packets and the connections they belong to; return how many of the latter."""
        if not len(packets):
            return 0
        self._writer.packets(packets, kept_for, trigger_id)
        return self._writer.flows(self._reader, packets, now_ns)

    def _link_new_spans(self, until_ns: int, now_ns: int, tally: _Tally) -> None:
        after_ns = read_cursor(self._store.client(), self._link_cursor)
        # A batch may be stored after one that was received later: the last seconds are read again.
        from_ns, to_ns = self._reader.span_reach(max(after_ns - LATE_NS, 0), until_ns)
        if to_ns:
            tally.ranges.append((max(from_ns, until_ns - _LINK_REACH_NS), to_ns))
        for begin_ns, end_ns in _merged(tally.ranges):
            self._link_range(begin_ns, end_ns, now_ns, tally)
        write_cursor(self._store.client(), self._link_cursor, max(until_ns, after_ns))

    def _link_range(self, from_ns: int, to_ns: int, now_ns: int, tally: _Tally) -> None:
        """Link every span that overlaps the range, whenever it was received."""
        kept = self._reader.packets(from_ns - WINDOW_MARGIN_NS, to_ns + WINDOW_MARGIN_NS)
        if not len(kept):
            return
        pairs = set(port_pairs(kept.src_port, kept.dst_port).tolist())
        spans = self._reader.spans(from_ns - _RIVAL_NS, to_ns + _RIVAL_NS, port_pairs=pairs)
        if not spans:
            return
        packets = self._reader.packets(
            min(span.start_ns for span in spans) - WINDOW_MARGIN_NS,
            max(span.end_ns for span in spans) + WINDOW_MARGIN_NS,
            set(kept.flow_hash.tolist()),
        )
        inside = {
            (span.trace_id, span.span_id)
            for span in spans
            if span.start_ns <= to_ns and span.end_ns >= from_ns
        }
        links = [row for row in link(spans, packets) if (row.trace_id, row.span_id) in inside]
        self._writer.span_flows(links, now_ns)
        tally.linked += len(links)
        tally.ambiguous += sum(row.confidence <= AMBIGUOUS_CONFIDENCE for row in links)


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges of time that do not overlap, so that no span is linked twice in one run."""
    merged: list[tuple[int, int]] = []
    for from_ns, to_ns in sorted(ranges):
        if merged and from_ns <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], to_ns)
        else:
            merged.append((from_ns, to_ns))
    return merged


def _pairs_by_rank(spans: Sequence[SpanEndpoints], traces: Sequence[str]) -> list[int]:
    """Return the connections of the spans, those of the first trace first, each once."""
    rank = {trace_id: place for place, trace_id in enumerate(traces)}
    ordered = sorted(spans, key=lambda span: rank[span.trace_id])
    return list(dict.fromkeys(span.port_pair for span in ordered))
