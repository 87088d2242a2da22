"""A store that the previous release wrote is brought to this program's schema, its rows unchanged.

The release's last migration is the number in `tests/data/release_0050`; its views are kept there,
and its migrations are those of this program up to that number, because none is ever edited.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

from collector.audit.log import append_audit, check_audit, read_audit
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.otlp.check import Signal
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from collector.store.retention import apply_retention, read_retention
from collector.store.retention_policy import RetentionConfig
from collector.store.schema.migrate import (
    MIGRATIONS_DIR,
    apply_views,
    load_migrations,
    migrate,
    pending_statements,
    render_view,
)
from collector.wal.frames import encode_frame
from collector.write.insert_target import insert_settings
from tests.conftest import NOW_NS
from tests.support.builders import (
    decision_span,
    logs_request,
    metrics_request,
    outcome,
    span,
    store_request,
    trace_request,
)
from tests.support.tree import ROOT

RELEASE = ROOT / "tests" / "data" / "release_0050"
GIVEN = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())


def write_as_the_release(store: Connections, directory: Path) -> None:
    """Make the tables and views of the release, and rows in them through its own views."""
    for path in sorted(MIGRATIONS_DIR.glob("[0-9]*.sql")):
        if path.stem <= "0050_create_path_columns":
            shutil.copy(path, directory)
    client = store.client()
    migrate(client, NOW_NS, directory=directory)
    for path in sorted((RELEASE / "views").glob("*.txt")):
        client.command(render_view(path.read_text(), *GIVEN))
        ledger = [[f"view {path.stem}", "as the release wrote it", NOW_NS]]
        client.insert("schema_migrations", ledger, ["name", "sha256", "applied_ns"])
    gauge = metrics_request()
    metric = gauge.resource_metrics[0].scope_metrics.add().metrics.add(name="stock")
    metric.gauge.data_points.add(time_unix_nano=NOW_NS, as_double=2.5)
    late = decision_span(stamps_ns=[NOW_NS + 10**12])
    # By the one way in that the release had for spans.
    spans = trace_request(decision_span(decision_id="d-1"), span(), late)
    frame = encode_frame(spans.SerializeToString(), NOW_NS, 3)
    client.raw_insert(
        "otlp_traces_in",
        insert_block=frame,
        fmt="Protobuf",
        settings=insert_settings(Signal.TRACES),
    )
    store_request(store, logs_request(outcome(outcome_id="o-1", revenue=Decimal("12.50"))))
    store_request(store, gauge)
    write_cursor(client, "attribution", NOW_NS - 5)
    append_audit(client, at_ns=NOW_NS, actor="ada", action="alert_acknowledged", detail="{}")
    for table in ("packets", "flows", "attributions", "path_spans", "alert_events"):
        fill_one_row(store, table)


def fill_one_row(store: Connections, table: str) -> None:
    """Insert a row with a value of its own in every column of a number."""
    client = store.client()
    columns = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = "
        "{table:String} AND default_kind = '' AND match(type, '^UInt(8|16|32|64)$')",
        parameters={"table": table},
    ).result_rows
    names = [name for (name,) in columns]
    # Times end in _ns; what lies in the past is dropped by the TTL.
    row = [NOW_NS + n if name.endswith("_ns") else n + 1 for n, name in enumerate(names)]
    row = [0 if name == "is_deleted" else value for name, value in zip(names, row, strict=True)]
    client.insert(table, [row], column_names=names)


def everything(store: Connections, columns: dict[str, list[str]]) -> dict[str, list[Any]]:
    """Return the rows of some columns of each table."""
    client = store.client()
    return {
        table: list(
            client.query(
                f"SELECT {', '.join(f'`{name}`' for name in names)} FROM {table} ORDER BY ALL"
            ).result_rows
        )
        for table, names in columns.items()
    }


def columns_of_tables(store: Connections) -> dict[str, list[str]]:
    """Return the columns of every table that holds rows, the ledger left out."""
    rows = store.client().query(
        "SELECT table, groupArray(c.name) FROM system.columns AS c JOIN system.tables AS t"
        " ON t.database = c.database AND t.name = c.table"
        " WHERE c.database = currentDatabase() AND t.total_rows > 0"
        " AND t.name != 'schema_migrations' GROUP BY table"
    )
    return {str(table): list(names) for table, names in rows.result_rows}


def test_store_of_the_release_is_upgraded_with_its_rows(
    empty_store: Connections, tmp_path: Path
) -> None:
    """Whatever a release wrote is read by the next one, value by value; new rows come beside it."""
    write_as_the_release(empty_store, tmp_path)
    client = empty_store.client()
    columns = columns_of_tables(empty_store)
    before = everything(empty_store, columns)
    expected = {"otel_traces", "otel_logs", "otel_metrics_gauge", "decisions", "outcomes", "audit",
                "rejected", "job_cursors", "packets", "flows", "attributions", "path_spans",
                "alert_events", "otel_traces_trace_id_ts"}  # fmt: skip
    assert set(columns) == expected

    pending = [one.name for one in pending_statements(client, *GIVEN)]
    applied = migrate(client, NOW_NS + 1) + [
        f"view {name}" for name in apply_views(client, *GIVEN, NOW_NS + 1)
    ]
    apply_retention(client, RetentionConfig())

    assert applied == pending
    assert [name for name in applied if name <= "0050_z"] == []
    assert everything(empty_store, columns) == before
    assert pending_statements(client, *GIVEN) == []
    ledger = client.query("SELECT DISTINCT name FROM schema_migrations").result_rows
    assert {m.name for m in load_migrations()} <= {name for (name,) in ledger}
    assert not [t.problems for t in read_retention(client, RetentionConfig(), NOW_NS) if t.problems]
    assert read_cursor(client, "attribution") == NOW_NS - 5
    append_audit(client, at_ns=NOW_NS, actor="bob", action="x", detail="{}")
    assert check_audit(read_audit(client)).broken_seq is None

    store_request(empty_store, trace_request(decision_span(decision_id="d-2")))
    rows = client.query("SELECT decision_id FROM decisions FINAL ORDER BY 1").result_rows
    assert rows == [("d-1",), ("d-2",)]
