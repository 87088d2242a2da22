"""I/O: keeps the packets that alerts and triggers ask for, and writes the result of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collector.core.times import NS_PER_DAY, NS_PER_S
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.correlate.claims import WINDOW_MARGIN_NS, SpanEndpoints
from packet.correlate.clock_lag import LAG_MAX_NS
from packet.correlate.coverage import Coverage, Drops, Key, edges_of, moved, tears_of, window_of
from packet.correlate.span_windows import within_windows
from packet.correlate.spans import LAGGED, SpanFlow, link
from packet.correlate.trace_context import as_contexts
from packet.decode.columns import U64, Mask, PacketColumns, port_pairs
from packet.decode.sampler import Selection
from packet.jobs.keeper import Keeper, Tally, on_the_wire
from packet.sampling.byte_budget import ByteBudget, Tier
from packet.sampling.reconstruction import Captured, judge
from packet.store.reader import REACH_NS, CaptureRequest, Reader
from packet.store.writer import ReconstructionRow, Writer

# OpenTelemetry SDKs export a batch every 5 s, and a stored batch may be another second old.
LATE_NS = 10 * NS_PER_S
# A request that nobody answered so long is left without an answer: the recorder was off for days.
_HORIZON_NS = NS_PER_DAY
# Requests of one incident share connections, so an incident may have more of them than of those.
_TRACES_PER_FLOW = 5


@dataclass(slots=True)
class _Capture:
    """How far one request has come."""

    asked_ns: int  # when the recorder was asked first
    since_ns: int  # ... and from when on it held everything
    received_ns: int = 0  # decisions received up to here have been looked at
    pairs: set[int] = field(default_factory=set)  # connections pulled so far
    packets: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))  # names of those paid for
    refused_flows: int = 0
    refused_bytes: int = 0
    cut_packets: int = 0  # left out of answers of the recorder
    coverage: Coverage = field(default_factory=Coverage)


@dataclass(slots=True)
class _RequestScan:
    """One look at one open request."""

    request: CaptureRequest
    capture: _Capture
    traces: list[str]  # that are new, the slowest decision first
    is_last: bool
    until_ns: int  # of its own time, as far as that is over
    spans: list[SpanEndpoints] = field(default_factory=list)
    by_rank: list[int] = field(default_factory=list)  # connections, the one that matters most first
    pairs: set[int] = field(default_factory=set)  # ... those that are asked for
    range_ns: tuple[int, int] | None = None  # None: nothing is asked for


@dataclass(frozen=True, slots=True)
class _RecorderAnswer:
    """What the recorder had for all looks of one run, and what was found in it."""

    packets: PacketColumns
    since_ns: int  # of it everything is there
    links: Mapping[Key, Sequence[SpanFlow]]
    tears: Mapping[int, Sequence[int]]
    edges: Sequence[int]


class CaptureJob:
    """Answers `capture_requests` and `capture_triggers` from the recorder's memory."""

    def __init__(
        self,
        config: PacketConfig,
        reader: Reader,
        writer: Writer,
        budget: ByteBudget,
        keeper: Keeper,
    ) -> None:
        self._config = config
        self._reader = reader
        self._writer = writer
        self._budget = budget
        self._keeper = keeper
        # Lost in a restart, as is what the recorder holds: an older request then finds nothing.
        self._captures: dict[str, _Capture] = {}
        self._closing: list[CaptureRequest] = []
        self._drops = Drops()
        # From when on there was somebody to answer requests; of earlier ones nothing is said.
        self._began_ns = reader.first_budget_ns()

    def keep(self, recorder: Recorder, until_ns: int, now_ns: int, tally: Tally) -> None:
        """Keep what open requests ask for, as far as their decisions have come in.

        The recorder is asked once for all of them: to search a minute of its memory for each
        would take longer than the minute, on a day on which alert follows alert.
        """
        stats = recorder.stats()
        self._drops.note(now_ns, stats.packets, stats.kernel_drops)
        scans = list(self._scans(stats.since_ns, until_ns, now_ns))
        spans_of = self._spans_of(scans, recorder)
        for scan in scans:
            self._choose(scan, spans_of, tally)
        open_requests = [scan for scan in scans if scan.range_ns is not None]
        if open_requests:
            # Around them: a clock that is off has its packets there.
            selection = Selection(
                min(scan.range_ns[0] for scan in open_requests if scan.range_ns) - LAG_MAX_NS,
                min(
                    max(scan.range_ns[1] for scan in open_requests if scan.range_ns) + LAG_MAX_NS,
                    now_ns,
                ),
                frozenset(pair for scan in open_requests for pair in scan.pairs),
            )
            packets = tally.pulled(recorder, selection)
            stats_after = recorder.stats()
            answer = self._recorder_answer(open_requests, packets, stats_after.since_ns, tally)
            for scan in open_requests:
                scan.capture.cut_packets += stats_after.refused - stats.refused
                self._keep_one(scan, answer, tally)
        for scan in scans:
            scan.capture.received_ns = until_ns
            tally.open_requests += not scan.is_last
        self._closing += [scan.request for scan in scans if scan.is_last]

    def keep_nothing(self, until_ns: int, now_ns: int) -> None:
        """Close the requests that are due while no recorder answers."""
        scans = self._scans(now_ns, until_ns, now_ns)
        self._closing = [scan.request for scan in scans if scan.is_last]

    def _scans(self, since_ns: int, until_ns: int, now_ns: int) -> Iterator[_RequestScan]:
        """Yield the requests that are open, with the traces that are new to them."""
        if self._began_ns is None:
            self._began_ns = min(since_ns, now_ns)
        horizon_ns = max(self._began_ns, until_ns - _HORIZON_NS, 0)
        captures, self._captures = self._captures, {}
        for request in self._reader.capture_requests(horizon_ns, LATE_NS):
            capture = captures.get(request.trigger_id) or _Capture(now_ns, since_ns)
            self._captures[request.trigger_id] = capture
            is_last = until_ns >= request.to_ns + LATE_NS
            if is_last:
                # Spans of a decision come in by themselves: the last look is at all of them again.
                capture.received_ns = 0
            traces, _ = self._traces(request, capture.received_ns, until_ns)
            until = min(request.to_ns, until_ns)
            yield _RequestScan(request, capture, traces, is_last, until)

    def _spans_of(
        self, scans: Sequence[_RequestScan], recorder: Recorder
    ) -> dict[str, list[SpanEndpoints]]:
        """Return the spans of every trace that any of the requests is about."""
        spans_by_trace: dict[str, list[SpanEndpoints]] = defaultdict(list)
        traces = list(dict.fromkeys(trace for scan in scans for trace in scan.traces))
        if traces:
            from_ns = min(scan.request.from_ns for scan in scans) - REACH_NS
            to_ns = max(scan.request.to_ns for scan in scans) + REACH_NS
            spans = self._reader.spans(max(from_ns, 0), to_ns, trace_ids=traces, portless=True)
            for span in on_the_wire(recorder, spans):
                spans_by_trace[span.trace_id].append(span)
        return spans_by_trace

    def _choose(
        self, scan: _RequestScan, spans_of: Mapping[str, Sequence[SpanEndpoints]], tally: Tally
    ) -> None:
        """Settle on the connections of a request, and the time of them."""
        request, capture = scan.request, scan.capture
        spans = [span for trace in scan.traces for span in spans_of.get(trace, ())]
        if request.port_pairs:
            spans += self._reader.spans(
                request.from_ns, request.to_ns, port_pairs=request.port_pairs
            )
        scan.by_rank = [*request.port_pairs, *_pairs_by_rank(spans, scan.traces)]
        new = [pair for pair in dict.fromkeys(scan.by_rank) if pair not in capture.pairs]
        room = max(self._config.capture_flows_max - len(capture.pairs), 0)
        capture.refused_flows += len(new[room:])
        tally.refused_flows += len(new[room:])
        capture.pairs.update(new[:room])
        scan.spans = [span for span in spans if span.port_pair in capture.pairs]
        scan.pairs = {span.port_pair for span in scan.spans} | set(request.port_pairs)
        times = [window_of(span) for span in scan.spans]
        if request.port_pairs:
            times.append((request.from_ns, scan.until_ns))
        if times:
            scan.range_ns = min(begin for begin, _ in times), max(end for _, end in times)

    def close(self, now_ns: int) -> None:
        """Write the results of requests that are over, once their packets are linked."""
        closing, self._closing = self._closing, []
        for request in closing:
            capture = self._captures.get(request.trigger_id)
            if capture is not None:
                self._writer.reconstruction(self._reconstruction(request, capture, now_ns), now_ns)

    def forget(self) -> None:
        """Begin anew with every request: what a run that failed had kept may be nowhere."""
        self._captures.clear()
        self._closing.clear()

    def _reconstruction(
        self, request: CaptureRequest, capture: _Capture, now_ns: int
    ) -> ReconstructionRow:
        traces, total = self._traces(request, 0, now_ns)
        spans = self._spans(request, traces)
        touched = {span.trace_id for span in spans} | set(traces)
        # What answers and names no ports may have used no network, and its caller has a span of its
        # own. A call is over the network: one that names none and was not found is missing.
        spans = [span for span in spans if span.port_pair or not span.is_server]
        keys = [(span.trace_id, span.span_id) for span in spans]
        whole = {key for key in keys if capture.coverage.is_whole(key)}
        unlinked = {key[0] for key in keys if key not in whole} | (
            touched - {key[0] for key in keys}
        )
        # The first request that the incident touched, not the window in which it was looked for.
        begin_ns = min((span.start_ns for span in spans), default=request.from_ns)
        end_ns = max((span.end_ns for span in spans), default=request.to_ns)
        recorded, dropped = self._drops.between(begin_ns, end_ns)
        captured = Captured(
            requests=max(total, len(touched)),
            looked_at=len(touched),
            rebuilt=len(touched - unlinked),
            spans=len(spans),
            packets=len(capture.packets),
            unproven=capture.coverage.unproven,
            held_s=(capture.asked_ns - capture.since_ns) / NS_PER_S,
            needed_s=(capture.asked_ns - begin_ns) / NS_PER_S,
            recorded=recorded,
            dropped=dropped,
            refused_flows=capture.refused_flows,
            refused_bytes=capture.refused_bytes,
            cut_packets=capture.cut_packets,
            sample_ratio=self._config.sample_ratio,
        )
        return ReconstructionRow(
            request.trigger_id, request.from_ns, request.cause, captured, judge(captured)
        )

    def _traces(
        self, request: CaptureRequest, after_ns: int, until_ns: int
    ) -> tuple[list[str], int]:
        """Return the traces of a request that are looked at, and how many there are."""
        if request.cause != "alert":
            return list(request.trace_ids), len(request.trace_ids)
        traces_max = self._config.capture_flows_max * _TRACES_PER_FLOW
        return self._reader.affected_traces(request, after_ns, until_ns, traces_max)

    def _spans(self, request: CaptureRequest, traces: Sequence[str]) -> list[SpanEndpoints]:
        spans = list[SpanEndpoints]()
        if traces:
            from_ns, to_ns = max(request.from_ns - REACH_NS, 0), request.to_ns + REACH_NS
            spans += self._reader.spans(from_ns, to_ns, trace_ids=traces, portless=True)
        if request.port_pairs:
            spans += self._reader.spans(
                request.from_ns, request.to_ns, port_pairs=request.port_pairs
            )
        return spans

    def _recorder_answer(
        self, scans: Sequence[_RequestScan], packets: PacketColumns, since_ns: int, tally: Tally
    ) -> _RecorderAnswer:
        """Find, once for all looks, what is of which span, and what is missing.

        Among all packets of the connections, not among those of a span's own time alone.
        """
        spans = list({_key(span): span for scan in scans for span in scan.spans}.values())
        contexts = as_contexts(tally.contexts[-1])
        links = link(spans, packets, contexts)
        if any(row.method.endswith(LAGGED) for row in links):
            # By a lag a span may reach into the exchange of the next one on its connection, which
            # has to be known to have it.
            named = {_key(span) for span in spans}
            from_ns, to_ns = zip(*(window_of(span) for span in spans), strict=True)
            pairs = {span.port_pair for span in spans}
            others = self._reader.spans(min(from_ns), max(to_ns), port_pairs=pairs)
            rivals = [span for span in others if _key(span) not in named]
            linked = link([*spans, *rivals], packets, contexts)
            links = [row for row in linked if (row.trace_id, row.span_id) in named]
            tally.lagged += links
        by_key: dict[Key, list[SpanFlow]] = defaultdict(list)
        for row in links:
            by_key[row.trace_id, row.span_id].append(row)
        tears = tears_of(packets, {span.client_port for span in spans})
        return _RecorderAnswer(packets, since_ns, by_key, tears, edges_of(packets))

    def _keep_one(self, scan: _RequestScan, answer: _RecorderAnswer, tally: Tally) -> None:
        pairs = port_pairs(answer.packets.src_port, answer.packets.dst_port)
        packets = answer.packets.take(np.isin(pairs, np.array(sorted(scan.pairs), np.uint32)))
        links = [row for span in scan.spans for row in answer.links.get(_key(span), ())]
        coverage, elsewhere = scan.capture.coverage, moved(scan.spans, links)
        coverage.add_exchanges(links, answer.tears)
        coverage.add(scan.spans, answer.since_ns)
        # Where their begin is known by what was seen of it alone, there may have been more before.
        coverage.add(elsewhere, answer.since_ns + WINDOW_MARGIN_NS)
        kept = within_windows(packets, [*scan.spans, *elsewhere])
        if scan.request.port_pairs:
            kept |= _named(packets, scan.request)
        coverage.unproven = int(np.isin(answer.edges, packets.ts_ns[kept]).sum())
        packets = packets.take(kept)
        # What an earlier look kept is kept, paid for and linked.
        fresh = packets.take(~np.isin(packet_names(packets), scan.capture.packets))
        fresh = self._paid(fresh, scan.capture, scan.by_rank)
        if len(fresh):
            tally.captured += len(fresh)
            self._keeper.keep(fresh, Tier.DUMPED, scan.request.trigger_id)
            scan.capture.packets = np.union1d(scan.capture.packets, packet_names(fresh))
            tally.ranges.append((int(fresh.ts_ns.min()), int(fresh.ts_ns.max())))

    def _paid(
        self, packets: PacketColumns, capture: _Capture, by_rank: Sequence[int]
    ) -> PacketColumns:
        """Pay for packets, whole connections in their rank; leave out what finds no room."""
        pairs = port_pairs(packets.src_port, packets.dst_port)
        rank = {pair: place for place, pair in enumerate(dict.fromkeys(by_rank))}
        place = np.array([rank.get(pair, len(rank)) for pair in pairs.tolist()], np.int64)
        sizes = np.bincount(place, weights=packets.wire_bytes, minlength=len(rank) + 1)
        before = self._budget.refused_bytes
        count = self._budget.take(Tier.DUMPED, sizes.astype(np.int64))
        capture.refused_bytes += self._budget.refused_bytes - before
        return packets.take(place < count)


def _key(span: SpanEndpoints) -> Key:
    return span.trace_id, span.span_id


def packet_names(packets: PacketColumns) -> U64:
    """Return a number for each packet that tells it from all others of one recorder."""
    mixed = packets.ts_ns * np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
    sides = packets.src_port.astype(np.uint64) << np.uint64(32) | packets.tcp_seq
    names: U64 = (mixed ^ packets.flow_hash) + sides * np.uint64(0xC2B2AE3D27D4EB4F)
    return names


def _named(packets: PacketColumns, request: CaptureRequest) -> Mask:
    """Return which packets are of the connections and the time that a request names."""
    pairs = port_pairs(packets.src_port, packets.dst_port)
    pair_array = np.array(sorted(request.port_pairs), np.uint32)
    inside = (packets.ts_ns >= request.from_ns) & (packets.ts_ns < request.to_ns)
    named: Mask = np.isin(pairs, pair_array) & inside
    return named


def _pairs_by_rank(spans: Iterable[SpanEndpoints], traces: Sequence[str]) -> list[int]:
    """Return the connections of the spans, those of the first trace first, each once."""
    rank = {trace_id: place for place, trace_id in enumerate(traces)}
    ordered = sorted(spans, key=lambda span: rank.get(span.trace_id, len(rank)))
    return list(dict.fromkeys(span.port_pair for span in ordered))
