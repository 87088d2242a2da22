"""The rule over figures that are kept anyway: each figure from stored rows, and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules.base import Evaluation
from alerts.rules.kinds import rule_of
from alerts.rules.threshold import FIGURES, Reading, Readings, Threshold, ThresholdConfig
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Phase, Status, Timing, advance, first_state
from attribution.jobs.late.deferred import DeferredArrivals
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment
from tests.support.alerts.scene import HURT, write_arrived, write_seconds
from tests.support.builders import new_trace_id, span, store_blocks, trace_request
from tests.support.examples import examples

CHECKOUT = Subject("checkout", HURT)
BEFORE_NS = NOW_NS - 400 * NS_PER_S  # not in the window of five minutes


def config(figure: str, **changes: object) -> ThresholdConfig:
    """Return a rule that fires above one."""
    fields: dict[str, Any] = {"name": "limit", "figure": figure, "above": 1.0, **changes}
    return ThresholdConfig.model_validate(fields)


def read(store: Connections, rule: ThresholdConfig) -> Readings:
    """Return what the rule reads now."""
    return Threshold(rule).read(AlertReader(store, Calendars(()).budget_factor), moment(), {})


def test_figures_of_decisions_are_those_of_their_cells(store: Connections) -> None:
    """Five decisions a second: ten seconds of which all are late, and ten of which none is."""
    write_seconds(store.client(), NOW_NS - 20 * NS_PER_S, 10, HURT, slow_ms=120, failed=1)
    write_seconds(store.client(), NOW_NS - 10 * NS_PER_S, 10, HURT, unvalued=2)
    write_seconds(store.client(), BEFORE_NS, 10, HURT, slow_ms=120)
    expected = {
        "late_ratio": 0.5,
        "failed_ratio": 0.1,
        "unvalued_ratio": 0.2,
        "loss_usd_per_h": 50 * 12,
        "decisions_per_s": 100 / 300,
    }
    for figure, value in expected.items():
        reading = read(store, config(figure)).by_subject[CHECKOUT]
        assert reading.value == pytest.approx(value), figure
        assert reading.count == 100
        assert reading.newest_ns == NOW_NS - NS_PER_S
    slow = read(store, config("slow_ratio", target_ms=100.0)).by_subject[CHECKOUT]
    assert (slow.value, slow.count) == (0.5, 100)


def test_figures_of_others_are_counts_of_their_rows(store: Connections) -> None:
    """Each by what it is of; rows before the window count nothing."""
    client, inside_ns = store.client(), NOW_NS - 5 * NS_PER_S
    client.insert(
        "rejected",
        [
            [at_ns, "traces", reason, "", "", items, b""]
            for at_ns, reason, items in (
                (inside_ns, "bad_id", 3), (inside_ns + 1, "bad_id", 2), (BEFORE_NS, "bad_id", 9),
                # The view of decisions refuses one, whose span is in its own table.
                (inside_ns, "schema_unknown", 0), (inside_ns + 2, "schema_unknown", 0),
            )
        ],
        column_names=[
            "received_ns", "signal", "reason_code", "detail", "item_id", "item_count", "bytes",
        ],
    )  # fmt: skip
    client.insert(
        "provenance_events",
        [
            ["shop", "e", seq, verdict, 2, inside_ns]
            for seq, verdict in ((1, "ok"), (2, "tampered"))
        ],
        column_names=["producer", "epoch", "seq", "verdict", "count", "received_ns"],
    )
    client.insert(
        "microbursts",
        [[inside_ns, "edge", inside_ns + 1], [inside_ns + 9, "edge", inside_ns + 10]],
        column_names=["start_ns", "host", "end_ns"],
    )
    client.insert(
        "clock_offsets",
        [[inside_ns, "a", "b", "packets", -7_000_000, 2_000_000]],
        column_names=["window_ns", "host_a", "host_b", "source", "offset_ns", "bound_ns"],
    )

    assert {
        figure: {subject.action: reading.value for subject, reading in found.items()}
        for figure in ("rejected", "unproven", "microbursts", "clock_error_ms")
        for found in [read(store, config(figure)).by_subject]
    } == {
        "rejected": {"bad_id": 5.0, "schema_unknown": 2.0},
        "unproven": {"shop": 2.0},
        "microbursts": {"edge": 2.0},
        "clock_error_ms": {"a~b": 5.0},
    }


def test_hit_ratio_of_each_cache_is_of_lookups_that_say_so(store: Connections) -> None:
    """An answer that did not change is a hit; a call that does not say is no lookup."""
    asked: list[tuple[Mapping[str, object], int]] = [
        *[({"cache.hit": "true", "cache.name": "offers"}, at) for at in range(3)],
        ({"cache.hit": "false", "cache.name": "offers"}, 3),
        ({"cache.name": "offers"}, 4),
        ({"cache.hit": "false", "db.system.name": "redis", "server.address": "10.0.0.1"}, 5),
        ({"http.response.status_code": 304}, 6),
        ({"cache.hit": "false", "cache.name": "offers"}, -400),  # before the window
    ]
    store_blocks(
        store,
        trace_request(
            *[
                span(
                    trace_id=new_trace_id(),
                    start_ns=NOW_NS - 60 * NS_PER_S + at_s * NS_PER_S,
                    name="GET /price",
                    kind="client",
                    attributes=attributes,
                )
                for attributes, at_s in asked
            ],
            service="shop",
        ),
    )
    found = read(store, config("cache_hit_ratio", above=None, below=0.9))
    assert {each.action: (one.value, one.count) for each, one in found.by_subject.items()} == {
        "offers": (0.75, 4), "redis 10.0.0.1": (0.0, 1), "shop GET /price": (1.0, 1),
    }  # fmt: skip
    assert found.by_subject[Subject("offers", "")].newest_ns == NOW_NS - 57 * NS_PER_S


def test_cost_of_a_decision_is_of_the_time_that_bills_cover(store: Connections) -> None:
    """Two days are billed of three; a fee of ten days counts by the two, and nothing twice."""
    day_ns = 86_400 * NS_PER_S
    begins_ns = NOW_NS - 3 * day_ns
    lines = [
        (begins_ns, begins_ns + day_ns, 1, "USD", "6", "Usage"),
        (begins_ns, begins_ns + day_ns, 2, "USD", "3", "Usage"),
        (begins_ns + day_ns // 2, begins_ns + 2 * day_ns, 3, "USD", "1", ""),
        (begins_ns - 8 * day_ns, begins_ns + 2 * day_ns, 4, "USD", "50", "Purchase"),
        (begins_ns, begins_ns + day_ns, 5, "EUR", "2", "Usage"),
    ]
    client = store.client()
    client.insert(
        "costs",
        [
            [from_ns, to_ns, line, "bill", currency, Decimal(cost), Decimal(cost), category, NOW_NS]
            for from_ns, to_ns, line, currency, cost, category in lines
        ],
        column_names=[
            "from_ns", "to_ns", "line_hash", "source", "currency", "effective", "billed",
            "charge_category", "received_ns",
        ],
    )  # fmt: skip
    # 40 decisions on the first day, 60 on the second, and one that no bill covers.
    for day, seconds in ((0, 8), (1, 12), (2, 1)):  # of five decisions each
        write_seconds(client, begins_ns + day * day_ns, seconds, HURT)
    write_seconds(client, begins_ns, 3, HURT, action="calibration")
    rule = config("cost_per_decision", window_length_s=3 * 86_400)
    found = read(store, rule).by_subject
    assert {each.action: (round(one.value, 9), one.count) for each, one in found.items()} == {
        "USD": ((6 + 3 + 1 + 10) / 100, 100), "EUR": (2 / 40, 40),
    }  # fmt: skip
    # What was billed lies days back: that is no silence.
    facts = read(store, rule)
    dollars = first_state("limit", Subject("USD", ""), NOW_NS)
    judged = Threshold(rule).evaluate(facts, dollars)
    assert (judged.seen.status, judged.seen.is_silent) == (Status.OK, False)
    assert judged.reason == (
        "cost_per_decision 0.2 in 3 d of 100 decisions that bills cover, not above 1"
    )
    unbilled = Threshold(rule).evaluate(Readings(moment(), {}), dollars)
    assert (unbilled.seen.status, unbilled.seen.is_silent) == (Status.NO_DATA, False)
    with pytest.raises(ValidationError, match="cost_per_decision needs 86400 or more"):
        config("cost_per_decision", window_length_s=3_600)


def test_figures_of_others_go_on_where_no_decision_comes(store: Connections) -> None:
    """All of them may be what is rejected: windows that end with the last decision see nothing."""
    columns = ["received_ns", "signal", "reason_code", "detail", "item_id", "item_count", "bytes"]
    row = [NOW_NS - 5 * NS_PER_S, "traces", "bad_id", "", "", 7, b""]
    store.client().insert("rejected", [row], column_names=columns)
    stopped = moment(known_ns=NOW_NS, end_ns=NOW_NS - 3_600 * NS_PER_S)
    rule = Threshold(config("rejected"))
    facts = rule.read(AlertReader(store, Calendars(()).budget_factor), stopped, {})
    subject = Subject("bad_id", "")
    assert facts.by_subject[subject].value == 7.0
    seen = rule.evaluate(facts, first_state("limit", subject, NOW_NS - 900 * NS_PER_S)).seen
    assert (seen.status, seen.at_ns) == (Status.BREACHED, NOW_NS)


@pytest.mark.parametrize(
    ("changes", "reading", "status", "reason"),
    [
        pytest.param(
            {"above": 0.1}, Reading(0.2, 100, NOW_NS), Status.BREACHED,
            "late_ratio 0.2 in 5 min of 100 decisions, above 0.1", id="above",
        ),
        pytest.param(
            {"above": 0.2}, Reading(0.2, 100, NOW_NS), Status.OK,
            "late_ratio 0.2 in 5 min of 100 decisions, not above 0.2", id="at the limit",
        ),
        pytest.param(
            {"above": None, "below": 0.5}, Reading(0.2, 100, NOW_NS), Status.BREACHED,
            "late_ratio 0.2 in 5 min of 100 decisions, below 0.5", id="below",
        ),
        pytest.param(
            {"above": 0.1}, Reading(1.0, 19, NOW_NS), Status.NO_DATA,
            "19 decisions in 5 min, fewer than 20", id="too few to say",
        ),
        pytest.param({"above": 0.1}, None, Status.NO_DATA, "no decisions in 5 min", id="none"),
    ],
)  # fmt: skip
def test_status(
    changes: dict[str, object], reading: Reading | None, status: Status, reason: str
) -> None:
    """Each row is one sentence of the specification."""
    facts = Readings(moment(), {} if reading is None else {CHECKOUT: reading})
    state = first_state("limit", CHECKOUT, NOW_NS)

    found = Threshold(config("late_ratio", **changes)).evaluate(facts, state)

    assert (found.seen.status, found.reason) == (status, reason)
    assert found.cost.basis == "unknown"


def known(state: AlertState) -> AlertState:
    """Return the state of a class that is known for as long as a window is."""
    return replace(state, held_ns=300 * NS_PER_S)


def rate(reading: Reading, started_s: float = -900) -> tuple[Status, str]:
    """Return what a rule says of a class that has to decide once in twenty seconds."""
    rule = Threshold(config("decisions_per_s", above=None, below=0.05))
    now = moment(started_ns=NOW_NS + round(started_s * NS_PER_S))
    state = known(first_state("limit", CHECKOUT, NOW_NS))
    found = rule.evaluate(Readings(now, {CHECKOUT: reading}), state)
    return found.seen.status, found.reason


@pytest.mark.parametrize("started_ns", [0, NOW_NS], ids=["a new class", "a first start"])
def test_least_rate_is_judged_once_a_window_is_known(started_ns: int) -> None:
    """Each launch was a page: the window began before the first decision. One window is enough."""
    rule = Threshold(config("decisions_per_s", above=None, below=0.05))
    timing = Timing(for_s=0, keep_firing_s=0, window_s=300)
    state = first_state("limit", CHECKOUT, NOW_NS)
    phases = list[Phase]()
    for passed_s in range(10, 330, 10):
        end_ns = NOW_NS + passed_s * NS_PER_S
        now = moment(known_ns=end_ns, end_ns=end_ns, started_ns=started_ns)
        seen = rule.evaluate(Readings(now, {CHECKOUT: Reading(0.01, 3, end_ns - 1)}), state).seen
        state, _ = advance(state, timing, seen)
        phases.append(state.shown)
    assert phases == [Phase.INACTIVE] * 30 + [Phase.FIRING] * 2


def test_class_that_no_longer_decides_is_below_any_rate() -> None:
    """A region that was gone from one second to the next fell out of the figure, unseen."""
    rule = Threshold(config("decisions_per_s", above=None, below=0.05))
    state = known(first_state("limit", CHECKOUT, NOW_NS - 900 * NS_PER_S))
    now = moment(started_ns=0)
    found = rule.evaluate(Readings(now, {}), state)
    assert (found.seen.status, found.seen.is_silent) == (Status.BREACHED, False)
    assert found.reason == "decisions_per_s 0 /s in 5 min, below 0.05"
    # Where nothing decides at all, nobody knows why: that is what a dead man is for.
    all_gone = moment(started_ns=0, known_ns=now.end_ns + now.nodata_ns + 1)
    assert rule.evaluate(Readings(all_gone, {}), state).seen.is_silent


def test_rate_is_judged_however_few_decided() -> None:
    """That they are few is what it is about: of a ratio alone few say nothing."""
    assert rate(Reading(0.0167, 5, NOW_NS)) == (
        Status.BREACHED, "decisions_per_s 0.0167 /s in 5 min of 5 decisions, below 0.05"
    )  # fmt: skip
    assert rate(Reading(0.06, 18, NOW_NS))[0] is Status.OK


def test_figures_say_what_is_missing_of_them(store: Connections) -> None:
    """A rate that is too low once meant that attribution puts off what it has no time for."""
    now_ns, reader = NOW_NS, AlertReader(store, Calendars(()).budget_factor)
    write_arrived(store.client(), now_ns - 75 * NS_PER_S, 75, HURT)
    write_seconds(store.client(), now_ns - 50 * NS_PER_S, 50, HURT, slow_ms=120)
    state = known(first_state("limit", CHECKOUT, now_ns))

    def found(figure: str, state: AlertState = state, **limit: float | None) -> Evaluation:
        rule = Threshold(config(figure, **limit))
        return rule.evaluate(rule.read(reader, moment(started_ns=0), {}), state)

    rate = found("decisions_per_s", above=None, below=1.0)
    assert rate.seen.status is Status.BREACHED, "nothing was put off: there are no more"
    DeferredArrivals(store).add(now_ns - 80 * NS_PER_S, now_ns - 40 * NS_PER_S, now_ns)
    rate = found("decisions_per_s", above=None, below=1.0)
    assert rate.seen.status is Status.OK
    assert rate.reason == "decisions_per_s 1.25 /s in 5 min of 375 decisions, not below 1", (
        "what arrived is known before it is attributed"
    )
    loss = found("loss_usd_per_h", above=4_499.0)
    assert loss.seen.status is Status.BREACHED, "250 decisions lost $250 of what 375 may"
    assert loss.reason.endswith("; decisions of 100 s of it are not attributed yet")
    assert found("loss_usd_per_h", above=4_501.0).seen.status is Status.OK

    firing = replace(state, phase=Phase.FIRING)
    ends = {limit: found("failed_ratio", firing, above=limit).seen.status for limit in (0.3, 0.35)}
    assert ends == {0.3: Status.NO_DATA, 0.35: Status.OK}, "a third may have failed"
    assert found("loss_usd_per_h", firing, above=9_000.0).seen.status is Status.NO_DATA
    assert found("failed_ratio", above=0.3).seen.status is Status.OK, "it does not fire"


def test_class_of_which_all_is_missing_is_not_gone(store: Connections) -> None:
    """Its rate is known, and nothing else is; nor is it silent."""
    write_arrived(store.client(), NOW_NS - 300 * NS_PER_S, 300, HURT)
    DeferredArrivals(store).add(NOW_NS - 400 * NS_PER_S, NOW_NS, NOW_NS)
    state = first_state("limit", CHECKOUT, NOW_NS - 3_600 * NS_PER_S)
    for figure, status in {
        "decisions_per_s": Status.BREACHED, "loss_usd_per_h": Status.NO_DATA,
        "failed_ratio": Status.NO_DATA, "slow_ratio": Status.NO_DATA,
    }.items():  # fmt: skip
        rule = config(figure, target_ms=100.0 if figure == "slow_ratio" else None)
        found = Threshold(rule).evaluate(read(store, rule), state)
        assert (found.seen.status, found.seen.is_silent) == (status, False), found.reason


def test_rate_is_not_low_because_nobody_was_there_to_receive() -> None:
    """A restart after minutes paged every class."""
    found = rate(Reading(0.01, 3, NOW_NS), started_s=-299)
    assert found == (Status.NO_DATA, "the window begins before this process or its clock did")
    assert rate(Reading(0.01, 3, NOW_NS), started_s=-300)[0] is Status.BREACHED


def test_count_that_has_no_row_is_zero_and_ends_an_alert() -> None:
    """Nothing was rejected: that is known, and no silence."""
    state = first_state("limit", Subject("bad_id", ""), NOW_NS - 900 * NS_PER_S)
    found = Threshold(config("rejected")).evaluate(Readings(moment(), {}), state)
    assert (found.seen.status, found.seen.is_silent) == (Status.OK, False)
    assert found.reason == "rejected 0 in 5 min, not above 1"


@settings(max_examples=examples(60))
@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_is_never_less_of_an_alert(limit: float, one: float, other: float) -> None:
    """Above as below, whatever the figure."""
    low, high = sorted((one, other))
    order = (Status.OK, Status.BREACHED)
    for key, (mild, severe) in {"above": (low, high), "below": (high, low)}.items():
        rule = Threshold(config("loss_usd_per_h", **{"above": None, key: limit}))
        state = first_state("limit", CHECKOUT, NOW_NS)
        mildly, severely = (
            rule.evaluate(Readings(moment(), {CHECKOUT: Reading(v, 50, NOW_NS)}), state).seen.status
            for v in (mild, severe)
        )
        assert order.index(mildly) <= order.index(severely)


def test_settings_name_every_figure_and_refuse_half_a_limit() -> None:
    """A figure that cannot be configured is dead; a rule without a limit never fires."""
    assert set(get_args(ThresholdConfig.model_fields["figure"].annotation)) == set(FIGURES)
    for changes in ({"above": None}, {"below": 1.0}, {"target_ms": 5.0}):
        with pytest.raises(ValidationError, match="rule limit: "):
            config("late_ratio", **changes)
    with pytest.raises(ValidationError, match="target_ms belongs to figure slow_ratio"):
        config("slow_ratio")
    assert isinstance(rule_of(config("rejected")), Threshold)
    assert config("late_ratio", action="a", region="b").named == Subject("a", "b")
    assert config("rejected", action="a", region="b").named is None
    words = Threshold(config("rejected")).wording(Subject("bad_id", ""))
    assert words.subject == "items rejected as bad_id"
    assert Threshold(config("late_ratio")).wording(CHECKOUT).subject == f"decisions of {CHECKOUT}"
