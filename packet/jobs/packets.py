"""I/O: keeps packets the recorder holds, and links them to spans.

Kept are a consistent sample of all flows, the flows of the traces that are kept anyway, and, when
an alert or a trigger asks, the flows it names: all three within one byte budget. Every step may be
run again over the same time and leaves the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.errors import CaptureError
from collector.core.intervals import merge
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import RECORDER_ENDED, SAMPLE_CURSOR, JobCursor
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.correlate.claims import AMBIGUOUS_CONFIDENCE, WINDOW_MARGIN_NS, SpanEndpoints
from packet.correlate.clock_lag import LAG_MAX_NS
from packet.correlate.spans import link
from packet.correlate.wait_times import wire_times
from packet.decode.columns import PacketColumns, port_pairs
from packet.decode.sampler import Selection
from packet.jobs.budget_report import Meter
from packet.jobs.clocks import ClockJob, ClockReport
from packet.jobs.cross_host import SeqJob
from packet.jobs.cursor import OwnCursor
from packet.jobs.keeper import Keeper, Tally
from packet.jobs.requests import LATE_NS, CaptureJob
from packet.jobs.traces import TracePull
from packet.jobs.triggers import TriggerJob
from packet.sampling.byte_budget import ByteBudget, Tier
from packet.store.reader import Reader
from packet.store.writer import ClockRow, Writer

_LINK_CURSOR = "packet.link"
_TRACE_CURSOR = "packet.traces"

# A span that arrives later than this after its time is not linked: it would have all packets read.
_LINK_REACH_NS = 10 * NS_PER_MINUTE
# Spans this far outside a range are read too, because they may claim the same exchange.
_RIVAL_NS = NS_PER_S
# Spans that another process received are looked for so often, where this one received none.
_QUIET_NS_MAX = 10 * NS_PER_S


@dataclass(frozen=True, slots=True)
class PacketReport:
    """What one run did."""

    sampled: int  # packets kept for the sample
    pulled: int  # packets kept for traces that are kept
    captured: int  # packets kept for alerts and triggers; one for two of them twice
    flows: int  # connections written
    linked: int  # links written
    ambiguous: int  # ... of them, those that are one of a set
    joined: int  # links to what another host's recorder saw under another name
    open_requests: int  # alerts and triggers whose decisions may still arrive
    refused_flows: int  # connections beyond packet.capture_flows_max
    triggers: int  # raised or extended
    triggers_refused: int  # since the start, over packet.triggers_per_hour_max
    undecoded: dict[str, int]  # frames of no use, by reason
    capture_lost: str | None  # why the recorder did not answer, None where it did
    budget: ByteBudget  # since the start
    clocks: ClockReport


class PacketJob:
    """Keeps and links packets; without a recorder it links what was kept before."""

    def __init__(
        self,
        config: PacketConfig,
        attributes: AttributesConfig,
        store: Connections,
        recorder: Recorder | None,
        counters: Counters | None = None,
        revive: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Take the parts.

        Args:
            config: the settings.
            attributes: a customer's names of attributes.
            store: where everything is read and written.
            recorder: which packets are asked of.
            counters: what is counted on /metrics.
            revive: starts a recorder that has ended anew; it is given the instant.
        """
        self._config = config
        self._store = store
        self._recorder = recorder
        self._revive = revive
        self._reader = Reader(store, attributes, config.host)
        self._writer = Writer(store, frozenset(config.ports), config.host)
        self._keeper = Keeper(self._reader, self._writer)
        self._budget = ByteBudget.full(
            config.budget_ratio, config.budget_burst_mib * 1024 * 1024, self._reader.budget_left()
        )
        self._meter = Meter(self._budget, self._writer, counters)
        self._clocks = ClockJob(store, self._reader, self._writer)
        # Recorders that share a store advance each by itself.
        suffix = f".{config.host}" if config.host else ""
        self._trace_cursor = JobCursor(f"{_TRACE_CURSOR}{suffix}")
        self._link_cursor = JobCursor(f"{_LINK_CURSOR}{suffix}")
        self._sample_cursor = OwnCursor(store, SAMPLE_CURSOR, config.host)
        # Up to when spans were linked, and how many of the last seconds before that were there.
        self._read_to: tuple[int, int] | None = None
        # Up to when every span that was received was there when spans were read, and when that was.
        self._read_ns: int | None = None
        self._asked_ns = 0
        memory_ns = round(config.window_s * NS_PER_S)
        self._joined = SeqJob(store, self._reader, self._writer, memory_ns)
        self._triggers = TriggerJob(config, store, self._reader, self._writer, self._meter)
        self._captures = CaptureJob(config, self._reader, self._writer, self._budget, self._keeper)
        self._traces = TracePull(config, self._reader, self._budget, self._keeper)

    def end(self, now_ns: int) -> None:
        """Say in the store that this recorder ended, so that nobody waits for it."""
        OwnCursor(self._store, RECORDER_ENDED, self._config.host).write(now_ns)

    @property
    def budget(self) -> ByteBudget:
        """Return what may be kept, and what was kept and refused since the start."""
        return self._budget

    @property
    def clocks(self) -> list[ClockRow]:
        """Return how far the clocks of hosts were apart in the last minute that told."""
        return self._clocks.latest

    def run_once(
        self, now_ns: int, stored_ns: int | None = None, newest_ns: int | None = None
    ) -> PacketReport:
        """Keep and link everything that is older than `packet.settle_s` at `now_ns`.

        Args:
            now_ns: the instant of this run.
            stored_ns: all spans received by then are in the store, if the caller knows: those of a
                store that is behind are then waited for.
            newest_ns: when something was received last, if the caller knows: where a run saw it,
                the store is asked for spans every few seconds only, for what others received.
        """
        try:
            return self._run(now_ns, stored_ns, newest_ns)
        except Exception:
            self._captures.forget()
            self._read_to = self._read_ns = None
            raise

    def _run(self, now_ns: int, stored_ns: int | None, newest_ns: int | None) -> PacketReport:
        until_ns = now_ns - round(self._config.settle_s * NS_PER_S)
        spans_until_ns = until_ns if stored_ns is None else min(until_ns, stored_ns)
        has_spans = self._may_have_spans(now_ns, newest_ns)
        tally = Tally()
        if self._recorder is not None:
            try:
                self._revive(now_ns)
                tally.triggers = self._triggers.run_once(
                    self._recorder, spans_until_ns, now_ns, has_spans=has_spans
                )
                self._keep_sample(self._recorder, until_ns, tally)
                if has_spans:
                    self._keep_traces(self._recorder, spans_until_ns, tally)
                self._captures.keep(self._recorder, until_ns, now_ns, tally)
            except CaptureError as error:
                # Spans are linked to what was kept before; the page says what is missing.
                tally.capture_lost = str(error)
                self._captures.keep_nothing(until_ns, now_ns)
        tally.flows = self._keeper.analyse(tally.contexts, now_ns)
        self._link_new_spans(spans_until_ns, now_ns, tally, has_spans=has_spans)
        # They replace what this run made of the kept packets alone.
        self._writer.span_flows(tally.lagged, now_ns + 1)
        self._captures.close(now_ns)
        if self._recorder is not None and tally.capture_lost is None:
            self._meter.note(self._recorder.stats())
        self._meter.write(now_ns)
        tally.joined = self._joined.run_once(now_ns)
        report = self._report(tally, self._clocks.run_once(now_ns))
        if has_spans:
            # What a lost recorder kept from a look at the spans is made up for by the next run.
            is_whole = stored_ns is not None and tally.capture_lost is None
            self._read_ns = spans_until_ns if is_whole else None
            self._asked_ns = now_ns
        return report

    def _may_have_spans(self, now_ns: int, newest_ns: int | None) -> bool:
        if newest_ns is None or self._read_ns is None or newest_ns > self._read_ns:
            return True
        return not 0 <= now_ns - self._asked_ns < _QUIET_NS_MAX

    def _report(self, tally: Tally, clocks: ClockReport) -> PacketReport:
        return PacketReport(
            sampled=tally.sampled,
            pulled=tally.pulled_for_traces,
            captured=tally.captured,
            flows=tally.flows,
            linked=tally.linked,
            ambiguous=tally.ambiguous,
            joined=tally.joined,
            open_requests=tally.open_requests,
            refused_flows=tally.refused_flows,
            triggers=tally.triggers,
            triggers_refused=self._triggers.refused,
            undecoded=dict(tally.undecoded),
            capture_lost=tally.capture_lost,
            budget=self._budget,
            clocks=clocks,
        )

    def _keep_sample(self, recorder: Recorder, until_ns: int, tally: Tally) -> None:
        from_ns = self._sample_cursor.read(until_ns)
        if from_ns >= until_ns:
            return
        selection = Selection(
            from_ns,
            until_ns,
            sample_ratio=self._config.sample_ratio,
            sample_epoch_s=self._config.sample_epoch_s,
        )
        packets = tally.pulled(recorder, selection).in_order()
        if not self._config.analysis:
            self._meter.guess_seen(int(packets.wire_bytes.sum()), self._config.sample_ratio)
        # Whole connections are kept or left out: half of one is no evidence.
        _, place = np.unique(packets.flow_hash, return_inverse=True)
        sizes = np.bincount(place, weights=packets.wire_bytes).astype(np.int64)
        packets = packets.take(place < self._budget.take(Tier.SAMPLED, sizes))
        tally.sampled += len(packets)
        self._keeper.keep(packets, Tier.SAMPLED, "")
        self._sample_cursor.write(until_ns, has_news=len(packets) > 0)

    def _keep_traces(self, recorder: Recorder, until_ns: int, tally: Tally) -> None:
        client = self._store.client()
        after_ns = self._trace_cursor.read(client)
        if after_ns < until_ns:
            pulled = tally.pulled_for_traces
            self._traces.keep(recorder, after_ns, until_ns, tally)
            has_news = tally.pulled_for_traces > pulled
            self._trace_cursor.write(client, until_ns, has_news=has_news)

    def _link_new_spans(self, until_ns: int, now_ns: int, tally: Tally, *, has_spans: bool) -> None:
        client = self._store.client()
        after_ns = self._link_cursor.read(client)
        reach = self._reader.span_reach(after_ns, until_ns, LATE_NS) if has_spans else None
        if reach is not None:
            # A batch may be stored after one that was received later: then those before are read
            # again.
            is_as_seen = self._read_to == (after_ns, reach.before)
            from_ns, to_ns = reach.new_ns if is_as_seen else reach.all_ns
            if to_ns:
                tally.ranges.append((max(from_ns, until_ns - _LINK_REACH_NS), to_ns))
        # Each span is linked once in one run.
        for begin_ns, end_ns in merge(tally.ranges):
            self._link_range(begin_ns, end_ns, now_ns, tally)
        if reach is not None:
            self._link_cursor.write(client, max(until_ns, after_ns), has_news=to_ns > 0)
            self._read_to = (until_ns, reach.next_before)

    def _link_range(self, from_ns: int, to_ns: int, now_ns: int, tally: Tally) -> None:
        """Link every span that overlaps the range, whenever it was received."""
        kept = self._reader.packets(from_ns - WINDOW_MARGIN_NS, to_ns + WINDOW_MARGIN_NS)
        if not len(kept):
            return
        flow_hashes = set(kept.flow_hash.tolist())
        spans = self._spans(from_ns - _RIVAL_NS, to_ns + _RIVAL_NS, kept, flow_hashes)
        if not spans:
            return
        # Those of a clock that is off lie outside of the time of its spans.
        begin_ns = max(min(span.start_ns for span in spans) - LAG_MAX_NS, 0)
        end_ns = max(span.end_ns for span in spans) + LAG_MAX_NS
        packets = self._reader.packets(begin_ns, end_ns, flow_hashes)
        contexts = self._reader.contexts(begin_ns, end_ns, flow_hashes)
        inside = {
            (span.trace_id, span.span_id)
            for span in spans
            if span.start_ns <= to_ns and span.end_ns >= from_ns
        }
        links = [
            row for row in link(spans, packets, contexts) if (row.trace_id, row.span_id) in inside
        ]
        self._writer.span_flows(links, now_ns)
        self._writer.wire_times(wire_times(spans, links, packets, contexts), now_ns)
        tally.linked += len(links)
        tally.ambiguous += sum(row.confidence <= AMBIGUOUS_CONFIDENCE for row in links)

    def _spans(
        self, from_ns: int, to_ns: int, kept: PacketColumns, flow_hashes: set[int]
    ) -> list[SpanEndpoints]:
        """Return the spans that name the ports of kept packets, and those that packets name."""
        pairs = set(port_pairs(kept.src_port, kept.dst_port).tolist())
        span_endpoints = self._reader.spans(from_ns, to_ns, port_pairs=pairs)
        contexts = self._reader.contexts(from_ns, to_ns, flow_hashes)
        traces = sorted({context.trace_id for context in contexts if context.trace_id})
        if traces:
            named = {(span.trace_id, span.span_id) for span in span_endpoints}
            senders = {(context.trace_id, context.span_id) for context in contexts}
            span_endpoints += [
                span
                for span in self._reader.spans(from_ns, to_ns, trace_ids=traces, portless=True)
                if (span.trace_id, span.span_id) not in named
                and (span.trace_id, span.sender_id) in senders
            ]
        return span_endpoints
