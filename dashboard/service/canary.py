"""I/O: the calibration canary: known delays through a live service, and what it made of them.

Every so often a few decisions that suffer known delays go through a reference path beside the
service, over its own receivers, log, store and jobs. How much of each delay attribution gives to
the right segment is exported as an indicator of what its figures can be trusted with.
"""

from __future__ import annotations

from collections import deque

from attribution.whatif.recovery import Recovered, Recovery, summary_of
from collector.core.counters import Counters
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from dashboard.service.calibration import Calibration, InjectedDecision, compare

DELAY_MS = 20.0
# Of the last ten runs: the canary of one run is seven decisions.
JUDGED_HELD = 70
# A decision settles in seconds; what takes a minute is not judged any more, and counted.
LOST_AFTER_NS = NS_PER_MINUTE


class Canary:
    """Sends a few decisions a run, and judges those of earlier runs that are attributed by now."""

    def __init__(self, otlp_endpoint: str, store: Connections, counters: Counters) -> None:
        self._endpoint = otlp_endpoint
        self._store = store
        self._counters = counters
        self._calibration: Calibration | None = None
        self._sent: list[tuple[int, InjectedDecision]] = []  # with the instant of their run
        self._settled: deque[Recovered] = deque(maxlen=JUDGED_HELD)
        self._young: list[Recovered] = []  # of those that were sent within the last minute
        self.lost = 0  # sent, and not attributed in time

    @property
    def recovery(self) -> Recovery:
        """Return how much of the delays of the last runs was found."""
        return summary_of([*self._settled, *self._young][-JUDGED_HELD:])

    def run_once(self, now_ns: int) -> None:
        """Judge what is attributed by now, and send anew."""
        if self._calibration is None:
            self._calibration = Calibration(self._endpoint, [DELAY_MS])
            self._calibration.__enter__()
        if self._sent:
            self._judge(now_ns)
        self._sent += [(now_ns, each) for each in self._calibration.run(1)]

    def _judge(self, now_ns: int) -> None:
        compared = {
            each.known.decision_id: each.recovered
            for each in compare(
                [injected for _, injected in self._sent], self._store, self._sent[0][0]
            )
        }
        ended = [injected for sent_ns, injected in self._sent if now_ns - sent_ns >= LOST_AFTER_NS]
        self._sent = [each for each in self._sent if now_ns - each[0] < LOST_AFTER_NS]
        self.lost += sum(injected.decision_id not in compared for injected in ended)
        self._settled += [compared[k.decision_id] for k in ended if k.decision_id in compared]
        # A late span changes what was attributed: what is young is judged again the next time.
        self._young = [compared[k.decision_id] for _, k in self._sent if k.decision_id in compared]
        self._export()

    def close(self) -> None:
        """Stop the reference path."""
        if self._calibration is not None:
            self._calibration.__exit__(None, None, None)
            self._calibration = None

    def _export(self) -> None:
        recovery = self.recovery
        self._counters.calibration_decisions.set(recovery.decisions)
        if recovery.right_segment_ratio is not None:
            self._counters.calibration_right_ratio.set(recovery.right_segment_ratio)
        if recovery.error_ratio_p99 is not None:
            self._counters.calibration_error_ratio.set(recovery.error_ratio_p99)
