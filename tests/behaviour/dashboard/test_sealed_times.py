"""Rows that differ pass for earlier ones by what the audit says of the map, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.audit.log import append_audit, check_audit, read_audit
from collector.audit.seal import AuditSeal
from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, load_views
from collector.store.schema.view_times import note_views, view_times
from dashboard.read.sealed.store import SealedStore
from tests.support.builders import decision_span, store_request, trace_request
from tests.support.dashboard.sealed_store import LATER_NS, at, put_in_place

PLAIN = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())
MAPPED = (
    AttributesConfig(map={"decision.value_usd": "shop.value"}),
    DecisionsConfig(),
    OutcomesConfig(),
)


@pytest.fixture
def sealed(store: Connections, tmp_path: Path) -> Connections:
    """Return a store whose audit is sealed, and says since when its views are as they are."""
    store.audit_seal = AuditSeal(tmp_path)
    note_views(store, load_views(*PLAIN), at(0))
    return store


def found(
    store: Connections, names: tuple[AttributesConfig, DecisionsConfig, OutcomesConfig]
) -> tuple[list[tuple[str, bool]], list[str]]:
    """Return each row that differs and whether it passes for earlier; tables without a time."""
    page = SealedStore(store, *names).rows(0, LATER_NS)
    return [(row.kind, row.is_earlier) for row in page.changed], list(page.undated)


def change_a_value(store: Connections) -> None:
    """Store a decision, and change its dollars behind the service's back."""
    store_request(store, trace_request(decision_span()), received_ns=at(1))
    put_in_place(store, "decisions", "toDecimal64(777, 6) AS value_usd", "1")


def set_ledger_ahead(store: Connections) -> None:
    """Write into the ledger that the views got their texts later."""
    store.client().command(
        "INSERT INTO schema_migrations SELECT * REPLACE(applied_ns + 1000000000000 AS applied_ns) "
        "FROM schema_migrations WHERE startsWith(name, 'view ')"
    )


def test_ledger_that_was_set_ahead_hides_no_changed_row(sealed: Connections) -> None:
    """Who had SQL changed dollars, and the ledger, and the row passed for an earlier one."""
    change_a_value(sealed)
    set_ledger_ahead(sealed)
    assert found(sealed, PLAIN) == ([("changed", False)], [])
    note_views(sealed, load_views(*PLAIN), at(3_000))  # a start changes nothing of it
    assert found(sealed, PLAIN) == ([("changed", False)], [])


def test_row_of_the_audit_that_is_gone_hides_no_changed_row(sealed: Connections) -> None:
    """That the audit has no time is said, and that a row of it is gone is found there."""
    change_a_value(sealed)
    set_ledger_ahead(sealed)
    sealed.client().command("DELETE FROM audit WHERE action = 'views_changed'")
    assert found(sealed, PLAIN) == ([("changed", False)], ["decisions", "outcomes"])
    assert check_audit(read_audit(sealed.client()), sealed.audit_seal).broken_seq == 1


def test_row_that_nobody_sealed_is_not_believed(sealed: Connections) -> None:
    """Who has SQL writes a row of the audit too, of whatever says it."""
    change_a_value(sealed)
    (row,) = read_audit(sealed.client())
    for detail in (row.detail.replace(str(at(0)), str(at(3_000))), "1", '{"view decisions_mv": 1}'):
        append_audit(
            sealed.client(), at_ns=at(2), actor="millworth", action="views_changed", detail=detail
        )
    assert found(sealed, PLAIN) == ([("changed", False)], [])


def test_changed_map_is_written_down_once(sealed: Connections) -> None:
    """What was stored before is told apart; a view that stayed as it was keeps its time."""
    store_request(
        sealed,
        trace_request(decision_span(attributes={"shop.value": "9.00"})),
        received_ns=at(1),
    )
    apply_views(sealed.client(), *MAPPED, at(2))
    assert found(sealed, MAPPED)[1] == ["decisions"]  # not written down yet
    for later_s in (5, 6):
        note_views(sealed, load_views(*MAPPED), at(later_s))
    assert found(sealed, MAPPED) == ([("changed", True)], [])
    assert found(sealed, PLAIN)[1] == ["decisions"]  # who reads has other settings
    times = view_times(sealed.client(), load_views(*MAPPED), sealed.audit_seal)
    assert (times["view decisions_mv"], times["view outcomes_mv"]) == (at(2), at(0))
    assert [row.at_ns for row in read_audit(sealed.client())] == [at(0), at(5)]


def test_garbage_in_an_audit_without_a_seal_stops_no_start(store: Connections) -> None:
    """A service that is split has no seal, so that anybody's row is read."""
    note_views(store, load_views(*PLAIN), at(0))
    for detail in ("", "[]", '{"view decisions_mv": [1, "x"]}', '{"view decisions_mv": 5}'):
        append_audit(store.client(), at_ns=at(1), actor="x", action="views_changed", detail=detail)
    note_views(store, load_views(*PLAIN), at(2))
    assert found(store, PLAIN)[1] == []


def test_names_of_a_customer_are_no_parts_of_a_statement(sealed: Connections) -> None:
    """A route may read like a part of one, and its name is put into the texts of views."""
    names = (
        AttributesConfig(map={"decision.value_usd": "shop.${value}"}),
        DecisionsConfig(match=(DecisionMatch(span_name="GET ${tier}", action="buy ${tier}"),)),
        OutcomesConfig(),
    )
    statements = "".join(view.statement for view in load_views(*names))
    assert all(name in statements for name in ("shop.${value}", "GET ${tier}", "buy ${tier}"))
    change_a_value(sealed)
    [(kind, _)], _ = found(sealed, names)
    assert kind == "changed"
