"""I/O: figures of the wire into their tables, and what they and slow decisions raise."""

from __future__ import annotations

from collections.abc import Sequence

from collector.core.clock import NS_PER_MINUTE
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from packet.capture.recorder import Recorder
from packet.config import PacketConfig
from packet.jobs.budget_report import Meter
from packet.jobs.cursor import OwnCursor
from packet.sampling.triggers import Debounce, Limits, Trigger, of_outliers, of_seconds
from packet.store.reader import Reader
from packet.store.writer import Writer

_WIRE_CURSOR = "packet.wire"
_OUTLIER_CURSOR = "packet.outliers"
_OUTLIERS_MAX = 20  # of one run: more of them are what alerts are for
_REACH_NS = NS_PER_MINUTE  # slow decisions that came in before that find no packets any more


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

    def run_once(self, recorder: Recorder, until_ns: int, now_ns: int) -> int:
        """Write the figures that are new; return how many triggers were raised or extended."""
        host, client = self._config.host, self._store.client()
        seconds = recorder.seconds(self._cursor.read(now_ns))
        self._writer.wire_seconds(seconds)
        self._raise(of_seconds(seconds, host, self._limits))
        if seconds:
            self._cursor.write(seconds[-1].second_ns)
        # Not before the cursor: a run that failed reads its seconds again, and the budget is filled
        # by each of them once.
        for second in seconds:
            self._meter.see(second)

        after_ns = max(read_cursor(client, _OUTLIER_CURSOR), until_ns - _REACH_NS)
        if after_ns < until_ns:
            found = self._reader.outliers(
                self._config.outlier_ratio, after_ns, until_ns, _OUTLIERS_MAX
            )
            self._raise(of_outliers(found, host))
        count = len(self._unwritten)
        self._writer.triggers(list(self._unwritten.values()), now_ns)
        self._unwritten.clear()
        # Last: after a crash, slow decisions are found again.
        if after_ns < until_ns:
            write_cursor(client, _OUTLIER_CURSOR, until_ns)
        return count

    def _raise(self, raised: Sequence[Trigger]) -> None:
        self._unwritten.update({each.trigger_id: each for each in self._debounce.take(raised)})
