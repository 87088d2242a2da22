"""I/O: what the store and the receivers know of arrivals, for the alert on data that stopped."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Final

from alerts.config import DEAD_MAN, AlertsConfig
from alerts.rows import AlertEvent
from alerts.rules.dead_man import Arrivals, judge, watched
from alerts.rules.decision_class import DecisionClass
from alerts.rules.reader import AlertReader
from alerts.rules.state_machine import AlertState, Transition
from collector.core.clock import NS_PER_MINUTE, NS_PER_S

# What arrived so long before the newest may be stored after it: signals are stored apart.
_LATE_STORED_NS: Final = NS_PER_MINUTE

Judged = tuple[AlertState, AlertEvent | None, Transition | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the receivers know of arrivals; Unix ns."""

    newest_ns: int  # of the last request, 0 before the first of this process
    stored_ns: int  # everything that was received by then is stored


class DeadManWatch:
    """Watches arrivals from its first pass on.

    Args:
        config: for how long data may be silent.
        reader: asks the store.
        progress: asks the receivers of this process; without them the store alone is believed.
    """

    def __init__(
        self,
        config: AlertsConfig,
        reader: AlertReader,
        progress: Callable[[], Progress] | None = None,
    ) -> None:
        self._config = config
        self._reader = reader
        self._progress = progress
        self._started_ns = 0
        self._newest_ns = 0  # the last arrival that a pass has seen

    def judge(
        self, known: MutableMapping[tuple[str, DecisionClass], AlertState], now_ns: int
    ) -> list[Judged]:
        """Return what is judged now; the states it is judged from are taken out of `known`."""
        keys = [(DEAD_MAN, what) for what in watched(self._config)]
        states = {key[1]: known.pop(key) for key in keys if key in known}
        if not keys:
            return []
        self._started_ns = self._started_ns or now_ns
        if self._newest_ns == 0:
            waited_ns = round(self._config.dead_man_seconds * NS_PER_S)
            newest = [state.data_ns for state in states.values()]
            self._newest_ns = max([self._started_ns - waited_ns, *newest])
        by_service = self._reader.arrivals(max(self._newest_ns - _LATE_STORED_NS, 0))
        progress = self._progress() if self._progress is not None else Progress(0, now_ns)
        newest_ns = max([progress.newest_ns, *by_service.values()])
        self._newest_ns = max(self._newest_ns, newest_ns)
        seen = Arrivals(now_ns, self._started_ns, progress.stored_ns, newest_ns, by_service)
        return list(judge(self._config, states, seen))
