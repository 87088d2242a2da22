"""I/O: writes down what the byte budget saw, kept and refused, and exports it."""

from __future__ import annotations

from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from packet.capture.protocol import RecorderStats
from packet.sampling.byte_budget import ByteBudget
from packet.store.writer import Writer
from packet.tcp.per_second import WireSecond

# What is written as the difference to the row before, so that rows of several starts add up.
_SUMS = ("seen_bytes", "sampled_bytes", "pulled_bytes", "dumped_bytes", "refused_bytes")
# What an incident kept, or what found no room, is written at once; what flows all the time, now and
# then: each row is an insert with its merges.
_AT_ONCE = ("dumped_bytes", "refused_bytes")
_UNWRITTEN_NS_MAX = 10 * NS_PER_S


class Meter:
    """The budget's reading, in `packet_budget` and on `/metrics`."""

    def __init__(self, budget: ByteBudget, writer: Writer, counters: Counters | None) -> None:
        self._budget = budget
        self._writer = writer
        self._counters = counters
        self._counted = dict.fromkeys(_SUMS, 0)
        self._written = dict.fromkeys(_SUMS, 0)
        self._written_ns = 0

    def see(self, second: WireSecond) -> None:
        """Count what came past in a second."""
        self._budget.see(second.wire_bytes)
        if self._counters is not None:
            self._counters.wire_bytes.inc(second.wire_bytes)
            self._counters.wire_retransmissions.inc(second.retransmissions)
            self._counters.microbursts.inc(len(second.bursts) + second.bursts_refused)
            if second.queue_bytes is not None:
                self._counters.wire_queue_bytes.set(second.queue_bytes)

    def note(self, stats: RecorderStats) -> None:
        """Export what the recorder has seen and holds."""
        if self._counters is not None:
            self._counters.packets_recorded.set(stats.held_packets)
            self._counters.packets_dropped.set(stats.kernel_drops)
            self._counters.contexts_found.set(stats.contexts)
            self._counters.requests_unsearched.set(stats.unsearched)

    def guess_seen(self, sampled_bytes: int, ratio: float) -> None:
        """Count what must have come past, where only a sample of it was."""
        if ratio > 0:
            self._budget.see(round(sampled_bytes / ratio))

    def write(self, now_ns: int) -> None:
        """Count what changed since the last time, and write it down if it is time to."""
        budget = self._budget
        reading = {name: int(getattr(budget, name)) for name in _SUMS}
        if self._counters is not None:
            self._counters.packet_budget_left.set(budget.left_bytes)
            if budget.kept_ratio is not None:
                self._counters.packets_kept_ratio.set(budget.kept_ratio)
            for tier in ("sampled", "pulled", "dumped", "refused"):
                name = f"{tier}_bytes"
                self._counters.packet_bytes.labels(tier).inc(reading[name] - self._counted[name])
        self._counted = reading
        spent = {name: reading[name] - self._written[name] for name in _SUMS}
        is_due = not 0 <= now_ns - self._written_ns < _UNWRITTEN_NS_MAX
        if any(spent[name] for name in (_SUMS if is_due else _AT_ONCE)):
            self._writer.budget({**spent, "left_bytes": budget.left_bytes}, now_ns)
            self._written, self._written_ns = reading, now_ns
