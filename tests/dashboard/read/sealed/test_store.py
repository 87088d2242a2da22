"""Rows that money is summed from are held against the events that they are made of."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.audit.log import append_audit
from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.core.times import NS_PER_S
from collector.imports.outcomes import import_outcomes
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import event_of
from collector.provenance.export_file import outcome_of
from collector.provenance.verify import Verifier
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, load_views
from collector.store.schema.view_times import note_views
from dashboard.cli.verify.rows import RowsReport
from dashboard.read.sealed.store import _COLUMNS, ChangedRow, SealedStore
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    decision_span,
    logs_request,
    outcome,
    span,
    store_request,
    trace_request,
)
from tests.support.collector.attacks import with_attributes
from tests.support.collector.provenance_scene import Scene, sealed_records, span_of, stripped
from tests.support.collector.provenance_scene import changed as altered
from tests.support.dashboard.sealed_store import LATER_NS, at, put_in_place

# Another value for each type that a column has.
OTHER = {
    "UInt64": "{c} + 1",
    "UInt8": "1 - {c}",
    "String": "concat({c}, 'x')",
    "LowCardinality(String)": "concat({c}, 'x')",
    "Nullable(Decimal(18, 6))": "ifNull({c}, 0) * 10 + 1",
}


def fill(store: Connections, count: int = 3) -> None:
    """Store decisions, a span that is none, and outcomes with an amendment."""
    spans = [decision_span(decision_id=f"d{n}", start_ns=NOW_NS + n) for n in range(count)]
    store_request(store, trace_request(*spans, span(kind="internal")), received_ns=at(1))
    records = [
        outcome(outcome_id=f"o{n}", decision_id=f"d{n}", time_ns=NOW_NS + 10) for n in range(count)
    ]
    store_request(store, logs_request(*records), received_ns=at(1))
    amended = outcome(outcome_id="o0", revenue=Decimal("11.50"), time_ns=NOW_NS + 20)
    store_request(store, logs_request(amended), received_ns=at(2))


def types_of(store: Connections, table: str) -> dict[str, str]:
    """Return the types of a table's columns."""
    sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = "
    return {
        str(name): str(kind) for name, kind in store.client().query(sql + f"'{table}'").result_rows
    }


def count_of(store: Connections, table: str) -> int:
    """Return the rows of a table."""
    return int(store.client().query(f"SELECT count() FROM {table} FINAL").result_rows[0][0])


def changed(store: Connections, sealed: SealedStore | None = None) -> list[ChangedRow]:
    """Return every row that is not as it was sent."""
    sealed = sealed or SealedStore(store)
    found: list[ChangedRow] = []
    next_ns = 0
    while True:
        page = sealed.rows(next_ns, LATER_NS)
        found += page.changed
        next_ns = int(page.next or 0)
        if not next_ns:
            return found


def test_clean_store_has_nothing_to_say(store: Connections) -> None:
    """Retries, amendments, an import, and a row that attribution took away for a retry of it."""
    fill(store)
    first = decision_span(decision_id="d9", start_ns=NOW_NS + 50)
    store_request(store, trace_request(first, first), received_ns=at(4))
    stamps_ns = [NOW_NS + 51 + n for n in range(4)]
    anew = decision_span(
        decision_id="d9",
        start_ns=NOW_NS + 50,
        stamps_ns=stamps_ns,
        trace_id=first.trace_id.hex(),
        span_id=first.span_id.hex(),
    )
    store_request(store, trace_request(anew), received_ns=at(5))
    assert count_of(store, "decisions") == 5
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(at(60))
    assert count_of(store, "decisions") == 4
    csv = b"outcome_id,decision_id,revenue,occurred_at\nc1,d1,3.00,2033-05-18T03:33:20Z\n"
    assert import_outcomes(store.client(), "a.csv", csv, "USD", ManualClock(at(6))).imported == 1
    sealed = SealedStore(store)
    page = sealed.rows(0, LATER_NS)
    assert page.changed == []
    assert sealed.rows(int(page.next), LATER_NS).next == ""
    assert changed(store) == []


def test_roots_that_nobody_declared_accuse_nobody(store: Connections) -> None:
    """They are decisions before one is declared, and spans like others after it."""
    for second, made in enumerate((span(), decision_span(), span()), 1):
        made.trace_id = bytes([second]) * 16
        store_request(store, trace_request(made), received_ns=at(second))
    assert count_of(store, "decisions") == 2
    assert changed(store) == []
    put_in_place(store, "decisions", "'x' AS outcome_key", "startsWith(action, 'auto ')")
    assert [(row.kind, row.columns) for row in changed(store)] == [("changed", ["outcome_key"])]


@pytest.mark.parametrize("table", ["decisions", "outcomes"])
def test_every_column_that_was_changed_is_named(store: Connections, table: str) -> None:
    """Whoever had SQL changed dollars, in 100 of 100 trials, and nothing said so."""
    columns = _COLUMNS[table]
    fill(store, len(columns) + 1)
    types, name = types_of(store, table), "decision_id" if table == "decisions" else "outcome_id"
    letter = "d" if table == "decisions" else "o"
    for number, column in enumerate(columns, 1):
        change = f"{OTHER[types[column]].format(c=column)} AS {column}"
        put_in_place(store, table, change, f"{name} = '{letter}{number}'")
    found = {(row.kind, *row.columns): row for row in changed(store)}
    assert found.keys() >= {("changed", column) for column in columns if column != "event_ns"}
    if (
        table == "outcomes"
    ):  # its time is its revision: a row that nobody sent, and one that is gone
        assert found.keys() - {("changed", column) for column in columns} == {
            ("inserted",),
            ("deleted",),
        }
    assert all(row.table == table and not row.is_earlier for row in found.values())


def test_rows_that_nobody_sent_or_that_are_gone_are_named(store: Connections) -> None:
    """With the ids by which a person finds them; a row that says it came early as well."""
    fill(store)
    client = store.client()
    client.command("DELETE FROM decisions WHERE decision_id = 'd1'")
    client.command("DELETE FROM outcomes WHERE outcome_id = 'o2'")
    client.command(
        "INSERT INTO decisions SELECT * REPLACE('forged' AS decision_id, 'ab' AS root_span_id, "
        "1 AS received_ns) FROM (SELECT * FROM decisions WHERE decision_id = 'd2')"
    )
    client.command(
        "INSERT INTO outcomes SELECT * REPLACE('forged' AS outcome_id, event_ns + 1 AS event_ns) "
        "FROM (SELECT * FROM outcomes WHERE outcome_id = 'o1')"
    )
    found = sorted((row.table, row.kind, row.id, row.is_earlier) for row in changed(store))
    assert found == [
        ("decisions", "deleted", "d1", False),
        ("decisions", "inserted", "forged", False),
        ("outcomes", "deleted", "o2", False),
        ("outcomes", "inserted", "forged", False),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        {"start_ns": "0"},
        {"start_ns": "4000000000000000000"},
        {"received_ns": "9000000000000000000"},
        {"decision_id": "'x'", "start_ns": "0", "root_span_id": "'x'"},
        {"decision_id": "'x'", "ingress_ns": "ingress_ns + 3000000000000", "start_ns": "0"},
    ],
)
def test_row_of_money_hides_in_no_time(store: Connections, hidden: dict[str, str]) -> None:
    """A row that began, or came, when nothing is compared was summed by its ingress."""
    fill(store)
    change = ", ".join(f"{text} AS {name}" for name, text in hidden.items())
    put_in_place(
        store, "decisions", f"{change}, toDecimal64(777, 6) AS value_usd", "decision_id = 'd1'"
    )
    assert {row.kind for row in changed(store)} & {"changed", "inserted"}


def test_outcome_that_says_it_comes_later_is_named(store: Connections) -> None:
    """It was taken for one that is on its way."""
    fill(store)
    change = "'x' AS outcome_id, 9000000000000000000 AS received_ns"
    put_in_place(store, "outcomes", change, "outcome_id = 'o1'")
    assert {(row.kind, row.id) for row in changed(store)} == {("inserted", "x"), ("deleted", "o1")}


def test_early_copy_of_the_event_makes_no_row_an_earlier_one(store: Connections) -> None:
    """Whoever has SQL put a copy of the event where it came before the names were as they are."""
    made = decision_span(start_ns=NOW_NS + 2 * 3_600 * NS_PER_S)
    store_request(store, trace_request(made), received_ns=at(7_201))
    put_in_place(store, "decisions", "toDecimal64(777, 6) AS value_usd", "1")
    client = store.client()
    client.command("CREATE TABLE copied ENGINE = Memory AS SELECT * FROM otel_traces")
    client.command("INSERT INTO otel_traces SELECT * REPLACE(1 AS received_ns) FROM copied")
    page = SealedStore(store).rows(0, at(8_000))
    assert [(row.kind, row.is_earlier) for row in page.changed] == [("changed", False)]


def test_copies_are_of_sealed_decisions_alone(store: Connections, tmp_path: Path) -> None:
    """A trace with 200,000 child spans made an answer of 200,001 items."""
    scene = Scene(store, tmp_path)
    (event,) = scene.producer.seal(1)
    child = span(trace_id=event.fields[0])
    store_request(store, trace_request(span_of(event), child), received_ns=at(1))
    said = SealedStore(store).copies([event.fields[0]])
    assert [each["span_id"] for each in said] == [event.fields[1]]


def test_rows_of_earlier_names_accuse_nobody(store: Connections) -> None:
    """What was stored before a name was mapped, or a rule given, is told apart."""
    store_request(
        store,
        trace_request(
            decision_span(attributes={"shop.value": "9.00"}),
            span(name="checkout", kind="internal"),
        ),
        received_ns=at(1),
    )
    names = AttributesConfig(map={"decision.value_usd": "shop.value"})
    rules = DecisionsConfig(match=(DecisionMatch(span_name="checkout"),))
    apply_views(store.client(), names, rules, OutcomesConfig(), at(2))
    note_views(store, load_views(names, rules, OutcomesConfig()), at(2))
    sealed = SealedStore(store, names, rules)
    assert {(row.kind, *row.columns, row.is_earlier) for row in changed(store, sealed)} == {
        ("changed", "value_usd", True),
        ("deleted", True),
    }
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), at(3))
    assert changed(store) == []


def test_row_that_was_taken_out_of_the_sums_is_told_from_one_that_was_deleted(
    store: Connections, tmp_path: Path
) -> None:
    """Who deletes a row and says that it was withdrawn is found by the verdict that it has not."""
    scene = Scene(store, tmp_path)
    scene.required = True
    scene.restart()
    genuine, forged = scene.producer.seal(2, "10.00")
    changed_span = with_attributes(forged, decision__value_usd="99.00")
    store_request(store, trace_request(span_of(genuine), changed_span), received_ns=at(1))
    assert scene.run(2) == {"ok": 1, "tampered": 1}
    client = store.client()
    client.command(
        "INSERT INTO withdrawals (ingress_ns, decision_id, trace_id, root_span_id, received_ns, "
        "withdrawn_ns, verdict) SELECT ingress_ns, decision_id, trace_id, root_span_id, "
        "received_ns, 1, 'tampered' FROM decisions"
    )
    client.command("DELETE FROM decisions WHERE 1")
    page = SealedStore(store).rows(0, LATER_NS)
    report = RowsReport()
    verifier = Verifier(scene.job._ring.macs)
    said = [event_of(each) for each in SealedStore(store).events(0, 10).items]
    verifier.take(said)
    report.add(asdict(page), verifier.finish())
    assert report.withdrawn == 1
    ((kind, trace_id),) = [(each["kind"], each["trace_id"]) for each in report.changed]
    assert (kind, trace_id) == ("deleted", genuine.fields[0])


def test_outcome_that_was_taken_out_is_told_from_one_that_was_deleted(
    store: Connections, tmp_path: Path
) -> None:
    """Neither a verdict that it has not nor the subject of another excuses a missing row."""
    scene = Scene(store, tmp_path)
    scene.outcomes_required = True
    scene.restart()
    records = sealed_records(closing=False)
    forged = altered(records[1], "outcome.revenue", "99.00")
    bare = stripped(records[2])
    store_request(store, logs_request(records[0], forged, bare, records[3]), received_ns=at(1))
    scene.run(2)
    client = store.client()
    client.command(
        "INSERT INTO withdrawn_outcomes SELECT * REPLACE('order-0' AS outcome_id) FROM "
        "withdrawn_outcomes FINAL WHERE outcome_id = 'order-1' AND is_back = 0"
    )
    client.command(
        "INSERT INTO withdrawn_outcomes (outcome_id, event_ns, received_ns, verdict) SELECT "
        "outcome_id, event_ns, received_ns, 'unsigned' FROM outcomes WHERE outcome_id = 'order-3'"
    )
    client.command("DELETE FROM outcomes WHERE outcome_id IN ('order-0', 'order-3')")
    verifier = Verifier(scene.job._ring.macs)
    sealed = [outcome_of(each) for each in SealedStore(store).outcomes(0, 10).items]
    verifier.take([o.event for o in sealed], [o.form(scene.job._ring.macs) for o in sealed])
    report = RowsReport()
    asked = SealedStore(store, proof=ProvenanceConfig(outcomes_required=True))
    report.add(asdict(asked.rows(0, LATER_NS)), verifier.finish())
    assert report.withdrawn == 2
    assert {(each["kind"], each["id"]) for each in report.changed} == {
        ("deleted", "order-0"),
        ("deleted", "order-3"),
    }


def test_page_of_calibration_alone_skips_nothing(store: Connections) -> None:
    """What is not judged must not fill a page, and hide what came behind it."""
    for number in range(5):
        made = decision_span(action="calibration", start_ns=NOW_NS + number)
        store_request(store, trace_request(made), received_ns=at(1) + number)
    store_request(store, trace_request(decision_span(start_ns=NOW_NS)), received_ns=at(2))
    sealed, next_ns, found = SealedStore(store), 0, []
    while True:
        page = sealed.events(next_ns, 2)
        found += page.items
        next_ns = int(page.next or 0)
        if not next_ns:
            break
    assert [each["decision.action"] for each in found] == ["price"]


def test_what_has_no_seal_was_never_out_of_the_sums_unless_the_settings_asked_for_one(
    store: Connections,
) -> None:
    """Who deletes it and says that it was is found; what the settings were is in the audit."""
    kept = decision_span(decision_id="d2", start_ns=NOW_NS + 9)
    store_request(store, trace_request(decision_span(start_ns=NOW_NS), kept), received_ns=at(1))
    records = [outcome(outcome_id=each, time_ns=NOW_NS) for each in ("o1", "o2")]
    store_request(store, logs_request(*records), received_ns=at(1))
    client = store.client()
    client.command(
        "INSERT INTO withdrawals (ingress_ns, decision_id, trace_id, root_span_id, received_ns, "
        "withdrawn_ns, verdict) SELECT ingress_ns, decision_id, trace_id, root_span_id, "
        "received_ns, 1, 'unsigned' FROM decisions WHERE decision_id != 'd2'"
    )
    client.command(
        "INSERT INTO withdrawn_outcomes (outcome_id, event_ns, received_ns, verdict) SELECT "
        "outcome_id, event_ns, received_ns, 'unsigned' FROM outcomes WHERE outcome_id = 'o1'"
    )
    client.command("DELETE FROM decisions WHERE decision_id != 'd2'")
    client.command("DELETE FROM outcomes WHERE outcome_id = 'o1'")
    tables = ("decisions", "outcomes")
    assert [(each.table, each.kind) for each in changed(store)] == [(t, "deleted") for t in tables]

    names = ("provenance.outcomes_required", "provenance.required")
    for settings in ("no JSON", json.dumps({"settings": dict.fromkeys(names, "true")})):
        append_audit(client, at_ns=1, actor="m", action="configured", detail=settings)
    told = [("decisions", "withdrawn"), ("outcomes", "withdrawn")]
    assert [(each.table, each.kind) for each in changed(store)] == told


def test_copy_without_a_seal_beside_a_genuine_one_may_be_out_of_the_sums(
    store: Connections,
) -> None:
    """Of one decision in two traces the genuine one counts, whatever the settings ask for."""
    copies = [decision_span(decision_id="d1", start_ns=NOW_NS + n) for n in (0, 1000)]
    store_request(store, trace_request(*copies), received_ns=at(1))
    client, first = store.client(), f"ingress_ns < {NOW_NS + 900}"
    client.command(
        "INSERT INTO withdrawals (ingress_ns, decision_id, trace_id, root_span_id, received_ns, "
        "withdrawn_ns, verdict) SELECT ingress_ns, decision_id, trace_id, root_span_id, "
        f"received_ns, 1, 'unsigned' FROM decisions WHERE {first}"
    )
    client.command(f"DELETE FROM decisions WHERE {first}")
    assert [each.kind for each in changed(store)] == ["withdrawn"]


def test_outcomes_of_files_that_nobody_imported_are_counted(store: Connections) -> None:
    """Who writes to the store by SQL can say that a row came from a file, and has no import."""
    fill(store)
    csv = b"outcome_id,decision_id,revenue,occurred_at\nc1,d1,3.00,2033-05-18T03:33:20Z\n"
    assert import_outcomes(store.client(), "a.csv", csv, "USD", ManualClock(at(6))).imported == 1
    detail = "a: 7 imported, 0 refused: 1 imported, 0 refused"
    append_audit(store.client(), at_ns=1, actor="a", action="outcomes_imported", detail=detail)
    # One that was cut off before it was noted, and came again.
    import_outcomes(store.client(), "a.csv", csv, "USD", ManualClock(at(7)))
    assert of_files(store)[2] == 0
    store.client().command(
        "INSERT INTO outcomes SELECT * REPLACE('csv' AS source, event_ns + 1 AS event_ns, "
        "777 AS revenue) FROM outcomes WHERE outcome_id = 'o1'"
    )
    assert of_files(store)[1:] == (1, 1)


def of_files(store: Connections) -> tuple[int, int, int]:
    """Return outcomes of files, those in place of sent ones, and those that nobody imported."""
    sealed, report, pages = SealedStore(store), RowsReport(), [""]
    while pages[-1] or len(pages) == 1:
        page = sealed.rows(int(pages[-1] or 0), LATER_NS)
        report.add(asdict(page), Verifier({}).finish())
        pages.append(page.next)
    return report.imported, report.replaced, report.unaudited
