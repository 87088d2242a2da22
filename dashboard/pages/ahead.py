"""I/O: what a page shows first is read while its browser still builds the page.

A browser loads scripts, asks for the layout of a page, builds it, and only then asks for what is in
it; a panel that follows from another is asked for when that one is drawn. So the service begins
with all of it when a page is opened, and again when its layout is handed out, where that was long
ago or in the browser alone. Whoever asks soon after is given what was found (`SharedReads`); what
nobody asks for within AHEAD_S is read again, as if nothing had been.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from dash.exceptions import PreventUpdate

from collector.core.clock import Clock, SystemClock
from collector.core.errors import MillworthError
from collector.core.times import NS_PER_S
from dashboard.read.workers import Workers

# How long what was read for a page is kept for its browser, or until the page would read it anew.
AHEAD_S: Final = 4.0
# A layout that is handed out so soon after its page was opened is that page's.
_OPENED_S: Final = AHEAD_S / 2
_BEGUN_MAX: Final = 64
# Of what a callback is given, the address is known at once.
_ADDRESS: Final = "url.search"


@dataclass(frozen=True, slots=True)
class _Reading:
    inputs: tuple[str, ...]  # each as `id.property`
    read: Callable[..., Mapping[str, object]]  # of their values; returns outputs by `id.property`


class FirstReadings:
    """The readings of each page, as a browser that opens it will ask for them."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._readings: defaultdict[tuple[str, bool], list[_Reading]] = defaultdict(list)
        # When which page was begun at which query. The event loop alone looks here.
        self._begun: OrderedDict[tuple[str, str | None, bool], int] = OrderedDict()

    def add(
        self,
        path: str,
        inputs: Sequence[str],
        read: Callable[..., Mapping[str, object]],
        *,
        is_long: bool,
    ) -> None:
        """Add a reading of a page, after those that it follows from.

        Args:
            path: of the page.
            inputs: what `read` takes, each as `id.property`; what neither the address nor an
                earlier reading of the page says is None, as in a page that is new.
            read: shares what it finds with whoever asks the same.
            is_long: in a thread for long questions.
        """
        self._readings[path, is_long].append(_Reading(tuple(inputs), read))

    def begin(self, path: str, query: str | None, workers: Workers, questions: Workers) -> None:
        """Read what the page shows at an address, one after the other, where a thread is idle."""
        now_ns = self._clock.monotonic_ns()
        for is_long, threads in ((False, workers), (True, questions)):
            readings, key = self._readings.get((path, is_long)), (path, query, is_long)
            begun_ns = self._begun.get(key)
            is_fresh = begun_ns is not None and now_ns - begun_ns < _OPENED_S * NS_PER_S
            if readings and not is_fresh and threads.begin(_in_turn, readings, query):
                self._begun[key] = now_ns
                self._begun.move_to_end(key)
                if len(self._begun) > _BEGUN_MAX:
                    self._begun.popitem(last=False)


def _in_turn(readings: Sequence[_Reading], query: str | None) -> None:
    known: dict[str, Any] = {_ADDRESS: query}
    for each in readings:
        try:
            known |= each.read(*map(known.get, each.inputs))
        except (MillworthError, ClickHouseError, PreventUpdate):
            return  # the browser asks the same, and is told why
