from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bench.provenance.chains import (
    ATTACKS,
    RING,
    Attack,
    built_anew,
    findings_in,
    sealed_chain,
    tail_cut,
)
from collector.core.event_schema import SIGNED
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import Event, MacKey, Sealer, event_of
from collector.provenance.verify import Report, Verdict, Verifier

COUNT = 300  # more than one checkpoint


def report_of(
    events: Iterable[Event],
    checkpoints: Iterable[Checkpoint] = (),
    *,
    keys: Mapping[str, MacKey] = RING.macs,
    whole: bool = True,
    arrival: bool = False,
) -> Report:
    """Verify events, then checkpoints."""
    verifier = Verifier(keys, RING.check, whole=whole, arrival=arrival)
    verifier.take(events)
    for checkpoint in checkpoints:
        verifier.take_checkpoint(checkpoint)
    return verifier.finish()


def said(report: Report) -> list[tuple[Verdict, int, int]]:
    """Return what was found, by number."""
    return [(f.verdict, f.first_seq, f.last_seq) for f in report.findings]


@pytest.fixture(scope="module")
def chain() -> tuple[list[Event], list[Checkpoint]]:
    """A clean chain of two checkpoints and a closing one; its key is rotated half way."""
    return sealed_chain(random.Random(1), COUNT)


@pytest.mark.parametrize("make", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("seed", range(20))
def test_attack_is_found_and_its_event_named(
    make: Callable[[random.Random, list[Event]], Attack],
    seed: int,
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """An operator is told which event it was, and no other event is suspected."""
    attack = make(random.Random(seed), chain[0])
    findings = findings_in(attack.events, chain[1])
    assert any(attack.is_named_by(finding) for finding in findings)
    assert all(attack.is_about(finding) for finding in findings)


@given(st.integers(1, 40), st.data())
def test_clean_chain_has_no_finding_in_any_batches(count: int, data: st.DataObject) -> None:
    """How events are cut into batches changes nothing."""
    events, checkpoints = sealed_chain(random.Random(count), count)
    verifier = Verifier(RING.macs, RING.check)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    for begin, end in zip([0, *cuts], [*cuts, count], strict=True):
        verifier.take(events[begin:end])
    for checkpoint in checkpoints:
        verifier.take_checkpoint(checkpoint)
    report = verifier.finish()
    assert report.findings == ()
    assert report.verdicts == {Verdict.OK: count}
    assert (report.unproven, report.open_chains) == (0, 0)


@given(st.permutations(range(24)))
def test_transport_may_reorder_without_a_finding(order: list[int]) -> None:
    """Concurrent exports arrive in any order: that is told apart from what was done to a chain."""
    events, checkpoints = sealed_chain(random.Random(2), 24)
    report = report_of([events[number] for number in order], checkpoints, arrival=True)
    assert report.findings == ()
    late = [n for index, n in enumerate(order) if any(other > n for other in order[:index])]
    assert [finding.first_seq for finding in report.late] == late


@given(st.lists(st.sampled_from(range(24)), max_size=60))
def test_every_event_is_here_missing_or_twice(order: list[int]) -> None:
    """Whatever is listed and however often: each number is accounted for once."""
    events, checkpoints = sealed_chain(random.Random(2), 24)
    report = report_of([events[number] for number in order], checkpoints, arrival=True)
    missing = {
        number
        for f in report.findings
        if f.verdict is Verdict.MISSING
        for number in range(f.first_seq, f.last_seq + 1)
    }
    assert missing == set(range(24)) - set(order)
    assert report.verdicts.get(Verdict.REPLAYED, 0) == len(order) - len(set(order))
    assert report.verdicts[Verdict.OK] == len(set(order))


names = (*SIGNED, "provenance.kid", "provenance.producer", "provenance.epoch", "provenance.seq",
         "provenance.prev", "provenance.tag")  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(names), st.text(max_size=8)), max_size=8))
def test_forgery_is_never_ok(forged: list[dict[str, str]]) -> None:
    """Arbitrary attributes from outside neither pass nor raise."""
    report = report_of([event_of(one) for one in forged])
    assert report.verdicts.get(Verdict.OK, 0) == 0
    assert len(report.findings) == len(forged)


def test_chain_built_anew_by_an_insider_is_found_by_its_root(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """Who has the key of the chain has not the key of the checkpoints."""
    events, checkpoints = chain
    report = report_of(built_anew(random.Random(3), events), checkpoints)
    assert {verdict for verdict, _, _ in said(report)} == {Verdict.RECHAINED}
    assert report.verdicts[Verdict.OK] == COUNT


def test_tail_that_no_checkpoint_covers_is_told_as_unproven(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """Nobody can prove that nothing followed the last event; that is said, not hidden."""
    events, checkpoints = chain
    report = report_of(events, checkpoints[:1])
    assert report.findings == ()
    assert (report.unproven, report.open_chains) == (COUNT - 256, 1)


def test_missing_checkpoint_is_named(chain: tuple[list[Event], list[Checkpoint]]) -> None:
    """Else whoever builds a run anew also takes its checkpoint away."""
    report = report_of(chain[0], chain[1][1:])
    assert said(report) == [(Verdict.MISSING_CHECKPOINT, 0, 255)]


@pytest.mark.parametrize(
    "change", [{"root": "0" * 64}, {"last_seq": 3}, {"signature": "xyz"}, {"kid": "nobody"}]
)
def test_checkpoint_that_is_not_signed_counts_for_nothing(
    change: dict[str, str], chain: tuple[list[Event], list[Checkpoint]]
) -> None:
    """A forged one must neither accuse a clean chain nor cover a changed one."""
    events, checkpoints = chain
    report = report_of(events, [replace(checkpoints[0], **change), *checkpoints])  # type: ignore[arg-type]  # of either type
    assert said(report) == [(Verdict.FORGED_CHECKPOINT, -1, -1)]
    assert report.findings[0].producer == ""


def test_checkpoint_of_a_chain_that_is_gone_names_all_of_it(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """Deleting every event of a producer is not a way out."""
    assert said(report_of([], chain[1])) == [(Verdict.MISSING, 0, COUNT - 1)]


def test_part_of_a_chain_does_not_miss_its_beginning(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """What retention has deleted is not an attack; a hole in the middle is."""
    events, checkpoints = chain
    assert report_of(events[100:], checkpoints, whole=False).findings == ()
    holed = [*events[100:200], *events[201:]]
    assert said(report_of(holed, checkpoints, whole=False)) == [(Verdict.MISSING, 200, 200)]


def test_cut_beginning_is_found_in_a_whole_chain() -> None:
    """The first event has number 0."""
    events, _ = sealed_chain(random.Random(2), 9)
    assert said(report_of(events[3:])) == [(Verdict.MISSING, 0, 2)]


def test_revoked_key_makes_its_events_tampered(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """Whoever stole it may have sealed anything with it."""
    keys = {**RING.macs, "shop-2": replace(RING.macs["shop-2"], revoked=True)}
    report = report_of(chain[0], keys=keys)
    assert report.verdicts == {Verdict.OK: COUNT // 2, Verdict.TAMPERED: COUNT // 2}
    assert report.findings[0].reason == "key shop-2 is revoked"


def test_events_under_a_revoked_key_are_not_missing(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """On the day of a theft it was said that evidence had been deleted, of events that are here."""
    keys = {kid: replace(key, revoked=True) for kid, key in RING.macs.items()}
    report = report_of(*chain, keys=keys)
    assert report.verdicts == {Verdict.TAMPERED: COUNT, Verdict.OK: 0}


def test_retired_key_counts_up_to_its_retirement(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """A key that was rotated away and turns up again is not in the producer's hands."""
    events, _ = chain
    end_ns = int(events[9].fields[SIGNED.index("end_ns")])
    keys = {**RING.macs, "shop-1": replace(RING.macs["shop-1"], retired_ns=end_ns)}
    report = report_of(events[:20], keys=keys)
    assert report.verdicts == {Verdict.OK: 10, Verdict.TAMPERED: 10}


def test_unknown_key_is_said(chain: tuple[list[Event], list[Checkpoint]]) -> None:
    """A missing key in the ring must not read as a forged event."""
    report = report_of(chain[0][:1], keys={})
    assert report.findings[0].reason == "key shop-1 is not among the keys"


def test_unsigned_event_is_neither_ok_nor_tampered() -> None:
    """It proves nothing, and it accuses nobody."""
    assert report_of([event_of({"decision.action": "offer"})]).verdicts == {
        Verdict.UNSIGNED: 1,
        Verdict.OK: 0,
    }


def test_predecessor_of_an_insider_is_named() -> None:
    """The seal holds, so only whoever has the key wrote it; the chain does not hold."""
    one, other = Sealer(RING.macs["shop-1"], "shop/1"), Sealer(RING.macs["shop-1"], "shop/1")
    other.epoch = one.epoch
    other.rotate(RING.macs["shop-1"])
    empty = ("",) * len(SIGNED)
    first = one.seal(empty)
    other.seal(("x", *empty[1:]))
    report = report_of([first, other.seal(empty)])
    assert said(report) == [(Verdict.TAMPERED, 1, 1)]


def test_cut_and_tampered_at_once_are_both_named(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """One finding does not hide another."""
    attack = tail_cut(random.Random(5), chain[0])
    events = list(attack.events)
    events[1] = events[1]._replace(tag="f" * 32)
    found = said(report_of(events, chain[1]))
    assert found == [(Verdict.TAMPERED, 1, 1), (Verdict.MISSING, attack.first_seq, COUNT - 1)]
