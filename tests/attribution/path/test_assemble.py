from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.path.assemble import Trees, assemble
from attribution.path.membership import Flag
from attribution.path.split import flag_names
from collector.core.times import NS_PER_DAY
from tests.support.attribution.critical_path import random_trace
from tests.support.attribution.spans_builder import R, S, columns, link_columns, root_columns
from tests.support.examples import examples


def trees_of(spans: list[S], roots: list[R], skew_max_ns: int = 0) -> Trees:
    """Assemble spans."""
    return assemble(
        columns(spans), root_columns(roots), link_columns(spans), skew_max_ns=skew_max_ns
    )


def parents(trees: Trees, decision: int = 0) -> dict[int, int]:
    """Return the parent of each member span of a decision, 0 for its root."""
    return {
        int(trees.span_id[row]): int(trees.span_id[trees.parent[row]])
        if trees.parent[row] >= 0
        else 0
        for row in np.flatnonzero(trees.decision == decision).tolist()
    }


def flags(trees: Trees, decision: int = 0) -> set[str]:
    """Return the names of a decision's flags."""
    return set(flag_names(int(trees.flags[decision])))


def shift_of(child: S, parent: S, skew_max_ns: int = 10_000) -> int:
    """Return the shift of a child in a root."""
    root = S(1, 0, parent.start, parent.end, parent.kind, host=parent.host, service=parent.service)
    trees = trees_of([root, child], [R(1, parent.start, parent.end)], skew_max_ns)
    return int(trees.shift_ns[trees.span_id == child.span_id][0])


def test_span_without_its_parent_hangs_under_the_root() -> None:
    """A lost batch leaves orphans; their time is still this decision's."""
    trees = trees_of([S(1), S(2, 99, 10, 20), S(3, 2, 12, 15)], [R()])
    assert parents(trees) == {1: 0, 2: 1, 3: 2}
    assert flags(trees) == {"orphan"}


def test_spans_above_and_beside_the_root_are_the_callers() -> None:
    """A gateway that calls the decision, and its other calls, are no part of it."""
    trees = trees_of([S(9), S(8, 9), S(1, 9), S(2, 1)], [R()])
    assert parents(trees) == {1: 0, 2: 1}
    assert flags(trees) == set()


def test_span_id_sent_twice_counts_once() -> None:
    """A sender's retry is no second span."""
    assert (
        flags(trees := trees_of([S(1), S(2, 1, 5, 9), S(2, 1, 5, 9, received=7)], [R()])) == set()
    )
    assert parents(trees) == {1: 0, 2: 1}


def test_of_two_spans_with_one_id_the_first_received_counts() -> None:
    """Two spans cannot be one: the decision says that it met such a clash."""
    spans = [S(1), S(2, 1, 50, 90, received=8), S(2, 1, 10, 20, received=7)]
    trees = trees_of(spans, [R()])
    assert trees.start_ns[trees.span_id == 2].tolist() == [10]
    assert flags(trees) == {"duplicate_span"}


def test_cycle_is_cut_at_its_earliest_span() -> None:
    """Spans that are each other's ancestors would hang a naive walk."""
    trees = trees_of([S(1), S(2, 4, 30, 40), S(3, 2, 20, 25), S(4, 3, 10, 50), S(5, 5)], [R()])
    assert parents(trees) == {1: 0, 4: 1, 3: 2, 2: 4, 5: 1}
    assert flags(trees) == {"cycle", "orphan"}


def test_span_belongs_to_the_nearest_decision_above_it() -> None:
    """Of a decision inside another one its root is waited for there, and nothing below it is."""
    spans = [S(1), S(2, 1), S(3, 2), S(4, 3)]
    trees = trees_of(spans, [R(1, code=0), R(3, code=1)])
    assert parents(trees, 0) == {1: 0, 2: 1, 3: 2}
    assert parents(trees, 1) == {3: 0, 4: 3}
    assert trees.span_id[trees.is_inner].tolist() == [3]
    assert trees.decision[trees.is_inner].tolist() == [0]
    assert flags(trees, 0) == {"nested"}


def test_span_of_another_trace_joins_by_decision_id() -> None:
    """Where the trace context was lost, the id in baggage still tells."""
    spans = [S(1), S(2, 0, 10, 20, trace=1, decision=0), S(3, 2, 12, 14, trace=1)]
    trees = trees_of(spans, [R()])
    assert parents(trees) == {1: 0, 2: 1, 3: 2}
    assert flags(trees) == set()
    assert trees.is_blocking.all()


@pytest.mark.parametrize(
    ("start", "members"), [(-NS_PER_DAY, {1, 2}), (NS_PER_DAY, {1, 2}), (NS_PER_DAY + 1, {1})]
)
def test_what_names_a_decision_of_another_day_is_no_part_of_it(
    start: int, members: set[int]
) -> None:
    """Whatever is read together: a job looks for what a span names within a day."""
    foreign = S(2, 0, start, start + 10, trace=1)
    for named in (replace(foreign, decision=0), replace(foreign, links=((0, 1),))):
        assert set(parents(trees_of([S(1), named], [R()]))) == members


def test_of_decisions_that_share_an_id_the_first_within_a_day_is_named() -> None:
    """An id that comes again each day tells as much as one that does not."""
    at = 3 * NS_PER_DAY
    roots = [R(1), R(3, at, at + 100, trace=2), R(4, at + 50, at + 100, trace=3)]
    spans = [
        S(1), S(2, 0, at + 9, at + 20, trace=1, decision=0), S(3, 0, at, at + 100, trace=2),
        S(4, 0, at + 50, at + 100, trace=3),
    ]  # fmt: skip
    trees = trees_of(spans, roots)
    assert [set(parents(trees, each)) for each in range(3)] == [{1}, {2, 3}, {4}]


def test_span_joins_by_link_and_is_not_waited_for() -> None:
    """A consumer that links back to its producer runs on its own time."""
    spans = [
        S(1),
        S(2, 1, kind="Producer"),
        S(7, 0, 20, 90, trace=1, links=((0, 2),)),
        S(8, 7, trace=1),
    ]
    trees = trees_of(spans, [R()])
    assert parents(trees) == {1: 0, 2: 1, 7: 1, 8: 7}
    assert flags(trees) == {"linked", "async"}


def test_orphan_between_two_decisions_of_a_trace_joins_the_last_that_began() -> None:
    """Time is all that is left to tell by."""
    spans = [S(1, 0, 0, 50), S(2, 0, 60, 90), S(3, 99, 65, 70), S(4, 99, 10, 12)]
    trees = trees_of(spans, [R(1, 0, 50), R(2, 60, 90, code=1)])
    assert parents(trees, 0) == {1: 0, 4: 1}
    assert parents(trees, 1) == {2: 0, 3: 2}


def test_orphan_joins_the_decision_in_which_it_ran() -> None:
    """The one inside of it that began later is long over, and its time would be nobody's."""
    spans = [S(1, 0, 0, 1000), S(2, 1, 11, 19), S(3, 99, 800, 990)]
    trees = trees_of(spans, [R(1, 0, 1000), R(2, 11, 19, code=1)])
    assert parents(trees, 0) == {1: 0, 2: 1, 3: 1}
    assert parents(trees, 1) == {2: 0}
    assert flags(trees, 0) == {"nested", "orphan"}
    assert flags(trees, 1) == set()


INTERVAL = st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda at: (at[0], sum(at)))


@given(
    st.lists(st.tuples(st.integers(0, 1), INTERVAL), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 2), INTERVAL), min_size=1, max_size=8),
)
def test_orphan_joins_what_it_overlaps_before_what_is_over(
    decisions: list[tuple[int, tuple[int, int]]], orphans: list[tuple[int, tuple[int, int]]]
) -> None:
    """Of several the last that began before it, else the first; said once more span by span."""
    made = sorted(decisions)
    roots = [
        R(number, *times, trace=trace, code=number - 1)
        for number, (trace, times) in enumerate(made, 1)
    ]
    spans = [S(root.span_id, 0, root.start, root.end, trace=root.trace) for root in roots]
    lost = [
        S(100 + number, 99, *times, trace=trace) for number, (trace, times) in enumerate(orphans)
    ]
    trees = trees_of([*spans, *lost], roots)

    for each in lost:
        ours = [root for root in roots if root.trace == each.trace]
        while_it_ran = [
            root
            for root in ours
            if (root.start <= each.start < root.end) or (each.start < root.start < each.end)
        ]
        candidates = while_it_ran or ours
        before = [root for root in candidates if root.start <= each.start]
        expected = [(before or candidates)[-1 if before else 0].code] if candidates else []
        found = trees.decision[trees.span_id == each.span_id].tolist()
        assert found == expected, each


def test_caller_that_carries_the_id_does_not_hang_under_what_it_called() -> None:
    """Baggage puts the id on the gateway too; as a child it would swallow the root's own time."""
    trees = trees_of([S(9, decision=0), S(1, 9, decision=0), S(2, 1, decision=0)], [R()])
    assert parents(trees) == {1: 0, 2: 1}


def test_decision_whose_root_span_is_missing_says_so() -> None:
    """Its total is known from the stamps, its parts are not."""
    assert flags(trees_of([S(2, 1)], [R(1), R(1, trace=5, code=1)]), 1) == {"root_missing"}


@pytest.mark.parametrize(
    ("child", "parent_kind", "waited"),
    [
        pytest.param(S(2, 1, kind="Consumer"), "Producer", False, id="producer to consumer"),
        pytest.param(S(2, 1, kind="Consumer"), "Internal", True, id="consumer in process"),
        pytest.param(S(2, 1, blocking=False), "Internal", False, id="the span says no"),
        pytest.param(
            S(2, 1, kind="Consumer", blocking=True), "Producer", True, id="the span says yes"
        ),
    ],
)
def test_what_a_parent_waits_for(child: S, parent_kind: str, waited: bool) -> None:
    """Time that nobody waited for is not on the path; what a span says wins over inference."""
    trees = trees_of([S(1, kind=parent_kind), child], [R()])
    assert trees.is_blocking[trees.span_id == 2].tolist() == [waited]
    assert ("async" in flags(trees)) is not waited


def test_consumer_whose_producer_is_not_there_is_waited_for() -> None:
    """What it was sent by is not known, so nothing says that the decision went on without it."""
    trees = trees_of([S(1, kind="Producer"), S(2, 9, kind="Consumer")], [R()])
    assert trees.is_blocking[trees.span_id == 2].tolist() == [True]
    assert flags(trees) == {"orphan"}


def test_caller_that_links_to_what_it_called_is_not_inside_of_itself() -> None:
    """It is a part of the decision that it began, which no other decision is in."""
    trees = trees_of([S(1, links=((0, 2),)), S(2, 1)], [R(2)])
    assert "nested" not in flags(trees)


@pytest.mark.parametrize(
    ("start", "end", "shift"),
    [
        pytest.param(10, 40, 0, id="fits"),
        pytest.param(-20, 10, 55, id="early: centred"),
        pytest.param(90, 121, -56, id="late, odd slack: centred, rounded down"),
        pytest.param(-20, 100, 20, id="longer: pulled to the start"),
        pytest.param(5, 130, 0, id="longer and inside at the start: as it is"),
    ],
)
def test_skew_between_machines_follows_jaegers_rule(start: int, end: int, shift: int) -> None:
    """Clocks of two machines differ; durations do not change."""
    parent = S(1, 0, 0, 100, kind="Client", host="a")
    assert shift_of(S(2, 1, start, end, kind="Server", host="b"), parent) == shift


def test_one_clock_is_never_shifted() -> None:
    """On one machine a child outside its parent is async, not skewed."""
    parent = S(1, 0, 0, 100, host="a")
    assert shift_of(S(2, 1, -20, 10, kind="Server", host="a"), parent) == 0
    in_process = S(2, 1, 90, 150, kind="Internal")
    assert shift_of(in_process, S(1, 0, 0, 100)) == 0
    # Many tracers of files leave the kind out; what is in one service is then one process.
    assert shift_of(S(2, 1, 90, 150, kind="Unspecified"), S(1, 0, 0, 100)) == 0
    # Where no span names its machine nothing tells skew from work that outlives its parent.
    assert shift_of(S(2, 1, 90, 150, kind="Server", service="cart"), S(1, 0, 0, 100)) == 0
    named = S(2, 1, 90, 150, kind="Server", service="cart", host="b")
    assert shift_of(named, S(1, 0, 0, 100)) != 0


def test_span_shorter_than_its_clocks_bound_is_excluded_and_said_so() -> None:
    """Where it lies is unknown: its time stays its parent's, and the decision is flagged."""
    root = S(1, 0, 0, 100, host="a", clock_error=20)
    short = S(2, 1, 40, 69, kind="Server", host="b", clock_error=10)
    trees = trees_of([root, short], [R()], 10_000)
    assert (trees.is_blocking.tolist(), trees.bound_ns.tolist()) == ([True, False], [0, 30])
    assert flags(trees) == {"clock_excluded"}
    longer = replace(short, end=70)
    assert trees_of([root, longer], [R()], 10_000).is_blocking.tolist() == [True, True]
    unknown = replace(short, clock_error=None)
    trees = trees_of([root, unknown], [R()], 10_000)
    assert (trees.is_blocking.tolist(), trees.bound_ns.tolist()) == ([True, True], [0, -1])
    assert flags(trees_of([root, replace(short, host="a")], [R()], 10_000)) == set()


@pytest.mark.parametrize(
    ("host", "other", "is_one"),
    [
        ('["10.0.0.1", "a"]', '["b", "10.0.0.1"]', True),
        ('["10.0.0.1", "a"]', '["10.0.0.2", "b"]', False),
        ('["10.0.0.1", "a"]', "10.0.0.1", True),
        ('["10.0.0.1", "a"]', "10.0.0.2", False),
        ('["10.0.0.1", "127.0.0.1"]', '["10.0.0.2", "127.0.0.1", "172.17.0.1"]', False),
        ('["127.0.0.1"]', '["127.0.0.1", "::1"]', True),
        ("[10.0.0.1", "10.0.0.1]", False),
    ],
)
def test_machines_that_share_an_address_are_one(host: str, other: str, is_one: bool) -> None:
    """Resources of one machine list its addresses in any order, and not always all of them."""
    parent = S(1, 0, 0, 100, kind="Client", host=host)
    assert (shift_of(S(2, 1, -20, 10, kind="Server", host=other), parent) == 0) is is_one


def test_two_machines_are_not_one_by_way_of_a_third() -> None:
    """What else is in a batch must not change a decision."""
    spans = [
        S(1, host='["a"]'),
        S(2, 1, 10, 60, "Server", host='["a", "c"]'),
        S(3, 1, -20, 10, "Server", host='["c"]'),
    ]
    assert trees_of(spans, [R()], 10_000).shift_ns.tolist() == [55, 0, 0]


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_spans_of_one_id_give_one_answer_in_every_order(rng: random.Random) -> None:
    """Nothing was received first: what the spans say decides, and not the order of a file."""
    spans, root = random_trace(rng, 0, 1_000)
    spans = [replace(each, received=0) for each in spans]
    twins = [
        replace(
            each,
            end=each.end + rng.randint(0, 2),
            parent_id=rng.choice([each.parent_id, root.span_id]),
            kind=rng.choice(["Server", "Consumer", each.kind]),
            service=rng.choice(["shop", "cart"]),
            host=rng.choice(["", "a", '["a", "b"]']),
            blocking=rng.choice([None, True, False]),
        )
        for each in spans
        if each.span_id != root.span_id and rng.random() < 0.7
    ]
    answers = []
    for _ in range(3):
        order = rng.sample([*spans, *twins], len(spans) + len(twins))
        trees = trees_of(order, [root], 60)
        names = ("span_id", "parent", "start_ns", "end_ns", "shift_ns", "is_blocking", "flags")
        answers.append([getattr(trees, name).tolist() for name in names])
    assert answers[0] == answers[1] == answers[2]


def test_shift_is_inherited_on_one_machine() -> None:
    """What one clock stamped moves together."""
    spans = [S(1, host="a"), S(2, 1, 1000, 1040, "Server", host="b"), S(3, 2, 1010, 1020, host="b")]
    trees = trees_of(spans, [R()], 10_000)
    assert trees.shift_ns.tolist() == [0, -970, -970]
    assert flags(trees) == {"shifted"}


def test_shift_that_is_too_large_is_flagged_and_not_applied() -> None:
    """Ten seconds of skew is a broken clock, and no guess repairs it."""
    spans = [S(1, host="a"), S(2, 1, 1000, 1040, "Server", host="b")]
    trees = trees_of(spans, [R()], 100)
    assert trees.shift_ns.tolist() == [0, 0]
    assert flags(trees) == {"skew_too_large"}


def test_flag_names_are_stable() -> None:
    """They are stored and shown; a renamed one would split history."""
    assert flag_names(sum(Flag)) == [
        "orphan", "duplicate_span", "cycle", "linked", "nested", "root_missing", "async",
        "outside", "shifted", "skew_too_large", "opaque_peer", "clipped_ingress", "clock_excluded",
        "refused_spans",
    ]  # fmt: skip
