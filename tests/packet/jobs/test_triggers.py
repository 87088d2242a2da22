from __future__ import annotations

from collections.abc import Sequence

import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from packet.config import PacketConfig
from packet.jobs.budget_report import Meter
from packet.jobs.triggers import TriggerJob
from packet.sampling.byte_budget import ByteBudget
from packet.sampling.triggers import Trigger
from packet.store.reader import Reader
from packet.store.writer import Writer
from packet.tcp.per_second import WireSecond
from tests.support.packet.seed import HeldFrames, frames

_T = (SystemClock().now_ns() // NS_PER_S - 600) * NS_PER_S
_BAD = WireSecond(_T, 1_000, 1_000_000, 5, 0, 0, None, None, 50, 0, (42,), (), 0)


class _FailingWriter(Writer):
    """Writes into a store that does not answer for some runs."""

    def __init__(self, store: Connections, *, seconds: int = 0, triggers: int = 0) -> None:
        super().__init__(store)
        self._failures = {"seconds": seconds, "triggers": triggers}

    def wire_seconds(self, seconds: Sequence[WireSecond]) -> None:
        """Fail as often as the test said, then write."""
        self._fail("seconds")
        super().wire_seconds(seconds)

    def triggers(self, triggers: Sequence[Trigger], now_ns: int) -> None:
        """Fail as often as the test said, then write."""
        self._fail("triggers")
        super().triggers(triggers, now_ns)

    def _fail(self, what: str) -> None:
        if self._failures[what]:
            self._failures[what] -= 1
            raise StoreUnavailableError("no answer")


def _run(store: Connections, writer: _FailingWriter, failures: int) -> tuple[ByteBudget, int]:
    """Run until it fails no more, and twice beyond that; return the budget and what was raised."""
    budget = ByteBudget(ratio=0.001, burst_bytes=1_000_000, left_bytes=0)
    job = TriggerJob(
        PacketConfig(), store, Reader(store, AttributesConfig()), writer,
        Meter(budget, writer, None),
    )  # fmt: skip
    recorder = HeldFrames(frames([]), seconds=[_BAD])
    for _ in range(failures):
        with pytest.raises(StoreUnavailableError):
            job.run_once(recorder, _T, _T + NS_PER_S)
    return budget, sum(job.run_once(recorder, _T, _T + NS_PER_S) for _ in range(3))


@pytest.mark.parametrize("failing", ["seconds", "triggers"])
def test_second_fills_the_budget_once_whatever_fails(store: Connections, failing: str) -> None:
    """A store that is away for a minute would otherwise fill it thirty times."""
    budget, _ = _run(store, _FailingWriter(store, **{failing: 4}), failures=4)
    assert (budget.seen_bytes, budget.left_bytes) == (1_000_000, 1_000)
    query = "SELECT second_ns, packets FROM wire_seconds FINAL"
    assert store.client().query(query).result_rows == [(_T, 1_000)]


@pytest.mark.parametrize("failing", ["seconds", "triggers"])
def test_trigger_that_could_not_be_written_is_written_later(
    store: Connections, failing: str
) -> None:
    """The debounce has it by then, so that nothing would raise it again."""
    _, raised = _run(store, _FailingWriter(store, **{failing: 2}), failures=2)
    assert raised == 1
    query = "SELECT trigger_id, toString(cause) FROM capture_triggers FINAL"
    assert store.client().query(query).result_rows == [
        (f"retransmissions-{_T:x}", "retransmissions")
    ]
