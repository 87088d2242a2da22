"""I/O: what a page shows first is read while its browser still builds the page.

A browser asks for the layout of a page, builds it, and only then asks for what is in it; a panel
that follows from another is asked for when that one is drawn. So the service begins with all of it
when it hands out the layout, and a browser that asks a moment later is given what was found
(`SharedReads`). What is not asked for within that moment is read again, as if nothing had been.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from dash.exceptions import PreventUpdate

from collector.core.errors import MillworthError
from dashboard.read.workers import Workers

# Of what a callback is given, the address is known at once.
_ADDRESS: Final = "url.search"


@dataclass(frozen=True, slots=True)
class _Reading:
    inputs: tuple[str, ...]  # each as `id.property`
    read: Callable[..., Mapping[str, object]]  # of their values; returns outputs by `id.property`


class FirstReadings:
    """The readings of each page, as a browser that opens it will ask for them."""

    def __init__(self) -> None:
        self._readings: defaultdict[tuple[str, bool], list[_Reading]] = defaultdict(list)

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
        for is_long, threads in ((False, workers), (True, questions)):
            if readings := self._readings.get((path, is_long)):
                threads.begin(_in_turn, readings, query)


def _in_turn(readings: Sequence[_Reading], query: str | None) -> None:
    known: dict[str, Any] = {_ADDRESS: query}
    for each in readings:
        try:
            known |= each.read(*map(known.get, each.inputs))
        except (MillworthError, ClickHouseError, PreventUpdate):
            return  # the browser asks the same, and is told why
