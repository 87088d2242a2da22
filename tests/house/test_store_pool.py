"""The pool of stores: a test finds nothing of the one before it, and knows nothing of it."""

from __future__ import annotations

import pytest

from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from collector.store.schema.migrate import apply_views
from tests.conftest import NOW_NS, StorePool
from tests.support.builders import decision_span, store_request, trace_request


def row_counts(store: Connections) -> dict[str, int]:
    """Return the rows of every table that has some, apart from the ledger."""
    rows = store.client().query(
        "SELECT name, total_rows FROM system.tables WHERE database = currentDatabase()"
        " AND total_rows > 0 AND name != 'schema_migrations'"
    )
    return {str(name): int(count) for name, count in rows.result_rows}


@pytest.mark.parametrize("is_merged", [False, True])
def test_token_of_an_earlier_test_is_forgotten(pool: StorePool, is_merged: bool) -> None:
    """Else the same request in a second test would be stored nowhere, and no error says so."""
    store = pool.take()
    request = trace_request(decision_span())
    store_request(store, request, token="one")
    write_cursor(store.client(), "job", NOW_NS)
    first = row_counts(store)
    if is_merged:
        store_request(store, trace_request(decision_span()), token="two")
        for table in ("otel_traces", "otel_traces_trace_id_ts", "decisions"):
            store.client().command(f"OPTIMIZE TABLE {table} FINAL")
    pool.give_back(store)

    again = pool.take()
    assert again.config.database == store.config.database
    assert row_counts(again) == {}
    assert read_cursor(again.client(), "job") == 0
    store_request(again, request, token="one")
    write_cursor(again.client(), "job", NOW_NS)
    assert row_counts(again) == first
    pool.give_back(again)


@pytest.mark.parametrize("change", ["view", "column", "ledger"])
def test_store_that_a_test_changed_is_not_used_again(pool: StorePool, change: str) -> None:
    """The next test would run on another schema than the program has."""
    store = pool.take()
    client = store.client()
    if change == "view":
        rule = DecisionsConfig(match=(DecisionMatch(span_name="GET /price"),))
        apply_views(client, AttributesConfig(), rule, OutcomesConfig(), NOW_NS + 1)
    elif change == "column":
        client.command("ALTER TABLE packets ADD COLUMN note String")
    else:
        client.command("TRUNCATE TABLE schema_migrations")
    pool.give_back(store)

    another = pool.take()
    assert another.config.database != store.config.database
    pool.give_back(another)


def test_setting_of_an_earlier_test_is_forgotten(pool: StorePool) -> None:
    """`SET` holds as long as the connection does."""
    store = pool.take()
    store.client().command("SET max_block_size = 7")
    pool.give_back(store)

    again = pool.take()
    ((block_size,),) = again.client().query("SELECT getSetting('max_block_size')").result_rows
    pool.give_back(again)
    assert block_size > 7
