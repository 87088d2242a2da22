"""What retention removed of a chain is not missed, and what somebody removed is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from collector.core.event_schema import SIGNED
from collector.core.times import NS_PER_DAY, NS_PER_HOUR
from collector.provenance.checkpoint import Checkpoint, merkle_root
from collector.provenance.event import Event, MacKey, Sealer
from collector.provenance.kept import EVERYTHING, Kept
from collector.provenance.verify import Finding, Report, Verdict, Verifier

KEY = MacKey("k", b"0" * 16)
MIDNIGHT_NS = 20_000 * NS_PER_DAY


def chain(*ended_hours: float) -> list[Event]:
    """Return a chain whose events ended so many hours after a midnight."""
    sealer = Sealer(KEY, "shop")
    return [
        sealer.seal(
            tuple(
                str(MIDNIGHT_NS + round(hours * NS_PER_HOUR)) if name == "end_ns" else ""
                for name in SIGNED
            )
        )
        for hours in ended_hours
    ]


def report_of(events: Iterable[Event], kept: Kept) -> Report:
    """Verify what is left of a chain."""
    verifier = Verifier({"k": KEY}, whole=False, arrival=True, kept=kept)
    verifier.take(events)
    return verifier.finish()


def without(events: list[Event], *numbers: int) -> list[Event]:
    """Return the events but some."""
    return [each for each in events if each.seq not in numbers]


def numbers(found: Iterable[Finding]) -> list[tuple[int, int]]:
    """Return first and last number of findings."""
    return [(each.first_seq, each.last_seq) for each in found]


def kept(from_hours: float, *held_hours: tuple[float, float]) -> Kept:
    """Return what is kept, in hours after the midnight."""
    at = [MIDNIGHT_NS + round(hours * NS_PER_HOUR) for hours in (from_hours, *sum(held_hours, ()))]
    return Kept(at[0], tuple(zip(at[1::2], at[2::2], strict=True)))


def test_decision_that_began_before_midnight_lapses_with_its_day() -> None:
    """It was exported behind one that began after midnight, so that its number is the later one."""
    left = without(chain(-2, -1, 0.01, 0.02, 1, 5), 0, 1, 3)
    found = report_of(left, kept(0.5))
    assert (found.findings, numbers(found.lapsed), found.verdicts[Verdict.MISSING]) == (
        (),
        [(3, 3)],
        0,
    )
    assert numbers(report_of(left, EVERYTHING).findings) == [(3, 3)]


@pytest.mark.parametrize("gone", [(3,), (2, 3, 4)])
def test_what_is_missing_long_after_what_lapsed_is_named(gone: tuple[int, ...]) -> None:
    """Whoever removes events cannot have them pass for lapsed."""
    events = chain(-1, 2, 30, 31, 32, 33)
    found = report_of(without(events, 0, *gone), kept(0.5))
    assert (numbers(found.findings), found.lapsed) == ([(gone[0], gone[-1])], ())


def test_days_behind_a_hold_lapse_and_the_held_ones_may_not_lack_an_event() -> None:
    """Of ten days the first is held, the last two are not old enough."""
    events = chain(*[6 * n for n in range(40)])
    rest = without(events, *range(4, 32))
    found = report_of(rest, kept(8 * 24, (0, 24)))
    assert (found.findings, numbers(found.lapsed)) == ((), [(4, 31)])
    cut = report_of(without(rest, 2), kept(8 * 24, (0, 24)))
    assert (numbers(cut.findings), numbers(cut.lapsed)) == ([(2, 2)], [(4, 31)])
    assert numbers(report_of(without(rest, 34), kept(8 * 24, (0, 24))).findings) == [(34, 34)]


def test_checkpoint_over_what_lapsed_may_have_lapsed_too() -> None:
    """Checkpoints are log records of the days of their events."""
    events = chain(*[6 * n for n in range(40)])
    verifier = Verifier({"k": KEY}, lambda _: "", whole=False, kept=kept(8 * 24, (0, 24)))
    verifier.take(without(events, *range(4, 32)))
    first = Checkpoint(
        "k", "shop", events[0].epoch, 0, 3, "", merkle_root([]).hex(), closing=False, signature=""
    )
    for first_seq in (0, 32):
        verifier.take_checkpoint(replace(first, first_seq=first_seq, last_seq=first_seq + 3))
    found = verifier.finish()
    assert [each for each in found.findings if each.verdict == "missing_checkpoint"] == []
    assert numbers(found.lapsed) == [(4, 31), (4, 31)]


def test_end_that_is_no_number_is_as_late_as_its_arrival() -> None:
    """Who has the key can seal anything."""
    one, other = (each._replace(received_ns=MIDNIGHT_NS) for each in chain(0, 1))
    odd = one._replace(fields=("",) * len(SIGNED))
    assert kept(0.5).may_lack(odd, other)
    assert not kept(-2).may_lack(odd, other)


@pytest.mark.parametrize(
    "text", ["", "soon", "9" * 20, pytest.param("9" * 5_000, id="5,000 digits")]
)
def test_end_that_is_no_instant_ends_no_verification(text: str) -> None:
    """Who has a key may seal any text as the end, and must not hide the rest by an error."""
    end = tuple(text if name == "end_ns" else "" for name in SIGNED)
    sealer = Sealer(KEY, "shop")
    events = [sealer.seal(end)._replace(received_ns=MIDNIGHT_NS) for _ in range(4)]
    report = report_of(without(events, 2), kept(-24))
    assert numbers(report.findings) == [(2, 2)]
    retired = Verifier({"k": replace(KEY, retired_ns=MIDNIGHT_NS)})
    retired.take(events)
    found = retired.finish().findings
    assert {each.reason for each in found} == {"key k was retired before it ended"}
