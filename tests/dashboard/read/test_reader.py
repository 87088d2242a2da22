"""The reader over a real store: the values that were written, not only their number."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.core.segments import SEGMENTS
from attribution.jobs.late.deferred import DeferredArrivals
from collector.core.errors import InputError, StoreUnavailableError
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor
from dashboard.read.alerts.listing import listed_alerts, with_exemplars
from dashboard.read.alerts.losses import losses
from dashboard.read.reader import Reader
from dashboard.read.rows import Attributed, Range, Reference
from tests.support.attribution.attribution_job import job
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed, rollup_minutes

HOUR = Range(TODAY_NS - 3600 * NS_PER_S, TODAY_NS + NS_PER_S)
REFERENCE = Reference(80 * NS_PER_MS, {})
PLACE = SEGMENTS.index(("decision", "store"))


def test_revenue_adds_up_cells_and_names_their_basis(reader: Reader) -> None:
    """Money is exact, and says what it is made of."""
    revenue = reader.revenue(HOUR)
    assert (revenue.decisions, revenue.late) == (15, 5)
    assert revenue.value_usd == Decimal("6.300000")
    assert (revenue.loss_usd, revenue.loss_low_usd) == (Decimal("0.25"), Decimal("0.0625"))
    assert revenue.earned_usd == Decimal("6.05")
    assert (revenue.bases, revenue.unknown_amounts) == (["margin"], 0)
    assert revenue.last_ns - revenue.first_ns == 11 * NS_PER_S


def test_revenue_of_silence_is_empty_not_wrong(reader: Reader) -> None:
    """A window without decisions has no first instant, and no basis."""
    revenue = reader.revenue(Range(0, NS_PER_S))
    assert (revenue.decisions, revenue.first_ns, revenue.last_ns, revenue.bases) == (0, 0, 0, [])


def test_sales_of_unknown_amount_earn_what_their_cells_say(own_world: Connections) -> None:
    """Nothing would be a figure: three sales of the last minute, and no rate of their currency."""
    names = [f"u{at}" for at in range(10)]
    spans = [s for at, n in enumerate(names) for s in decision(n, 10_000 * at, 50)]
    put_spans(own_world, spans)
    put_outcomes(own_world, [
        outcome(f"s{n}", decision_id=trace_id(n), margin="4", currency="USD" if at < 7 else "XAU")
        for at, n in enumerate(names)
    ])  # fmt: skip
    job(own_world).drain(BASE_NS + 200 * NS_PER_S)
    reader = Reader(own_world)
    whole = reader.revenue(Range(BASE_NS, BASE_NS + 100 * NS_PER_S))
    last = reader.revenue(Range(BASE_NS + 70 * NS_PER_S, BASE_NS + 100 * NS_PER_S))
    assert (whole.decisions, whole.earned_usd, whole.unknown_amounts) == (10, Decimal(40), 3)
    assert (last.decisions, last.earned_usd, last.bases) == (3, Decimal(12), ["margin"])
    assert last.unknown_amounts == 3
    lost, before = losses(reader, [Range(BASE_NS, BASE_NS + 100 * NS_PER_S), Range(0, 1)])
    # Of its own range, whatever another one on the page rests on.
    assert lost is not None
    assert (lost.decisions, lost.slope_sources, before) == (10, frozenset({"prior"}), None)


def test_sales_of_decisions_that_state_their_value_lack_no_amount(own_world: Connections) -> None:
    """None was ever sent, and no mean stands for it."""
    put_spans(own_world, decision("v", 0, 50, decision__action="v", decision__value_usd="3"))
    put_outcomes(own_world, [outcome("v", decision_id=trace_id("v"))])
    job(own_world).drain(BASE_NS + 100 * NS_PER_S)
    stated = Reader(own_world).revenue(Range(BASE_NS, BASE_NS + NS_PER_S, action="v"))
    assert (stated.earned_usd, stated.bases) == (Decimal(3), ["expected"])
    assert stated.unknown_amounts == 0


@pytest.mark.parametrize("step_ns", [10 * NS_PER_S, NS_PER_MINUTE])
def test_latency_cells_agree_from_decisions_and_from_the_rollup(
    reader: Reader, step_ns: int
) -> None:
    """A change of the window must not change the figures."""
    wide = Range(HOUR.from_ns, HOUR.to_ns + NS_PER_MINUTE, region=REGIONS[1])
    cells = reader.latency_cells(wide, step_ns)
    assert sum(cell.decisions for cell in cells) == 10
    assert {cell.bucket for cell in cells} == {206}  # 2 ** (206 / 8) ns is 56 ms, the next 61 ms


def test_latency_cells_take_the_latest_writing_of_a_minute(own_world: Connections) -> None:
    """A minute is rewritten whole: a bucket that is no longer in it must not linger."""
    reader = Reader(own_world)
    own_world.client().command(
        "INSERT INTO attribution_minutes SELECT intDiv(ingress_ns, 60000000000) * 60000000000,"
        " 2, action, region, '', '', 99, count(), 1 FROM attributions FINAL GROUP BY 1, 3, 4"
    )
    wide = Range(HOUR.from_ns, HOUR.to_ns + NS_PER_MINUTE)
    cells = reader.latency_cells(wide, NS_PER_MINUTE)
    assert {cell.bucket for cell in cells} == {99}
    assert sum(cell.decisions for cell in cells) == 15


def test_means_split_observed_from_what_met_its_target(reader: Reader) -> None:
    """The reference is the path as it is when it is well."""
    observed, reference = reader.segment_means(HOUR), reader.reference_means(HOUR, REFERENCE)
    assert observed is not None
    assert reference is not None
    assert (observed.decisions, reference.decisions) == (15, 10)
    assert reference.segments_ns[PLACE] == 14 * NS_PER_MS
    slow = (sum(range(50, 55)) + 5 * 14) / 5 * NS_PER_MS
    assert observed.segments_ns[PLACE] == pytest.approx((10 * 14 * NS_PER_MS + 5 * slow) / 15)


def test_means_are_of_the_whole_range_and_what_is_a_sample_says_so(own_world: Connections) -> None:
    """Of the newest alone an incident of this morning is not in today's mean, or is its normal."""
    day_ns, many = 86_400 * NS_PER_S, 600_000
    own_world.client().command(
        "INSERT INTO attributions SELECT a.* REPLACE ("
        "toUInt64(ingress_ns - number * {apart:UInt64}) AS ingress_ns,"
        " concat('many-', toString(number)) AS decision_id,"
        " toUInt64(total_ns + number * 50) AS total_ns,"
        " toUInt64(decision_store_ns + number * 50) AS decision_store_ns)"
        " FROM (SELECT * FROM attributions FINAL WHERE decision_id = 'd-0') AS a"
        " CROSS JOIN numbers({many:UInt64}) AS n",
        parameters={"apart": day_ns // many, "many": many},
    )
    rollup_minutes(own_world.client())
    reader = Reader(own_world)
    seen = Range(TODAY_NS - day_ns + 7 * NS_PER_S, TODAY_NS + NS_PER_S)
    asked = (
        "SELECT count(), avg(total_ns), avg(decision_store_ns), avgIf(total_ns, total_ns <= 8e7)"
        " FROM attributions FINAL WHERE ingress_ns >= {from_ns:UInt64}"
    )
    (exact,) = own_world.client().query(asked, {"from_ns": seen.from_ns}).result_rows
    observed, reference = reader.segment_means(seen), reader.reference_means(seen, REFERENCE)
    assert observed is not None
    assert observed.decisions == exact[0]
    assert observed.total_ns == pytest.approx(exact[1])
    assert observed.segments_ns[PLACE] == pytest.approx(exact[2])
    assert observed.sample is None
    assert reference is not None
    assert reference.sample is not None
    read, of_all = reference.sample
    assert of_all == exact[0]
    assert reference.decisions <= read <= of_all // 2 + many // 20
    assert reference.total_ns == pytest.approx(exact[3], rel=0.01)
    rare = reader.reference_means(replace(seen, action=ACTIONS[0], region=REGIONS[0]), REFERENCE)
    assert rare is None, "the five of this region are late; a sample of none is not asked"
    last = replace(seen, from_ns=TODAY_NS - 3600 * NS_PER_S)
    hour = reader.reference_means(last, REFERENCE)
    assert hour is not None
    assert hour.sample is None


def test_reference_of_one_action_holds_for_it_alone(reader: Reader) -> None:
    """A tighter target of an action leaves nothing that met it."""
    tight = Reference(80 * NS_PER_MS, {ACTIONS[0]: 50 * NS_PER_MS})
    assert reader.reference_means(HOUR, tight) is None


def test_alert_is_shown_at_its_last_state_with_the_decision_that_shows_it(reader: Reader) -> None:
    """Of the late decisions the one with packets is the evidence, although another is slower."""
    listed = listed_alerts(reader, HOUR).alerts
    (alert,) = with_exemplars(reader, listed, HOUR, REFERENCE)
    assert (alert.state, alert.seq, alert.severity) == ("firing", 2, "page")
    assert alert.revenue_at_risk_usd_per_h == Decimal("1840.5")
    assert alert.first_ns == TODAY_NS - 30 * NS_PER_S
    assert alert.exemplar == "d-12"


def test_alert_on_a_service_is_shown_by_no_decision(own_world: Connections) -> None:
    """Any decision before a silence would be an arbitrary one."""
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS, 1, "firing", episode_id="silence", action="", region="", basis="unknown")
    seed.insert(own_world.client())
    reader = Reader(own_world)
    found = with_exemplars(reader, listed_alerts(reader, HOUR).alerts, HOUR, REFERENCE)
    assert {alert.episode_id: alert.exemplar for alert in found}["silence"] == ""


def test_a_resolved_alert_leaves_the_page_with_its_window(own_world: Connections) -> None:
    """An open alert stays however old it is; a resolved one goes."""
    reader = Reader(own_world)
    late = Range(TODAY_NS + 10 * NS_PER_S, TODAY_NS + 20 * NS_PER_S)
    assert [alert.state for alert in reader.alerts(late)[0]] == ["firing"]
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS, 3, "resolved")
    seed.insert(own_world.client())
    assert reader.alerts(late) == ([], 0)


def test_long_range_has_the_alerts_of_its_begin(own_world: Connections) -> None:
    """Of 31 days those that ended in the first 24 were left out, and nothing said so."""
    seed, day_ns = Seed(random.Random(0)), 24 * 3_600 * NS_PER_S
    seed.alert(TODAY_NS - 10 * day_ns, 1, "firing", episode_id="old")
    seed.alert(TODAY_NS - 9 * day_ns, 2, "resolved", episode_id="old")
    seed.insert(own_world.client())
    reader = Reader(own_world)
    for days, total in ((31, 2), (8, 1)):
        assert reader.alerts(Range(TODAY_NS - days * day_ns, TODAY_NS))[1] == total


def test_a_decision_is_found_by_its_id_its_trace_and_its_outcome_key(reader: Reader) -> None:
    """An operator has one of the three, and seldom the one that we chose."""
    for wanted in ("d-12", f"{12:032x}", "order-12"):
        assert reader.decision_ids(wanted) == ["d-12"]
    assert reader.decision_ids("nothing") == []


def test_a_decision_reads_back_to_the_nanosecond(reader: Reader) -> None:
    """Parts sum to the whole, stamps are as sent, money is Decimal."""
    facts = reader.decision("d-12")
    assert facts is not None
    split = reader.attribution(facts)
    assert split is not None
    assert facts.ingress_ns == TODAY_NS - 48 * NS_PER_S
    assert sum(split.segments_ns) == split.total_ns == facts.end_ns - facts.ingress_ns
    assert split.segments_ns[PLACE] == (14 + 52) * NS_PER_MS
    assert facts.value_usd == Decimal("0.42")


def test_only_the_spans_of_the_latest_revision_are_shown(own_world: Connections) -> None:
    """A span that a late one displaced is not drawn beside it."""
    reader = Reader(own_world)
    own_world.client().command(
        "INSERT INTO path_columns SELECT * REPLACE (2 AS revision, ['late'] AS span_name,"
        " [0] AS parent, [0] AS offset_ns, [9] AS duration_ns, [1] AS traits, [15] AS span_id,"
        " [0] AS parent_id,"
        " ['edge'] AS service_name, [2] AS marks, [0] AS shift_ns, [0] AS clock_bound_ns,"
        " [9] AS self_ns, [[(1, 10)]] AS sections) FROM path_columns WHERE decision_id = 'd-3'"
    )
    facts = reader.decision("d-3")
    assert facts is not None
    assert [span.span_name for span in reader.path_spans(facts)] == ["late"]


def test_a_trace_reads_back_with_events_and_once_a_span(own_world: Connections) -> None:
    """A sender's retry leaves a row twice; the trace shows the span once."""
    reader = Reader(own_world)
    own_world.client().command(
        f"INSERT INTO otel_traces SELECT * FROM otel_traces WHERE TraceId = '{12:032x}'"
    )
    spans = reader.trace_spans(f"{12:032x}")
    assert [span.name for span in spans] == [
        "POST /decide", "GET identity", "ZRANGE offers", "score offers", "POST /fulfil",
    ]  # fmt: skip
    assert spans[0].attributes["decision.action"] == ACTIONS[0]
    assert spans[0].events[0].at_ns == TODAY_NS - 48 * NS_PER_S + 5
    assert spans[0].events[0].attributes == {"key": "offers"}


def test_trace_that_memory_is_not_enough_for_is_refused_with_the_number(
    own_world: Connections,
) -> None:
    """Three viewers of one of 200,000 spans ended a service of 1 GiB, for everybody."""
    reader, trace = Reader(own_world, spans_max=4), f"{12:032x}"
    facts = reader.decision("d-12")
    assert facts is not None
    for ask in (
        lambda: reader.trace_spans(trace),
        lambda: reader.sent_spans(trace),
        lambda: reader.path_spans(facts),
    ):
        with pytest.raises(InputError, match="more than 4 spans"):
            ask()
    whole = Reader(own_world, spans_max=5)
    assert len(whole.trace_spans(trace)) == len(whole.path_spans(facts)) == 5


def test_evidence_counts_packets_and_moved_spans(reader: Reader) -> None:
    """A figure that rests on moved clocks says so."""
    evidence = reader.evidence(HOUR)
    assert (evidence.packets, evidence.linked_decisions) == (12, 1)
    assert (evidence.spans, evidence.shifted_spans, evidence.shift_max_ns) == (75, 0, 0)


def test_scopes_are_what_had_decisions(reader: Reader) -> None:
    """A picker offers what there is."""
    assert reader.scopes(HOUR.from_ns, HOUR.to_ns) == ([ACTIONS[0]], sorted(REGIONS))


def test_a_store_without_its_tables_is_one_clear_error(empty_store: Connections) -> None:
    """The page shows this line; a traceback helps nobody there."""
    with pytest.raises(StoreUnavailableError, match="revenue_cells"):
        Reader(empty_store).revenue(HOUR)


def test_store_is_complete_to_what_is_attributed_or_to_now(store: Connections) -> None:
    """A service to which nothing is sent is not behind, and one that lags does not say now."""
    reader, now_ns = Reader(store), BASE_NS + 600 * NS_PER_S
    assert reader.attributed(now_ns) == Attributed(0)
    put_spans(store, decision("a", received_s=1))
    write_cursor(store.client(), ATTRIBUTION_CURSOR, BASE_NS + 5 * NS_PER_S)
    assert reader.attributed(now_ns) == Attributed(now_ns)
    put_spans(store, decision("b", received_s=7))
    assert reader.attributed(now_ns) == Attributed(BASE_NS + 5 * NS_PER_S)


def test_clock_that_is_ahead_hides_no_silence(store: Connections) -> None:
    """One sender's tomorrow was the newest decision all day; where there is no other, it is one."""
    columns = ["ingress_ns", "decision_id", "revision", "total_ns"]

    def put(name: str, at_ns: int) -> None:
        store.client().insert("attributions", [[at_ns, name, 1, 1]], column_names=columns)

    now_ns = BASE_NS + 60 * NS_PER_S
    put("ahead", now_ns + 3_600 * NS_PER_S)
    assert Reader(store).attributed(now_ns).newest_ns == now_ns + 3_600 * NS_PER_S
    put("of now", BASE_NS)
    assert Reader(store).attributed(now_ns).newest_ns == BASE_NS


def test_what_was_put_off_is_missing_from_the_ranges_it_lies_in(store: Connections) -> None:
    """Pages say so: what came after it is there, so that it is no lag."""
    put_off = DeferredArrivals(store)
    put_off.add(BASE_NS, BASE_NS + 3 * NS_PER_S, BASE_NS)
    put_off.add(BASE_NS + 10 * NS_PER_S, BASE_NS + 15 * NS_PER_S, BASE_NS)
    write_cursor(store.client(), ATTRIBUTION_CURSOR, BASE_NS + 20 * NS_PER_S)
    now_ns = BASE_NS + 25 * NS_PER_S
    found = Reader(store).attributed(now_ns)
    assert found.until_ns == now_ns
    assert found.missing_ns(0, now_ns) == 8 * NS_PER_S
    assert found.missing_ns(BASE_NS + 2 * NS_PER_S, BASE_NS + 12 * NS_PER_S) == 3 * NS_PER_S
    assert found.missing_ns(BASE_NS + 15 * NS_PER_S, now_ns) == 0
