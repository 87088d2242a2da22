"""I/O: figures of the wire into their tables, and what they and slow decisions raise."""

from __future__ import annotations

from collections.abc import Sequence

from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.jobs.budget_report import Meter
from packet.jobs.cursor import OwnCursor
from packet.sampling.triggers import Debounce, Limits, Outlier, Trigger, of_outliers, of_seconds
from packet.store.reader import Reader
from packet.store.writer import Writer

_WIRE_CURSOR = "packet.wire"
_OUTLIER_CURSOR = "packet.outliers"
_OUTLIERS_MAX = 20  # of one run: more of them are what alerts are for
_REACH_NS = NS_PER_MINUTE  # slow decisions that came in before that find no packets any more
# What is usual is read for so long: ten minutes of decisions are dear to look through every pass.
_USUAL_NS = NS_PER_MINUTE


class TriggerJob:
    """Writes `wire_seconds`, `microbursts` and `capture_triggers`."""

    def __init__(
        self,
        config: PacketConfig,
        store: Connections,
        reader: Reader,
        writer: Writer,
        meter: Meter,
    ) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self._writer = writer
        self._meter = meter
        self._cursor = OwnCursor(store, _WIRE_CURSOR, config.host)
        self._debounce = Debounce(config.triggers_per_hour_max)
        # By name. The debounce knows of them: what a failed run did not write is not raised again.
        self._unwritten: dict[str, Trigger] = {}
        self._usual_ns: dict[str, int] = {}  # what most decisions take, by action
        self._usual_of_ns = 0  # ... as it was then
        self._memory_ns = round(config.window_s * NS_PER_S)
        self._limits = Limits(
            before_s=config.trigger_before_s,
            after_s=config.trigger_after_s,
            retransmissions_min=config.retransmissions_min,
            retransmission_ratio=config.retransmission_ratio,
            queue_ms_min=config.queue_ms_min,
        )

    @property
    def refused(self) -> int:
        """Return how many triggers were one too many for their hour."""
        return self._debounce.refused

    def run_once(
        self, recorder: Recorder, until_ns: int, now_ns: int, *, has_spans: bool = True
    ) -> int:
        """Write the figures that are new; return how many triggers were raised or extended.

        Args:
            recorder: whose seconds are read.
            until_ns: decisions received by then are looked at.
            now_ns: the instant of this run.
            has_spans: whether any span was received since the last run that came through.
        """
        host, client = self._config.host, self._store.client()
        seconds = recorder.seconds(self._cursor.read(now_ns))
        self._writer.wire_seconds(seconds)
        self._raise(of_seconds(seconds, host, self._limits))
        if seconds:
            # The store is told now and then: a recorder that was started anew holds none of them.
            self._cursor.write(seconds[-1].second_ns, has_news=False)
        # Not before the cursor: a run that failed reads its seconds again, and the budget is filled
        # by each of them once.
        for second in seconds:
            self._meter.see(second)

        # Other recorders move it too.
        after_ns = read_cursor(client, _OUTLIER_CURSOR) if has_spans else until_ns
        after_ns = max(after_ns, until_ns - _REACH_NS)
        if after_ns < until_ns:
            self._raise(of_outliers(self._outliers(after_ns, until_ns), host))
        count = len(self._unwritten)
        self._writer.triggers(list(self._unwritten.values()), now_ns)
        self._unwritten.clear()
        # Last: after a crash, slow decisions are found again.
        if after_ns < until_ns:
            write_cursor(client, _OUTLIER_CURSOR, until_ns)
        return count

    def _outliers(self, after_ns: int, until_ns: int) -> list[Outlier]:
        if not self._usual_ns or not 0 <= after_ns - self._usual_of_ns < _USUAL_NS:
            self._usual_ns = self._reader.usual_ns(after_ns)
            self._usual_of_ns = after_ns
        if not self._usual_ns:
            return []
        return self._reader.outliers(
            self._usual_ns,
            self._config.outlier_ratio,
            after_ns,
            until_ns,
            # The recorder holds no packets of what began earlier.
            from_ns=after_ns - self._memory_ns,
            rows_max=_OUTLIERS_MAX,
        )

    def _raise(self, raised: Sequence[Trigger]) -> None:
        self._unwritten.update({each.trigger_id: each for each in self._debounce.take(raised)})
