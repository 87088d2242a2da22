"""Every statement, rendered for one machine and for a cluster, is one the engine can parse."""

from __future__ import annotations

import re

import pytest

from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.core.errors import MigrationError
from collector.store.connect import Connections
from collector.store.retention import kept_tables
from collector.store.retention_policy import Hold, ttl_expression
from collector.store.schema.cluster import Rendered, render_migration, sharding_key
from collector.store.schema.migrate import (
    MIGRATIONS_DIR,
    Migration,
    ledger_statements,
    load_migrations,
    load_views,
    migrate,
)
from collector.store.ttl_change import change_statements
from tests.conftest import NOW_NS

CONFIGURED = (
    AttributesConfig(map={"decision.action": "shop's.operation"}),
    DecisionsConfig(match=(DecisionMatch(service="checkout", attributes={"queue": "offers"}),)),
    OutcomesConfig(),
)


def statements(cluster: str) -> list[Migration]:
    """Return everything that a start can send to the store."""
    return [
        *(Migration("ledger", "", text) for text in ledger_statements(cluster, "millworth")),
        *load_migrations(cluster=cluster, database="millworth"),
        *load_views(*CONFIGURED, cluster),
    ]


@pytest.mark.parametrize("cluster", ["", "prod-eu.1"], ids=["one machine", "cluster"])
def test_every_statement_is_parsed_by_the_engine(engine: Connections, cluster: str) -> None:
    """A server and a cluster get texts that no other test sends anywhere."""
    client = engine.client()
    for one in statements(cluster):
        assert "${" not in one.statement, one.name
        tree = client.command(f"EXPLAIN AST {one.statement}")
        assert tree, one.name


def test_change_of_a_ttl_on_a_cluster_is_parsed_by_the_engine(engine: Connections) -> None:
    """What `apply_retention` sends, which is no migration."""
    client = engine.client()
    hold = Hold("h", ("*",), 0, NOW_NS, "why", "ada", 1)
    for table, kept in kept_tables().items():
        ttl = ttl_expression(kept.event, "toIntervalDay(7)", [hold])
        for one in change_statements(table, ttl, "millworth", "prod"):
            assert one.count("ON CLUSTER 'prod'") == 1, one
            assert f"{table}_local" in one
            assert client.command(f"EXPLAIN AST {one}"), one


def test_every_statement_names_the_cluster() -> None:
    """One that did not would change the node that the client happens to speak to."""
    for one in statements("prod"):
        assert one.statement.count("ON CLUSTER 'prod'") == 1, one.name
        engine = re.search(r"ENGINE = (\w+)", one.statement)
        if engine is not None:
            assert engine[1].startswith(("Replicated", "Distributed", "Null")), one.name


def test_what_final_reads_is_placed_by_a_part_of_its_key() -> None:
    """`FINAL` replaces rows within a shard: two versions on two shards would both count."""
    for path in sorted(MIGRATIONS_DIR.glob("*/*.sql")):
        text = path.read_text()
        table = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}", text)
        if table is None or "ReplacingMergeTree" not in text:
            continue
        key = sharding_key(table[1], text)
        order = re.search(r"^ORDER BY (.+)$", text, re.MULTILINE)
        assert order is not None
        columns = set(re.findall(r"\w+", key)) - {"cityHash64"}
        assert columns <= set(re.findall(r"\w+", order[1])), table[1]


def test_views_of_a_shard_read_its_rows_and_write_to_all_shards() -> None:
    """A view over the spread table would see nothing, and one into a local one would not spread."""
    views = {view.name: view.statement for view in load_views(*CONFIGURED, "prod")}
    by_name = {one.name: one.statement for one in load_migrations(cluster="prod", database="m")}

    assert "decisions_mv ON CLUSTER 'prod' TO decisions AS" in views["view decisions_mv"]
    assert "FROM otel_decision_spans\n" in views["view decisions_mv"]
    assert "FROM otel_logs_local" in views["view outcomes_mv"]
    assert "otel_traces_mv ON CLUSTER 'prod' TO otel_traces AS" in views["view otel_traces_mv"]
    assert by_name["otlp/001_create_otel_traces/distributed"] == (
        "CREATE OR REPLACE TABLE otel_traces ON CLUSTER 'prod' AS otel_traces_local\n"
        "ENGINE = Distributed('prod', 'm', 'otel_traces_local', cityHash64(TraceId))"
    )


def test_migration_for_clusters_alone_and_a_later_column() -> None:
    """After an ALTER the spread table is replaced, else readers would not see the column."""
    keys = {"packets": "flow_hash"}
    only = "-- Only: cluster\nSYSTEM RELOAD CONFIG ${on_cluster}"
    alter = "ALTER TABLE packets${local} ${on_cluster} ADD COLUMN IF NOT EXISTS note String"

    assert list(render_migration("0900_a", only, "", "m", {})) == []
    assert list(render_migration("0900_a", only, "prod", "m", {})) == [
        Rendered("0900_a", "-- Only: cluster\nSYSTEM RELOAD CONFIG ON CLUSTER 'prod'", only)
    ]
    assert [r.statement for r in render_migration("0901_b", alter, "prod", "m", keys)] == [
        "ALTER TABLE packets_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS note String",
        "CREATE OR REPLACE TABLE packets ON CLUSTER 'prod' AS packets_local\n"
        "ENGINE = Distributed('prod', 'm', 'packets_local', flow_hash)",
    ]
    assert [r.name for r in render_migration("0901_b", alter, "", "m", {})] == ["0901_b"]


def test_another_name_of_the_cluster_is_no_edit_and_another_key_is() -> None:
    """Rows stay where their key put them; a cluster may be renamed."""
    table = "CREATE TABLE IF NOT EXISTS t${local} ${on_cluster} (a Int8)\nORDER BY a"
    keyed = f"-- Shards by: a\n{table}"

    def identity(text: str, cluster: str) -> str:
        return list(render_migration("0900_t", text, cluster, "m", {}))[1].identity

    assert identity(table, "old") == identity(table, "new")
    assert identity(table, "old") != identity(keyed, "old")


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [("", "prod", "made for one machine; empty"), ("prod", "", "made for a cluster; name it in")],
)
def test_store_of_another_kind_is_refused(
    empty_store: Connections, before: str, after: str, remedy: str
) -> None:
    """Half of the tables would be local and half would not."""
    client = empty_store.client()
    for text in ledger_statements("", ""):
        client.command(text)
    rows = [[m.name, m.sha256, NOW_NS] for m in load_migrations(cluster=before, database="m")]
    client.insert("schema_migrations", rows, column_names=["name", "sha256", "applied_ns"])

    with pytest.raises(MigrationError, match=remedy):
        migrate(client, NOW_NS, cluster=after)
