"""I/O: the time of a store's server, for roles that run apart.

A job reads by arrival up to its own now, and what arrives is stamped by another machine: what one
whose clock is half a minute behind has received lies behind all that was read, and nobody would
look there again. So all of them go by one clock, that of the server which they share.
"""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.clock import Clock
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.errors import explain

# Less is what clocks under NTP are apart, and what is read again covers it.
_APART_NS: Final = NS_PER_S
_NOW: Final = "SELECT toUnixTimestamp64Nano(now64(9))"

_log = get_logger("dashboard")


class StoreClock:
    """The machine's clock, corrected where it is a second and more off the server's.

    Args:
        clock: the machine's.
        store: whose server is asked, now and whenever `measure` is called.

    Raises:
        StoreUnavailableError: it does not answer.
    """

    def __init__(self, clock: Clock, store: Connections) -> None:
        self._clock = clock
        self._store = store
        self._ahead_ns = 0  # what the server is ahead of the machine, as far as it is corrected
        self.measure()

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds as the server has them."""
        return self._clock.now_ns() + self._ahead_ns

    def monotonic_ns(self) -> int:
        """Return nanoseconds since an arbitrary zero; never steps back."""
        return self._clock.monotonic_ns()

    def measure(self, _: int = 0) -> None:
        """Ask the server what time it is; a job, which is given an instant that it does not need.

        The answer is of some instant between question and answer, so what agrees with it stays as
        it is, however long it took.

        Raises:
            StoreUnavailableError: it does not answer; what is known stays.
        """
        asked_ns, began_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        try:
            ((server_ns,),) = self._store.client().query(_NOW).result_rows
        except ClickHouseError as error:
            raise explain(error, self._store.config.place) from error
        most_ns = int(server_ns) - asked_ns
        least_ns = most_ns - (self._clock.monotonic_ns() - began_ns)
        agreeing = (
            ahead_ns
            for ahead_ns in (self._ahead_ns, 0)
            if least_ns - _APART_NS < ahead_ns < most_ns + _APART_NS
        )
        ahead_ns = next(agreeing, (least_ns + most_ns) // 2)
        if ahead_ns not in (self._ahead_ns, 0):
            _log.warning(
                "clock_apart",
                behind_s=round(ahead_ns / NS_PER_S, 1),
                remedy="set this machine's clock by NTP; until then times of arrival are those of "
                "the store's server",
            )
        self._ahead_ns = ahead_ns
