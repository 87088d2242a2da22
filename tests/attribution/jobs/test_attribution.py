from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from attribution.core.segments import SEGMENTS
from attribution.jobs.report import AttributionReport
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.stored import (
    MS,
    Stored,
    attributions,
    cells,
    decision,
    put_outcome,
    put_spans,
    rows,
    span_id,
    trace_id,
)

# What a decision that is 20 ms late keeps of its value, at the prior.
KEPT = round(0.995**0.2, 9)


def test_decision_is_split_by_stage_and_class(store: Connections) -> None:
    """From stored spans to sixteen parts that sum to the latency."""
    stamps = {
        "decision__ts__ingress": str(at(-0.005)),
        "decision__ts__transform": str(at(0.010)),
        "decision__ts__decision": str(at(0.040)),
        "decision__ts__egress": str(at(0.060)),
    }
    put_spans(store, decision("a", 0, 100, 1.0, **stamps))
    report = job(store).run_once(at(10))
    assert (report.attributed, report.spans, report.minutes_rewritten) == (1, 3, 1)

    (row,) = attributions(store)
    assert row["total_ns"] == 105 * MS
    assert row["parts"] == {
        "ingress/untraced": 5, "ingress/compute": 10, "transform/store": 20,
        "transform/compute": 10, "decision/network": 20, "egress/network": 10,
        "egress/compute": 30,
    }  # fmt: skip
    assert (row["revision"], row["span_count"], row["is_error"]) == (1, 3, 0)
    assert row["flags"] == ["opaque_peer"]
    assert (row["action"], row["region"], row["trace_id"]) == ("offer", "eu", trace_id("a"))


def test_path_spans_hold_what_the_waterfall_shows(store: Connections) -> None:
    """Times as sent, and beside them where each span was on the critical path."""
    put_spans(store, decision())
    put_spans(store, [Stored("lost", "gone", 15, 5)])
    job(store).run_once(at(10))
    by_id = {row["span_id"]: row for row in rows(store, "SELECT * FROM path_spans")}
    root, get, lost = (by_id[span_id(name)] for name in ("root", "get", "lost"))
    assert root["sections"] == [
        (at(0), at(0.010)), (at(0.030), at(0.040)), (at(0.070), at(0.100)),
    ]  # fmt: skip
    assert (root["parent_span_id"], root["self_ns"], root["span_kind"]) == ("", 50 * MS, "Server")
    assert (get["stage"], get["class"], get["on_path"]) == ("decision", "store", 1)
    assert (get["start_ns"], get["duration_ns"], get["shift_ns"]) == (at(0.010), 20 * MS, 0)
    assert (lost["parent_span_id"], lost["on_path"]) == (span_id("root"), 0)
    assert (lost["self_ns"], lost["sections"]) == (0, [])


def test_decision_waits_until_its_spans_have_settled(store: Connections) -> None:
    """A decision attributed too early would be revised at once."""
    put_spans(store, decision(received_s=1))
    running = job(store)
    assert running.run_once(at(5.9)).attributed == 0
    assert running.run_once(at(6.1)).attributed == 1
    put_spans(store, decision("b", 50, received_s=8))
    assert running.drain(at(8)).attributed == 1


def test_rerun_over_the_same_window_changes_nothing(store: Connections) -> None:
    """By the same process, and by one that was restarted."""
    put_spans(store, decision() + decision("b", 400))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="4")
    running = job(store)
    running.run_once(at(10))
    before = everything(store)
    again = running.run_once(at(11))
    assert again == AttributionReport(cursor_ns=at(6))
    restarted = job(store).run_once(at(12))
    assert (restarted.attributed, restarted.revised, restarted.unchanged) == (0, 0, 2)
    assert restarted.cells_rewritten == 0
    assert everything(store) == before


def test_late_span_gives_revision_two(store: Connections) -> None:
    """The result, its minute and its spans are as if the span had come in time."""
    put_spans(store, decision())
    running = job(store)
    running.run_once(at(10))
    put_spans(store, [Stored("late", "root", 75, 20, "Client", received_s=20,
                             attributes={"db.system": "mysql"})])  # fmt: skip
    report = running.run_once(at(30))
    assert (report.attributed, report.revised) == (0, 1)

    (row,) = attributions(store)
    assert (row["revision"], row["span_count"]) == (2, 4)
    assert row["parts"] == {"decision/network": 30, "decision/compute": 30, "decision/store": 40}
    assert {row["revision"] for row in rows(store, "SELECT * FROM path_spans")} == {2}
    assert everything(store) == computed_afresh(store, 30)


def test_span_inserted_long_after_its_receipt_is_found(store: Connections) -> None:
    """Within the overlap by itself; after that, if the caller says how far the store has come."""
    put_spans(store, decision(received_s=1))
    running = job(store)
    running.run_once(at(20))
    put_spans(store, decision("b", 100, received_s=2))
    assert running.run_once(at(22)).attributed == 1
    assert running.run_once(at(500), stored_ns=at(22)).cursor_ns == at(22)
    put_spans(store, decision("c", 2_500, received_s=23))
    assert running.run_once(at(501), stored_ns=at(501)).attributed == 1


@pytest.mark.parametrize("table", ["decisions", "otel_traces_trace_id_ts"])
def test_decision_whose_insert_is_half_seen_is_found_by_the_next_run(
    store: Connections, table: str
) -> None:
    """An insert reaches one table after the other, and a run may come in between."""
    put_spans(store, decision())
    client = store.client()
    late = client.query_arrow(f"SELECT * FROM {table}")
    client.command(f"TRUNCATE TABLE {table}")
    running = job(store)
    assert running.run_once(at(10)).attributed == 0

    client.insert_arrow(table, late)

    assert running.run_once(at(12)).attributed == 1
    assert everything(store) == computed_afresh(store, 12)


def test_backlog_is_worked_off_in_steps(store: Connections) -> None:
    """Hours of spans are not read at once, and none is left out."""
    for minute in range(0, 40, 8):
        put_spans(store, decision(str(minute), minute * 60_000, received_s=minute * 60 + 1))
    assert job(store).drain(at(3_000)).attributed == 5


def test_a_year_in_which_nothing_came_is_passed_over(store: Connections) -> None:
    """Half a million steps of a minute would take hours."""
    year_s = 365 * 86_400
    put_spans(store, decision("a"))
    put_spans(store, decision("b", year_s * 1e3, received_s=year_s + 1.0))
    running = job(store)
    assert running.drain(at(10)).attributed == 1
    done = running.drain(at(2 * year_s))
    assert (done.attributed, done.cursor_ns) == (1, at(2 * year_s))
    put_spans(store, decision("c", 2 * year_s * 1e3 - 1_000, received_s=2 * year_s - 0.5))
    assert running.drain(at(2 * year_s + 1)).attributed == 1


def test_nothing_received_is_no_error(store: Connections) -> None:
    """A fresh service runs the job before the first span."""
    assert job(store).run_once(at(10)).attributed == 0
    put_spans(store, decision(received_s=11))
    assert job(store).run_once(at(30)).attributed == 1


def test_names_of_a_customer_are_read_after_ours(store: Connections) -> None:
    """Stages and classes under their own names need no change to any service."""
    names = AttributesConfig(map={"latency.class": "shop.tier", "decision.stage": "shop.step"})
    apply_views(store.client(), names, DecisionsConfig(), OutcomesConfig(), at(0))
    put_spans(store, [
        *decision(),
        Stored("own", "root", 75, 20, attributes={"shop.tier": "store", "shop.step": "egress"}),
    ])  # fmt: skip
    job(store, latency__class="shop.tier", decision__stage="shop.step").run_once(at(10))
    (row,) = attributions(store)
    assert row["parts"]["egress/store"] == 20


def test_minutes_equal_a_recount_of_the_attributions(store: Connections) -> None:
    """Rollups follow from the rows, bucket by bucket, after a revision too."""
    put_spans(store, [s for i in range(30) for s in decision(f"t{i}", i * 5_000, 60 + 7 * i)])
    running = job(store)
    running.run_once(at(10))
    put_spans(store, [Stored("late", "root", 5_075, 9, trace="t1", received_s=20)])
    running.run_once(at(30))

    counted: Counter[tuple[Any, ...]] = Counter()
    summed: Counter[tuple[Any, ...]] = Counter()
    for row in rows(store, "SELECT * FROM attributions FINAL"):
        minute = row["ingress_ns"] // NS_PER_MINUTE * NS_PER_MINUTE
        parts = [("", "", row["total_ns"])] + [(s, c, row[f"{s}_{c}_ns"]) for s, c in SEGMENTS]
        for stage, latency_class, ns in parts:
            bucket = math.floor(8 * math.log2(ns)) if ns else 0
            counted[minute, row["action"], row["region"], stage, latency_class, bucket] += 1
            summed[minute, row["action"], row["region"], stage, latency_class, bucket] += ns
    stored = everything(store)["minutes"]
    keys = [tuple(list(row.values())[:6]) for row in stored]
    assert dict(zip(keys, [row["decisions"] for row in stored], strict=True)) == dict(counted)
    assert dict(zip(keys, [row["sum_ns"] for row in stored], strict=True)) == dict(summed)


def test_cell_by_hand(store: Connections) -> None:
    """100 ms where 80 were allowed, 50 ms in time: they earned 8 dollars, of what 1 + 0.995 ^ 0.2
    sound ones would have.
    """
    put_spans(store, decision() + decision("b", 200, 50))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="4", revenue="20")
    put_outcome(store, "o2", decision_id=trace_id("b"), margin="4", revenue="10")
    job(store).run_once(at(10))
    (cell,) = cells(store)
    assert cell["second_ns"] == at(0)
    assert (cell["decisions"], cell["late"], cell["failed"], cell["unvalued"]) == (2, 1, 0, 0)
    each = 8 / (1 + KEPT)
    assert (cell["basis"], cell["value_usd"]) == ("margin", round(Decimal(2 * each), 6))
    assert cell["value_usd"] - cell["loss_usd"] == Decimal(8)
    assert (cell["known"], cell["kept_ppb"]) == (2, round((1 + KEPT) * 1e9))
    # Slopes of 0.15 and 1.7 %; two sales of one second, which may be one, and a second one that
    # is twice as large.
    for end, per_100ms, of_value in (("low", 0.9985, 0.039514), ("high", 0.983, 7.3318)):
        by_slope, by_sales = math.log((1 - per_100ms**0.2) / (1 - KEPT)), math.log(of_value)
        factor = math.exp(math.copysign(math.hypot(by_slope, by_sales), by_sales))
        lost = pytest.approx(each * (1 - KEPT) * factor, rel=1e-4, abs=1e-6)
        assert float(cell[f"loss_{end}_usd"]) == lost
    assert cell["slope_source"] == "prior"
    assert (cell["margin_usd"], cell["revenue_usd"]) == (Decimal("8"), Decimal("30"))


AMENDMENTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "the same again counts once": ({"margin": "4"}, "4"),
    "a later revision counts": ({"margin": "9", "event_s": 3}, "9"),
    "an older revision does not": ({"margin": "9", "event_s": 1}, "4"),
    "a refund under the same id": ({"margin": "-4", "event_s": 3, "kind": "refund"}, "0"),
    "another currency is unknown": ({"margin": "9", "event_s": 3, "currency": "EUR"}, None),
    "no margin is unknown, not zero": ({"event_s": 3}, None),
}


def test_outcome_is_amended_by_its_id(store: Connections) -> None:
    """The latest revision of an id counts, once, and cells follow."""
    for case in AMENDMENTS:
        put_spans(store, decision(case[:12], decision__action=case))
        put_outcome(store, case, decision_id=trace_id(case[:12]), margin="4")
    running = job(store)
    running.run_once(at(7))
    assert {cell["value_usd"] - cell["loss_usd"] for cell in cells(store)} == {Decimal(4)}
    for case, (second, _) in AMENDMENTS.items():
        put_outcome(store, case, decision_id=trace_id(case[:12]), received_s=8, **second)
    running.run_once(at(10))
    found = {
        cell["action"]: None
        if cell["basis"] == "unknown"
        else str((cell["value_usd"] - cell["loss_usd"]).normalize())
        for cell in cells(store)
    }
    assert found == {case: expected for case, (_, expected) in AMENDMENTS.items()}
    assert everything(store)["cells"] == computed_afresh(store, 10)["cells"]


def test_late_outcome_revalues_its_second_and_those_after(store: Connections) -> None:
    """Dollars are as if the outcome had come in time, to the millionth."""
    put_spans(
        store,
        [s for i in range(12) for s in decision(f"t{i}", i * 700, 90 + i, received_s=i)],
    )
    put_outcome(store, "o2", decision_id=trace_id("t2"), margin="7.5")
    running = job(store)
    running.run_once(at(20))
    assert [cell["basis"] for cell in cells(store)][:2] == ["unknown", "margin"]
    put_outcome(store, "o0", decision_id=trace_id("t0"), margin="1.25", received_s=100)
    report = running.run_once(at(101))
    assert report.cells_rewritten == len(cells(store)) == 8
    assert [cell["basis"] for cell in cells(store)][:2] == ["margin", "margin"]
    assert everything(store) == computed_afresh(store, 200)


def test_outcome_finds_its_decision_by_key(store: Connections) -> None:
    """An order id that two decisions carry belongs to the last that began before it."""
    put_spans(
        store,
        decision("a", 0, outcome__key="order-7") + decision("b", 1_500, outcome__key="order-7"),
    )
    put_outcome(store, "o1", key="order-7", margin="6", event_s=3)
    put_outcome(store, "o2", key="order-8", margin="1", event_s=3)
    job(store).run_once(at(10))
    first, second = cells(store)
    assert [(cell["second_ns"], cell["converted"]) for cell in (first, second)] == [
        (at(0), 0),
        (at(1), 1),
    ]
    assert second["value_usd"] - second["loss_usd"] == Decimal("3")  # one of two sold for 6


def test_stated_value_is_used_and_named(store: Connections) -> None:
    """Before an outcome is known the sender's expectation counts; a fast error loses it all."""
    put_spans(store, decision(decision__value_usd="2.5") + decision("b", 200))
    failed = {"decision.action": "offer", "decision.value_usd": "3"}
    put_spans(
        store,
        [Stored("root", "", 0, 20, "Server", "c", attributes=failed, status="Error")],
    )
    job(store).run_once(at(10))
    lost, cell = cells(store)
    assert (cell["basis"], cell["value_usd"], cell["unvalued"]) == ("expected", Decimal("2.5"), 1)
    assert (lost["failed"], lost["loss_usd"], lost["loss_low_usd"]) == (1, Decimal(3), Decimal(3))
    assert [row["is_error"] for row in attributions(store)] == [0, 1, 0]


def test_run_that_failed_is_made_up_for(store: Connections) -> None:
    """A store that fails half-way loses nothing: the next run looks at the same rows again."""
    put_spans(store, decision())
    running = job(store)
    store.client().command("RENAME TABLE attributions TO away")
    with pytest.raises(DatabaseError):
        running.run_once(at(10))
    store.client().command("RENAME TABLE away TO attributions")
    assert running.run_once(at(11)).attributed == 1


def test_large_amounts_stop_nothing(store: Connections) -> None:
    """What a decision earned beyond any column is unknown; the decisions after it are valued."""
    put_spans(store, decision("a", decision__value_usd="7"))
    for number in range(10):
        put_outcome(store, f"b{number}", decision_id=trace_id("a"), margin="1",
                    revenue="999999999999.999999")  # fmt: skip
    running = job(store)
    running.run_once(at(10))
    put_spans(store, decision("b", 3_000, received_s=11))
    put_outcome(store, "good", decision_id=trace_id("b"), margin="2", revenue="5", received_s=12)
    running.run_once(at(20))

    first, second = cells(store)
    assert (first["converted"], first["margins"], first["revenues"]) == (1, 1, 0)
    assert (first["margin_usd"], first["revenue_usd"]) == (Decimal(10), Decimal(0))
    assert (second["revenues"], second["revenue_usd"]) == (1, Decimal(5))
    earned = [cell["value_usd"] - cell["loss_usd"] for cell in (first, second)]
    assert earned == [Decimal(10), Decimal(6)]


def test_sums_of_a_window_beyond_64_bits_are_valued(store: Connections) -> None:
    """Twelve seconds of 800 billion each are stored, and the thirteenth is read with them."""
    put_spans(store, [span for n in range(13) for span in decision(f"d{n}", 1_000 * n)])
    for number in range(13):
        put_outcome(store, f"o{number}", decision_id=trace_id(f"d{number}"), margin="800000000000")
    running = job(store)
    running.run_once(at(15))
    for row in cells(store):
        assert abs(row["value_usd"] - row["loss_usd"] - 800_000_000_000) < Decimal(100)
    put_outcome(store, "o12", decision_id=trace_id("d12"), margin="3", event_s=3, received_s=16)
    running.run_once(at(30))
    # The mean of twelve such and one of 3 USD, as exact as a float is.
    expected = (12 * Decimal(800_000_000_000) + 3) / 13
    last = cells(store)[12]
    assert abs(last["value_usd"] - last["loss_usd"] - expected) < Decimal(100)


def test_two_jobs_at_once_count_no_decision_twice(store: Connections) -> None:
    """As where a second `attribute` is started by mistake, or the old one ends after the new."""
    put_spans(store, decision("z"))
    first, second = job(store), job(store)
    for each in (first, second):
        each.run_once(at(10))
    for number, name in enumerate(["a", "b", "c"]):
        put_spans(store, decision(name, received_s=12 + 10 * number))
        for each in (first, second, first) if number == 1 else (second, first):
            each.run_once(at(20 + 10 * number))
    assert everything(store) == computed_afresh(store, 60)
