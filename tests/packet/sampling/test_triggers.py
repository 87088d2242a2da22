from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.sampling.triggers import (
    Cause,
    Debounce,
    Limits,
    Outlier,
    Trigger,
    of_outliers,
    of_seconds,
)
from packet.tcp.microburst import Burst
from packet.tcp.per_second import WireSecond

_T0 = 1_800_000_000 * NS_PER_S
_LIMITS = Limits(
    before_s=30,
    after_s=10,
    retransmissions_min=20,
    retransmission_ratio=0.02,
    queue_ms_min=1,
)
_QUIET = WireSecond(_T0, 1_000, 100_000, 5, 0, 0, None, None, 0, 0, (), (), 0)
_BURST = Burst(_T0 + 5, _T0 + 5 + NS_PER_MS, 100, 150_000, 2.4, 150_000, 1_200_000, 3, (7, 8), 0.7)


def _trigger(began_s: float, cause: Cause = Cause.OUTLIER, length_s: float = 1) -> Trigger:
    began_ns = _T0 + round(began_s * NS_PER_S)
    end_ns = began_ns + round(length_s * NS_PER_S)
    return Trigger(
        f"{cause}-{began_ns}", began_ns, cause, began_ns, end_ns, (f"t{began_s}",), (), ""
    )


def test_many_retransmissions_in_a_second_ask_for_the_time_around_it() -> None:
    """What led to it is in the half minute before, and the recorder still has that."""
    bad = replace(_QUIET, retransmissions=25, retransmitting=(42,))
    (trigger,) = of_seconds([_QUIET, bad], "web", _LIMITS)
    assert trigger == Trigger(
        trigger_id=f"retransmissions-web-{_T0:x}",
        began_ns=_T0,
        cause=Cause.RETRANSMISSIONS,
        from_ns=_T0 - 30 * NS_PER_S,
        to_ns=_T0 + 10 * NS_PER_S,
        trace_ids=(),
        port_pairs=(42,),
        reason="25 of 1000 packets were sent again",
    )


def test_few_or_a_small_share_of_retransmissions_are_ordinary() -> None:
    """A busy link always loses some; an idle one loses two of three by chance."""
    few = replace(_QUIET, packets=30, retransmissions=19)
    small_share = replace(_QUIET, packets=10_000, retransmissions=150)
    assert of_seconds([few, small_share], "", _LIMITS) == []


def test_burst_that_makes_a_queue_is_a_trigger() -> None:
    """Its largest connections are named; a burst that makes none is only a row."""
    short = replace(_BURST, queue_ns=900_000)
    (trigger,) = of_seconds([replace(_QUIET, bursts=(short, _BURST))], "", _LIMITS)
    assert trigger.trigger_id == f"microburst-{_T0 + 5:x}"
    assert trigger.port_pairs == (7, 8)
    assert trigger.reason == "150000 bytes in 1 ms from 3 connections: 1.20 ms of queue"


def test_slow_decision_asks_for_its_own_packets_only() -> None:
    """One request in a thousand must not cost what an incident costs."""
    outlier = Outlier("t1", "price", _T0, _T0 + 90 * NS_PER_MS, 20 * NS_PER_MS)
    (trigger,) = of_outliers([outlier], "")
    assert (trigger.from_ns, trigger.to_ns) == (_T0, _T0 + 90 * NS_PER_MS)
    assert (trigger.trace_ids, trigger.port_pairs) == (("t1",), ())
    assert trigger.reason == "price took 90.0 ms; 99.9 % take 20.0 ms or less"


def test_overlapping_triggers_of_a_cause_are_one_request() -> None:
    """It keeps its name and grows, so that a recorder looks again; another cause is another."""
    debounce = Debounce(per_hour_max=10)
    first, second = _trigger(0), _trigger(0.5)
    other = _trigger(0.2, Cause.MICROBURST)
    written = debounce.take([first, second, other])
    assert [row.trigger_id for row in written] == [first.trigger_id, other.trigger_id]
    assert written[0].to_ns == second.to_ns
    assert written[0].trace_ids == ("t0", "t0.5")
    assert debounce.take([second]) == []
    apart = _trigger(5)
    assert debounce.take([apart]) == [apart]
    assert debounce.refused == 0


def test_an_hour_has_a_limit() -> None:
    """A day of trouble keeps the first of each hour and counts the rest."""
    debounce = Debounce(per_hour_max=2)
    written = debounce.take([_trigger(10 * place) for place in range(4)])
    assert [row.began_ns for row in written] == [_T0, _T0 + 10 * NS_PER_S]
    assert debounce.refused == 2
    assert debounce.take([_trigger(3_601)]) != []


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 30)), max_size=30))
def test_every_trigger_is_inside_a_request_or_counted(spans: list[tuple[int, int]]) -> None:
    """Merging must not lose the time that somebody asked for."""
    debounce = Debounce(per_hour_max=5)
    requests: dict[str, Trigger] = {}
    covered = 0
    raised = [_trigger(at, length_s=length) for at, length in sorted(spans)]
    for trigger in raised:
        for row in debounce.take([trigger]):
            requests[row.trigger_id] = row
        covered += any(
            row.from_ns <= trigger.from_ns and row.to_ns >= trigger.to_ns
            for row in requests.values()
        )
    assert covered + debounce.refused >= len(raised)
    assert len(requests) <= 5
