"""Nobody honest is accused, whatever transport does; and each attack is named by both judges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.bench.provenance.chains import MACS, PRIVATE, RING, sealed_chain, signed_fields
from collector.core.event_schema import SIGNED
from collector.provenance.chain import SETTLED_MAX, ChainKey, chain_from_json
from collector.provenance.checkpoint import Checkpoint, Checkpointer
from collector.provenance.event import Event, Sealer, canonical_rest
from collector.provenance.keyring import signer
from collector.provenance.live.copies import equal_copies
from collector.provenance.live.stream import Missing, Stream
from collector.provenance.verify import Finding, Verdict, Verifier
from tests.support.examples import examples

GRACE_NS: Final = 30
LATER_NS: Final = 1_000
START_NS: Final = 1_764_000_000_000_000_000


def chain_in_runs(sizes: Sequence[int]) -> tuple[list[Event], list[Checkpoint]]:
    """Return a chain with a checkpoint over each of some runs, the last of them closing."""
    dice = random.Random(1)
    sealer = Sealer(MACS[0], "shop/1")
    checkpointer = Checkpointer(sealer, "audit", signer(PRIVATE))
    events: list[Event] = []
    checkpoints: list[Checkpoint | None] = []
    for number, size in enumerate(sizes, 1):
        for _ in range(size):
            events.append(sealer.seal(signed_fields(dice, START_NS + len(events))))
            checkpointer.add(sealer.leaf)
        checkpoints.append(checkpointer.cut(closing=number == len(sizes)))
    return events, [each for each in checkpoints if each is not None]


def verified(events: Sequence[Event], checkpoints: Sequence[Checkpoint]) -> list[Finding]:
    """Return what `verify` finds where events are listed as they arrived."""
    verifier = Verifier(RING.macs, RING.check, arrival=True)
    verifier.take(events)
    for checkpoint in checkpoints:
        verifier.take_checkpoint(checkpoint)
    return list(verifier.finish().findings)


def judged(
    items: Sequence[Event | Checkpoint], cuts: Sequence[int]
) -> tuple[list[Finding], list[Missing]]:
    """Return what a service says that is restarted at each cut, and what it misses at last."""
    found: list[Finding] = []
    states: dict[ChainKey, str] = {}
    stream = Stream(RING, GRACE_NS)
    bounds = [0, *sorted(min(cut, len(items)) for cut in cuts), len(items)]
    for begin, end in pairwise(bounds):
        stream = Stream(RING, GRACE_NS)
        stream.restore(states)
        batch = items[begin:end]
        events = [item for item in batch if isinstance(item, Event)]
        checkpoints = [item for item in batch if isinstance(item, Checkpoint)]
        forms = [canonical_rest(e.seq, e.prev, e.fields) for e in events]
        said = stream.judge(events, forms, checkpoints)
        late = {line for line, finding in said.events.items() if finding.verdict is Verdict.OK}
        found += [finding for line, finding in said.events.items() if line not in late]
        found += [*said.earlier, *said.runs]
        assert stream.missing(0) == []
        states |= stream.states()
    return found, stream.missing(LATER_NS)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 40), max_size=5),
)
@settings(max_examples=examples(200))
def test_clean_chain_in_any_order_is_never_accused(
    sizes: list[int], dice: random.Random, cuts: list[int]
) -> None:
    """Events and checkpoints late, mixed, over restarts: a late event made its checkpoint follow
    an older root than its own, and 256 honest decisions at a time were accused."""
    events, checkpoints = chain_in_runs(sizes)
    items: list[Event | Checkpoint] = [*events, *checkpoints]
    dice.shuffle(items)
    assert judged(items, cuts) == ([], [])
    told = [item for item in items if isinstance(item, Checkpoint)]
    assert verified([item for item in items if isinstance(item, Event)], told) == []


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=examples(100))
def test_retries_of_checkpoints_are_none_of_the_producers_doing(
    dice: random.Random, cuts: list[int]
) -> None:
    """A sender repeats what it was not told of; the same signature again says nothing new."""
    events, checkpoints = chain_in_runs([3, 2, 4, 1])
    items: list[Event | Checkpoint] = [*events, *checkpoints, *checkpoints]
    dice.shuffle(items)
    assert judged(items, cuts) == ([], [])
    told = [item for item in items if isinstance(item, Checkpoint)]
    assert verified(events, told) == []


def test_retry_of_a_checkpoint_that_is_long_forgotten_accuses_nobody() -> None:
    """A service remembers the last ones; an agent's disk may hold an older one for days."""
    events, checkpoints = chain_in_runs([1] * (2 * SETTLED_MAX))
    assert judged([*events, *checkpoints, *checkpoints[:3]], [3 * SETTLED_MAX]) == ([], [])


def test_chain_that_an_earlier_release_remembered_goes_on() -> None:
    """What it had proven is not missed, and the next checkpoint follows it."""
    events, checkpoints = chain_in_runs([3, 3])
    stream = Stream(RING, GRACE_NS)
    forms = [canonical_rest(e.seq, e.prev, e.fields) for e in events]
    stream.judge(events[:3], forms[:3], ())
    key = events[0].producer, events[0].epoch
    run = stream.chain(*key).runs[0]
    text = (
        f'{{"runs":[[0,3,"{run.tag}","{run.opening.prev}",""]],"claims":[],"leaves":{{}},'
        f'"checkpoints":[],"proven":3,"start":0,"root":"{checkpoints[0].root}","gaps":{{}}}}'
    )
    assert chain_from_json(key, text).proven == 3
    stream = Stream(RING, GRACE_NS)
    stream.restore({key: text})
    said = stream.judge(events[3:], forms[3:], checkpoints[1:])
    assert (said.events, said.runs, stream.missing(0), stream.missing(LATER_NS)) == ({}, [], [], [])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_dropped_checkpoint_is_named_live_too(number: int) -> None:
    """Else a run is built anew with a stolen key once its checkpoint is taken away."""
    events, checkpoints = chain_in_runs([4, 4, 4, 4])
    dropped = checkpoints.pop(number)
    where = (dropped.first_seq, 4)
    found, missing = judged([*events, *checkpoints], [9])
    assert found == []
    assert [(hole.verdict, hole.first_seq, hole.count) for hole in missing] == [
        (Verdict.MISSING_CHECKPOINT, *where)
    ]
    (finding,) = verified(events, checkpoints)
    assert (finding.verdict, finding.first_seq, finding.count) == (
        Verdict.MISSING_CHECKPOINT,
        *where,
    )


def test_checkpoint_that_comes_after_all_takes_the_word_back() -> None:
    """A hole of checkpoints that was written is written again, as a hole of no number."""
    events, checkpoints = chain_in_runs([4, 4, 4])
    stream = Stream(RING, GRACE_NS)
    forms = [canonical_rest(e.seq, e.prev, e.fields) for e in events]
    stream.judge(events, forms, [checkpoints[0], checkpoints[2]])
    stream.missing(0)
    (hole,) = stream.missing(LATER_NS)
    assert (hole.first_seq, hole.count) == (4, 4)
    stream.judge([], [], [checkpoints[1]])
    (hole,) = stream.missing(LATER_NS)
    assert (hole.first_seq, hole.count) == (4, 0)
    assert stream.missing(LATER_NS) == []


@pytest.mark.parametrize("is_first", [False, True])
def test_nothing_counts_after_the_closing_checkpoint(*, is_first: bool) -> None:
    """Who stole the key of the chain cannot append to one whose producer ended."""
    events, checkpoints = chain_in_runs([4, 3])
    thief = Sealer(MACS[0], "shop/1")
    thief.epoch, thief._seq, thief._prev = events[0].epoch, len(events), events[-1].tag
    thief.rotate(MACS[0])
    forged = [thief.seal(signed_fields(random.Random(2), START_NS)) for _ in range(3)]
    order: list[Event | Checkpoint] = (
        [*events, *forged, *checkpoints] if is_first else [*events, *checkpoints, *forged]
    )
    found, missing = judged(order, [len(events), len(events) + 2, len(events) + 3])
    assert {finding.verdict for finding in found} == {Verdict.TAMPERED}
    assert sum(finding.count for finding in found) == 3
    assert missing == []
    verifier = Verifier(RING.macs, RING.check)
    for item in order:
        if isinstance(item, Event):
            verifier.take([item])
        else:
            verifier.take_checkpoint(item)
    report = verifier.finish()
    assert report.verdicts == {Verdict.TAMPERED: 3, Verdict.OK: len(events)}


@given(st.integers(0, 10**18), st.integers(-1, 10**18), st.sampled_from(["", "9" * 128, "xyz"]))
@settings(max_examples=examples(100))
def test_checkpoint_without_a_key_accuses_nobody_and_bounds_nothing(
    first: int, last: int, signature: str
) -> None:
    """One log record with the wrong signature made 10**18 bad events of an honest producer."""
    events, checkpoints = chain_in_runs([4, 4])
    forged = replace(checkpoints[0], first_seq=first, last_seq=last, signature=signature)
    found, missing = judged([forged, *events, *checkpoints, forged], [2, 5])
    assert {(f.verdict, f.producer, f.first_seq, f.count) for f in found} == {
        (Verdict.FORGED_CHECKPOINT, "", -1, 1)
    }
    assert missing == []
    (finding,) = verified(events, [*checkpoints, forged])
    assert (finding.verdict, finding.producer) == (Verdict.FORGED_CHECKPOINT, "")


def test_signed_checkpoint_counts_the_events_that_are_here() -> None:
    """Its bounds are what it says; how many events it is about is what is here."""
    events, checkpoints = chain_in_runs([4, 4])
    far = replace(checkpoints[1], last_seq=10**18, prev_root="1" * 64)
    signed = replace(far, signature=signer(PRIVATE)(far.statement()).hex())
    found, _ = judged([*events, checkpoints[0], signed], [])
    (finding,) = found
    assert (finding.verdict, finding.count) == (Verdict.BAD_CHECKPOINT, 4)


def test_retired_key_covers_what_arrived_while_it_held() -> None:
    """Who has a key that was put away says any time of its events; not when they arrive."""
    events, _ = sealed_chain(random.Random(3), 4)
    end_ns = int(events[3].fields[SIGNED.index("end_ns")])
    ring = {kid: replace(key, retired_ns=end_ns + 10) for kid, key in RING.macs.items()}
    arrived = [e._replace(received_ns=end_ns + 9 + n) for n, e in enumerate(events)]
    verifier = Verifier(ring)
    verifier.take(arrived)
    report = verifier.finish()
    assert report.verdicts == {Verdict.OK: 2, Verdict.TAMPERED: 2}
    assert {finding.reason[-7:] for finding in report.findings} == {"arrived"}


def test_equal_copies_are_told_from_replays() -> None:
    """The first copy whose seal holds is the event; one with other bytes is no retry of it."""
    events, _ = sealed_chain(random.Random(4), 5)

    def copy(event: Event, received_ns: int, content: bytes) -> tuple[Event, bytes, bytes]:
        form = canonical_rest(event.seq, event.prev, event.fields)
        return event._replace(received_ns=received_ns), form, content

    forged = events[0]._replace(tag="0" * 32)
    copies = [
        copy(forged, 1, b"forged"),
        *(copy(event, 2, b"genuine") for event in events),
        copy(events[0], 3, b"genuine"),
        copy(events[1], 3, b"another decision.id"),
        copy(events[2], 4, b"genuine"),
        copy(events[2], 4, b"another decision.id"),
        copy(forged, 5, b"forged"),
    ]
    told = {place[2:]: is_equal for place, is_equal in equal_copies(RING.macs, copies).items()}
    assert told == {(0, 3): True, (1, 3): False, (2, 4): False}
