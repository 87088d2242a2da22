"""I/O: keeps the packets of the traces that OpenTelemetry's consistent sampling keeps.

A trace is kept where the last 56 bits of its id, or `rv` of its tracestate, reach a threshold:
whoever samples traces by that rule at this ratio or a lower one has packets for all of them.

Source: OpenTelemetry, TraceState: probability sampling.
"""

from __future__ import annotations

import numpy as np

from collector.core.times import NS_PER_MS
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.correlate.span_windows import within_windows
from packet.decode.sampler import Selection
from packet.jobs.keeper import Keeper, Tally, on_the_wire
from packet.sampling.byte_budget import ByteBudget, Tier
from packet.store.reader import REACH_NS, Reader

# The exchange, and the ACKs around it. A second on each side would be some forty exchanges of a
# pooled connection for one, and forty times the share of the budget.
_MARGIN_NS = 10 * NS_PER_MS
_TRACES_MAX = 1_000  # of one run: 3 s
_RANDOM_BITS = 56


class TracePull:
    """Pulls connections by the traces that go over them."""

    def __init__(
        self, config: PacketConfig, reader: Reader, budget: ByteBudget, keeper: Keeper
    ) -> None:
        self._config = config
        self._reader = reader
        self._budget = budget
        self._keeper = keeper

    def keep(self, recorder: Recorder, after_ns: int, until_ns: int, tally: Tally) -> None:
        """Keep the connections of the traces received in (after_ns, until_ns]."""
        threshold = trace_threshold(self._config.trace_ratio)
        if threshold is None:
            return
        oldest_ns = recorder.stats().oldest_ns
        if oldest_ns is None:
            return
        traces = self._reader.kept_traces(threshold, after_ns, until_ns, _TRACES_MAX)
        if not traces:
            return
        spans = self._reader.spans(
            max(oldest_ns - REACH_NS, 0), until_ns + REACH_NS, trace_ids=traces, portless=True
        )
        spans = on_the_wire(recorder, spans)
        if not spans:
            return
        from_ns = min(span.start_ns for span in spans) - _MARGIN_NS
        to_ns = max(span.end_ns for span in spans) + _MARGIN_NS
        pairs = frozenset(span.port_pair for span in spans)
        packets = tally.pulled(recorder, Selection(from_ns, to_ns, pairs))
        packets = packets.take(within_windows(packets, spans, _MARGIN_NS)).in_order()
        count = self._budget.take(Tier.PULLED, packets.wire_bytes.astype(np.int64))
        packets = packets.take(np.arange(count))
        tally.pulled_for_traces += len(packets)
        self._keeper.keep(packets, Tier.PULLED, "")
        tally.ranges.append((from_ns, to_ns))


def trace_threshold(ratio: float) -> str | None:
    """Return the least randomness that is kept, in 14 hex digits; None where nothing is."""
    rejected = 2**_RANDOM_BITS - round(ratio * 2**_RANDOM_BITS)
    return None if rejected >= 2**_RANDOM_BITS else f"{rejected:014x}"
