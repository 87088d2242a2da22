from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.path.assemble import assemble
from attribution.path.critical_path import critical_path
from attribution.path.oracle import plain_path
from collector.core.times import NS_PER_MS as MS
from tests.support.attribution.critical_path import SKEW_MAX_NS, random_trace
from tests.support.attribution.spans_builder import R, S, columns, link_columns, root_columns
from tests.support.examples import examples

Outcome = dict[int, dict[int, tuple[int, int, list[tuple[int, int]]]]]


def walk(spans: list[S], roots: list[R], skew_max_ns: int = 0) -> Outcome:
    """Return shift, self time and sections of each span on the path, by decision and span id."""
    columns_of_roots = root_columns(roots)
    trees = assemble(columns(spans), columns_of_roots, link_columns(spans), skew_max_ns=skew_max_ns)
    path = critical_path(trees, columns_of_roots)
    result: Outcome = {index: {} for index in range(len(roots))}
    for row in range(len(trees)):
        if path.on_path[row]:
            result[int(trees.decision[row])][int(trees.span_id[row])] = (
                int(trees.shift_ns[row]),
                int(path.self_ns[row]),
                [],
            )
    for row, from_ns, to_ns in zip(
        path.section_row.tolist(),
        path.section_from_ns.tolist(),
        path.section_to_ns.tolist(),
        strict=True,
    ):
        result[int(trees.decision[row])][int(trees.span_id[row])][2].append((from_ns, to_ns))
    return result


def path_of(spans: list[S], root: R | None = None) -> dict[int, list[tuple[int, int]]]:
    """Return the sections of each span on the path of one decision."""
    return {span_id: each[2] for span_id, each in walk(spans, [root or R()])[0].items()}


@pytest.mark.parametrize(
    ("spans", "waited"),
    [
        pytest.param([S(2, 1, 2, 130)], False, id="an audit record beside the answer"),
        pytest.param([S(2, 1, 2, 130, blocking=True)], True, id="the span says that it was"),
        pytest.param([S(2, 1, 2, 101)], True, id="by no more than a millisecond"),
        pytest.param([S(2, 1, 2, 108)], True, id="by less than a tenth of it"),
        pytest.param([S(2, 9, 2, 130)], False, id="of a parent that is not there"),
        pytest.param([S(3, 1, 1, 50), S(2, 3, 2, 90)], True, id="after its parent, not the root"),
        pytest.param([S(3, 1, 1, 150), S(2, 3, 2, 140)], False, id="of a parent that does so"),
        pytest.param([S(3, 1, 1, 50), S(2, 3, 2, 140)], False, id="after both"),
        pytest.param(
            [S(3, 1, 1, 60, kind="Client"), S(2, 3, 2, 140, kind="Server")],
            True,
            id="a caller that gave up",
        ),
        pytest.param(
            [S(2, 1, 2, 130, kind="Server", host="b")], True, id="by the clock of another machine"
        ),
    ],
)
def test_what_outlives_its_parent_and_the_decision_was_waited_for_by_neither(
    spans: list[S], waited: bool
) -> None:
    """It took the whole path of a decision that had long been answered; roots end at 100."""
    whole = [S(1, 0, 0, 100, kind="Server"), *spans]
    found = path_of(
        [
            replace(each, host=each.host or "a", start=each.start * MS, end=each.end * MS)
            for each in whole
        ],
        R(1, 0, 100 * MS),
    )
    assert (2 in found) is waited


@pytest.mark.parametrize("seed", range(40))
def test_numpy_walk_equals_the_plain_one(seed: int) -> None:
    """Two programs that share no code agree to the nanosecond on 4,000 odd decisions."""
    rng = random.Random(seed)
    skew_max_ns = rng.choice([0, SKEW_MAX_NS, 10**9])
    apart = rng.choice([0, 300, 10**18])  # far apart, times of one batch need more than 63 bits
    unit = MS if seed % 2 else 1
    pairs = [random_trace(rng, trace, 1_000 + trace % 5 * apart, unit) for trace in range(100)]
    got = walk([s for spans, _ in pairs for s in spans], [r for _, r in pairs], skew_max_ns)
    for index, (spans, root) in enumerate(pairs):
        plain = plain_path([s.plain() for s in spans], root.span_id, root.ingress or 0, skew_max_ns)
        wanted = {
            span_id: (plain.shift_ns[span_id], self_ns, plain.sections[span_id])
            for span_id, self_ns in plain.self_ns.items()
        }
        assert got[index] == wanted, f"seed {seed}, trace {index}"


@pytest.mark.parametrize("seed", range(20))
def test_both_walks_take_what_begins_at_whole_milliseconds_alike(seed: int) -> None:
    """The same odd decisions in tenths of a millisecond, and some nanoseconds."""
    rng = random.Random(seed)
    for _ in range(100):
        spans, root = random_trace(rng, 0, 1_000)
        span_at = {
            each: each * 100_000 + rng.choice([0, 0, 1])
            for span in spans for each in (span.start, span.end)
        }  # fmt: skip
        spans = [
            replace(each, start=span_at[each.start], end=span_at[each.end], clock_error=None)
            for each in spans
        ]
        start, end = span_at[root.start], span_at[root.end]
        root = replace(root, start=start, end=end, ingress=start)
        plain = plain_path([s.plain() for s in spans], root.span_id, start, 10**7)
        assert {span_id: each[1:] for span_id, each in walk(spans, [root], 10**7)[0].items()} == {
            span_id: (self_ns, plain.sections[span_id])
            for span_id, self_ns in plain.self_ns.items()
        }


def test_calls_in_a_row_of_a_clock_of_milliseconds_are_all_on_the_path() -> None:
    """JavaScript begins spans by `Date.now`: each seems to go on after the next one began.

    Every second call was dropped as a whole, and its time was its caller's own.
    """
    ms, calls, at_ns = 1_000_000, [], 5_300_000
    for number in range(20):  # of 1.7 ms, with 0.1 ms between them
        calls.append((number + 2, at_ns // ms * ms, at_ns // ms * ms + 1_700_000))
        at_ns += 1_800_000
    spans = [S(1, 0, 5 * ms, 45 * ms), *(S(each, 1, start, end) for each, start, end in calls)]
    sections = path_of(spans, R(1, 5 * ms, 45 * ms))
    assert set(sections) == {1, *(each for each, _, _ in calls)}
    waited_ns = sum(to - from_ for each, _, _ in calls for from_, to in sections[each])
    assert waited_ns == pytest.approx(20 * 1_700_000, rel=0.1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((0, 2_000_100), (1_000_000, 3_000_000), id="a millisecond and more"),
        pytest.param((0, 2_400_000), (2_000_001, 3_000_000), id="a clock of nanoseconds"),
        pytest.param((0, 600_000), (0, 800_000), id="begun at the same time"),
    ],
)
def test_calls_at_the_same_time_are_not_taken_for_calls_in_a_row(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    """A parallel call that ended earlier was not what the parent waited for."""
    spans = [S(1, 0, 0, 4_000_000), S(2, 1, *first), S(3, 1, *second)]
    assert 2 not in path_of(spans, R(1, 0, 4_000_000))


@given(st.integers(0, 2**32))
@settings(max_examples=examples(150), deadline=None)
def test_sections_tile_the_decision(seed: int) -> None:
    """No nanosecond is lost or counted twice, whatever arrives."""
    rng = random.Random(seed)
    spans, root = random_trace(rng, 0, 1_000)
    outcome = walk(spans, [root], SKEW_MAX_NS)[0]
    sections = sorted(pair for each in outcome.values() for pair in each[2])
    begin = min(max(root.start, root.ingress or 0), root.end)
    ends = [begin] + [to for _, to in sections]
    assert [from_ for from_, _ in sections] == ends[:-1]
    assert ends[-1] == root.end
    assert sum(each[1] for each in outcome.values()) == root.end - begin


@given(st.integers(0, 2**32))
@settings(max_examples=examples(60), deadline=None)
def test_order_of_spans_makes_no_difference(seed: int) -> None:
    """A batch that arrives in another order, or beside other traces, gives the same path."""
    rng = random.Random(seed)
    pairs = [random_trace(rng, trace, 1_000) for trace in range(3)]
    spans, roots = [s for each, _ in pairs for s in each], [r for _, r in pairs]
    before = walk(spans, roots, SKEW_MAX_NS)
    rng.shuffle(spans)
    assert walk(spans, roots, SKEW_MAX_NS) == before


def test_children_that_touch_are_both_on_the_path() -> None:
    """One ns decides: with `<` the earlier of two calls in a row would vanish."""
    spans = [S(1), S(2, 1, 10, 40), S(3, 1, 40, 90)]
    assert path_of(spans) == {1: [(0, 10), (90, 100)], 2: [(10, 40)], 3: [(40, 90)]}


def test_of_overlapping_children_the_last_to_finish_is_on_the_path() -> None:
    """A parallel call that ended earlier was not what the parent waited for."""
    spans = [S(1), S(2, 1, 10, 60), S(3, 1, 20, 80)]
    assert path_of(spans) == {1: [(0, 20), (80, 100)], 3: [(20, 80)]}


def test_child_without_length_is_kept() -> None:
    """An instant costs nothing and still shows where the path went."""
    spans = [S(1), S(2, 1, 50, 50), S(3, 1, 100, 100)]
    assert path_of(spans) == {1: [(0, 50), (50, 100)], 2: [], 3: []}


def test_equal_children_are_told_apart_by_id() -> None:
    """Without a rule for ties two runs could blame different spans."""
    assert path_of([S(1), S(7, 1, 10, 90), S(3, 1, 10, 90)]) == {
        1: [(0, 10), (90, 100)],
        3: [(10, 90)],
    }


def test_ten_thousand_spans_in_one_chain_and_in_one_fan() -> None:
    """Depth and width of one trace have no limit of ours, nor has a decision's length."""
    n, hour = 10_000, 3_600_000_000_000
    chain = [S(1, 0, 0, hour)] + [S(i, i - 1, i, hour - i) for i in range(2, n + 1)]
    fan = [S(1, 0, 0, hour, trace=1)] + [
        S(i, 1, i * 1000, i * 1000 + 1000, trace=1) for i in range(2, n + 1)
    ]
    roots = [R(1, 0, hour), R(1, 0, hour, trace=1, code=1)]
    outcome = walk(chain + fan, roots)
    for decision in (0, 1):
        assert len(outcome[decision]) == n
        assert sum(each[1] for each in outcome[decision].values()) == hour


def test_no_spans_and_no_decisions_are_no_error() -> None:
    """A quiet minute gives nothing, not a traceback."""
    assert walk([], []) == {}
    assert walk([S(1)], []) == {}
    assert walk([], [R()]) == {0: {}}


def test_times_are_exact_where_floats_are_not() -> None:
    """A nanosecond at today's epoch is below what a float of the same number can say."""
    base = 1_790_000_000_000_000_001
    spans = [S(1, 0, base, base + 9_007_199_254_740_995), S(2, 1, base + 1, base + 2)]
    outcome = walk(spans, [R(1, base, base + 9_007_199_254_740_995)])[0]
    assert outcome[2][1] == 1
    assert outcome[1][1] == 9_007_199_254_740_994
