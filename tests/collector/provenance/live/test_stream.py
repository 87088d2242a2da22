from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bench.provenance.chains import ATTACKS, RING, Attack, built_anew, sealed_chain
from collector.bench.provenance.ingest import run_ingest_trials
from collector.provenance.chain import CLAIMS_MAX, Chain, ChainKey
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import Event, MacKey, canonical_rest
from collector.provenance.keyring import KeyRing
from collector.provenance.live.stream import CHAINS_MAX, HOLES_MAX, LEAVES_MAX, Missing, Stream
from collector.provenance.verify import Finding, Verdict

COUNT = 300
GRACE_NS = 30
LATER_NS = 1_000


def forms(events: Iterable[Event]) -> list[bytes]:
    """Return what the store would give with these."""
    return [canonical_rest(event.seq, event.prev, event.fields) for event in events]


def judged(
    events: Sequence[Event], checkpoints: Sequence[Checkpoint] = ()
) -> tuple[dict[int, Finding], list[Finding], list[Missing]]:
    """Judge one batch, and the holes in it after their time."""
    stream = Stream(RING, GRACE_NS)
    said = stream.judge(events, forms(events), checkpoints)
    assert stream.missing(0) == []
    return said.events, said.runs, stream.missing(LATER_NS)


@pytest.fixture(scope="module")
def chain() -> tuple[list[Event], list[Checkpoint]]:
    """A clean chain of two checkpoints and a closing one; its key is rotated half way."""
    return sealed_chain(random.Random(1), COUNT)


@pytest.mark.parametrize("make", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("seed", range(10))
def test_attack_is_named_as_it_arrives(
    make: Callable[[random.Random, list[Event]], Attack],
    seed: int,
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """What `verify` finds in an export is found at ingest too, on the same event."""
    attack = make(random.Random(seed), chain[0])
    found, runs, missing = judged(attack.events, chain[1])
    if attack.verdict is Verdict.MISSING:
        ((first, count),) = [(hole.first_seq, hole.count) for hole in missing]
        assert (first, first + count - 1) == (attack.first_seq, attack.last_seq)
        assert found == {}
        return
    assert attack.line is not None
    # Transport may bring events in any order: one that came late is told, and holds its place.
    late = attack.verdict is Verdict.REORDERED
    assert found.keys() == {attack.line}
    assert found[attack.line].verdict is (Verdict.OK if late else attack.verdict)
    # Where its number or epoch was changed, the number that it had is not here.
    assert {(hole.first_seq, hole.count) for hole in missing} <= {(attack.first_seq, 1)}
    assert runs == []


def test_insider_who_seals_anew_is_found_by_the_root(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """The key of the chain is not enough to change what was decided."""
    found, runs, missing = judged(built_anew(random.Random(1), chain[0]), chain[1])
    assert {run.verdict for run in runs} == {Verdict.RECHAINED}
    assert (found, missing) == ({}, [])


@given(
    st.permutations(range(24)),
    st.lists(st.integers(0, 24), max_size=4),
    st.sets(st.integers(0, 23), max_size=6),
)
def test_restart_between_any_two_batches_changes_nothing(
    order: list[int], cuts: list[int], dropped: set[int]
) -> None:
    """A service that is killed and started says of each event what one says that never stopped."""
    sealed, checkpoints = sealed_chain(random.Random(2), 24)
    events = [sealed[number] for number in order if number not in dropped]

    def verdicts(*, restarted: bool) -> tuple[list[tuple[int, Verdict]], list[tuple[int, int]]]:
        stream = Stream(RING, GRACE_NS)
        said: list[tuple[int, Verdict]] = []
        states: dict[ChainKey, str] = {}
        batches = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
        for begin, end in pairwise(batches):
            if restarted:
                stream = Stream(RING, GRACE_NS)
                stream.restore(states)
            batch = events[begin:end]
            answer = stream.judge(batch, forms(batch), checkpoints if end == len(events) else ())
            said += [(begin + line, finding.verdict) for line, finding in answer.events.items()]
            assert stream.missing(0) == []
            states.update(stream.states())
        return said, [(hole.first_seq, hole.count) for hole in stream.missing(LATER_NS)]

    whole = verdicts(restarted=False)
    assert verdicts(restarted=True) == whole
    missing = {number for first, count in whole[1] for number in range(first, first + count)}
    assert missing == dropped


def test_late_event_takes_missing_back(chain: tuple[list[Event], list[Checkpoint]]) -> None:
    """What is left of the hole keeps its time, and is written with its new bounds."""
    events = chain[0]
    stream = Stream(RING, GRACE_NS)
    some = [*events[:3], *events[9:12]]
    stream.judge(some, forms(some), ())
    assert stream.missing(5) == []
    key = events[0].producer, events[0].epoch
    assert stream.missing(5 + GRACE_NS) == [Missing(*key, 3, 6, 5)]
    assert stream.missing(LATER_NS) == []

    late = stream.judge([events[5]], forms([events[5]]), ()).events[0]
    assert (late.verdict, late.first_seq) == (Verdict.OK, 5)
    assert stream.missing(LATER_NS) == [Missing(*key, 3, 2, 5), Missing(*key, 6, 3, 5)]


def test_what_was_sealed_before_the_service_came_is_not_missed(
    chain: tuple[list[Event], list[Checkpoint]],
) -> None:
    """A first start beside producers that run must not call their past missing."""
    later = chain[0][100:110]
    stream = Stream(RING, GRACE_NS)
    stream.judge(later, forms(later), (), first_look=True)
    assert stream.missing(0) == stream.missing(LATER_NS) == []
    stream = Stream(RING, GRACE_NS)
    stream.judge(later, forms(later), ())
    stream.missing(0)
    ((first, count),) = [(hole.first_seq, hole.count) for hole in stream.missing(LATER_NS)]
    assert (first, count) == (0, 100)


def test_key_that_is_revoked_counts_from_the_next_batch_on() -> None:
    """A stolen key is put out of force while the service runs."""
    events, _ = sealed_chain(random.Random(3), 4)
    stream = Stream(RING, GRACE_NS)
    assert stream.judge(events[:1], forms(events[:1]), ()).events == {}
    kid = events[1].kid
    stream.change_keys(KeyRing({kid: MacKey(kid, RING.macs[kid].secret, revoked=True)}, {}))
    (finding,) = stream.judge(events[1:2], forms(events[1:2]), ()).events.values()
    assert (finding.verdict, finding.reason) == (Verdict.TAMPERED, f"key {kid} is revoked")


def test_forged_epochs_take_no_room() -> None:
    """A key's id is no secret: whoever sends it with made-up epochs must not fill the memory."""
    (event,), _ = sealed_chain(random.Random(4), 1)
    forged = [event._replace(epoch=f"{number:016x}") for number in range(50)]
    stream = Stream(RING, GRACE_NS)
    said = stream.judge(forged, forms(forged), ())
    assert {finding.verdict for finding in said.events.values()} == {Verdict.TAMPERED}
    assert stream.states() == {}
    assert stream.unknown(forged, ()) == {(e.producer, e.epoch) for e in forged}


def test_chains_that_are_idle_are_put_away_and_come_back() -> None:
    """Restarts of producers over months must not fill the memory, nor lose a replay."""
    stream = Stream(RING, GRACE_NS)
    first, _ = sealed_chain(random.Random(5), 3)
    stream.judge(first, forms(first), ())
    states = stream.states()
    stream.restore({("other", str(number)): Chain().to_json() for number in range(CHAINS_MAX)})
    second, _ = sealed_chain(random.Random(6), 3)
    stream.judge(second, forms(second), ())
    stream.missing(0)
    stream.states()
    (key,) = stream.unknown(first, ())
    stream.restore({key: states[key]})
    said = stream.judge(first[2:], forms(first[2:]), ())
    assert said.events[0].verdict is Verdict.REPLAYED


def test_what_a_chain_keeps_is_bounded() -> None:
    """Neither leaves without checkpoints nor claims of forgers grow for ever."""
    events, _ = sealed_chain(random.Random(7), LEAVES_MAX + 10)
    stream = Stream(RING, GRACE_NS)
    stream.judge(events, forms(events), ())
    chain = stream.chain(events[0].producer, events[0].epoch)
    assert min(chain.leaves) == 10
    assert len(chain.leaves) == LEAVES_MAX
    for claim in range(CLAIMS_MAX + 5):
        chain.claim(10**9 + claim)
    assert len(chain.claims) == CLAIMS_MAX


def test_checkpoint_that_can_never_be_compared_is_let_go() -> None:
    """A tampered event, or one that is missing, is named itself; its run must not wait for ever."""
    events, checkpoints = sealed_chain(random.Random(8), COUNT)
    spoilt = [*events[:4], events[4]._replace(tag="0" * 32), *events[5:]]
    stream = Stream(RING, GRACE_NS)
    stream.judge(spoilt, forms(spoilt), checkpoints)
    chain = stream.chain(events[0].producer, events[0].epoch)
    assert (chain.checkpoints, chain.leaves, chain.proven) == ({}, {}, COUNT)

    short = [*events[:4], *events[5:]]
    stream = Stream(RING, GRACE_NS)
    stream.judge(short, forms(short), checkpoints)
    stream.missing(0)
    chain = stream.chain(events[0].producer, events[0].epoch)
    assert list(chain.checkpoints) == [0]  # the event may be late
    stream.missing(LATER_NS)
    stream.judge([], [], [checkpoints[-1]])
    assert list(chain.checkpoints) == [0]
    again = events[-1:]
    stream.judge(again, forms(again), ())
    assert (chain.checkpoints, chain.leaves) == ({}, {})


def test_holes_of_a_chain_are_bounded() -> None:
    """A lossy exporter must not fill the memory; what it lost stays missing, replays are found."""
    events, _ = sealed_chain(random.Random(9), 2 * (HOLES_MAX + 20))
    stream = Stream(RING, GRACE_NS)
    sparse = events[::2]
    stream.judge(sparse, forms(sparse), ())
    chain = stream.chain(events[0].producer, events[0].epoch)
    assert len(chain.runs) == len(sparse)
    stream.missing(0)
    assert len(stream.missing(LATER_NS)) == len(sparse) - 1
    some = events[-1:]
    stream.judge(some, forms(some), ())
    assert len(chain.runs) == HOLES_MAX
    assert stream.missing(LATER_NS) == []
    copies = [events[0], events[1], events[-3]]
    said = stream.judge(copies, forms(copies), ())
    assert [said.events[line].verdict for line in range(3)] == [
        Verdict.REPLAYED,
        Verdict.REPLAYED,
        Verdict.OK,
    ]


def test_bench_at_ingest_names_every_attack_over_restarts() -> None:
    """What the benchmark counts three hundred times is right a few times in every run."""
    figures = run_ingest_trials(7, 4, 60, lambda _line: None)
    assert figures == {"ingest_missed": 0.0, "ingest_false_alarms": 0.0}
