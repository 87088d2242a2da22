"""Pure: one text of a statement, rendered for one machine or for a cluster.

A migration says `name${local} ${on_cluster}` and `ENGINE = ${replicated}MergeTree`. On one machine
all three are empty. On a cluster the table becomes `name_local`, replicated, and a `Distributed`
table takes its name, so that whoever reads or inserts by name reaches every shard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.core.sql import fill_some

CLUSTER_ONLY: Final = "-- Only: cluster"
DISTRIBUTED: Final = "/distributed"  # ends the ledger's name of a table that spans the shards

# What shares a shard. A table that FINAL reads has to shard by a part of its sorting key, because
# FINAL replaces rows within one shard only; a test holds that. Whatever is not named here shards
# by its whole sorting key, which is right and keeps nothing together.
_SHARDED_BY: Final = {
    "otel_traces": "cityHash64(TraceId)",
    "otel_traces_trace_id_ts": "cityHash64(TraceId)",
    "otel_span_skeletons": "cityHash64(trace_id)",
    "otel_logs": "cityHash64(TraceId)",
    "decisions": "cityHash64(decision_id)",
    "attributions": "cityHash64(decision_id)",
    "attribution_revisions": "cityHash64(decision_id)",
    "path_columns": "cityHash64(decision_id)",
    "span_flows": "cityHash64(trace_id)",
    "packets": "flow_hash",
    "flows": "flow_hash",
    "outcomes": "cityHash64(outcome_id)",
}

_LOCAL_TABLE = re.compile(
    r"^(?P<verb>CREATE TABLE IF NOT EXISTS|ALTER TABLE) (?P<name>\w+)\$\{local\}", re.MULTILINE
)
_SHARDS_BY = re.compile(r"^-- Shards by: (?P<key>.+)$", re.MULTILINE)
_ORDER_BY = re.compile(r"^ORDER BY (?P<key>.+)$", re.MULTILINE)
# One node remembers this many inserts; a replicated table forgets them after an hour as well,
# which is shorter than an outage that ends with the same bytes sent again.
_WINDOW: Final = "non_replicated_deduplication_window = 10000"
_REPLICATED_WINDOW: Final = (
    "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800"
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A statement that is sent, and what the ledger keeps of it."""

    name: str
    statement: str
    identity: str  # text whose change means that the statement was edited


def render(text: str, cluster: str) -> str:
    """Put a cluster's name, or nothing, into the placeholders of a statement."""
    if not cluster:
        return _put(text, on_cluster="", replicated="", local="")
    text = text.replace(_WINDOW, _REPLICATED_WINDOW)
    return _put(text, on_cluster=_on(cluster), replicated="Replicated", local="_local")


def render_migration(
    name: str, text: str, cluster: str, database: str, keys: dict[str, str]
) -> Iterator[Rendered]:
    """Yield what one migration is for a target: nothing, one statement or two.

    Args:
        cluster: empty for one machine.
        database: where the tables of a cluster are.
        keys: sharding key of each table so far, which a `CREATE` adds to and an `ALTER` asks.
    """
    if not cluster:
        if not text.startswith(CLUSTER_ONLY):
            yield Rendered(name, render(text, ""), text)
        return
    yield Rendered(name, render(text, cluster), text)
    table = _LOCAL_TABLE.search(text)
    if table is None:
        return
    if table["verb"].startswith("CREATE"):
        keys[table["name"]] = sharding_key(table["name"], text)
    key = keys[table["name"]]
    # Rows cannot be placed anew, so another key is an edit; another name of the cluster is none.
    yield Rendered(
        f"{name}{DISTRIBUTED}",
        _distributed(table["name"], key, cluster, database),
        f"{table['name']} by {key}",
    )


def sharding_key(table: str, text: str) -> str:
    """Return the expression by which the rows of a table that `text` creates are placed."""
    if match := _SHARDS_BY.search(text):
        return match["key"].strip()
    if table in _SHARDED_BY:
        return _SHARDED_BY[table]
    order = _ORDER_BY.search(text)
    assert order is not None, f"{table} has no ORDER BY line"
    return f"cityHash64({order['key'].strip().removeprefix('(').removesuffix(')')})"


def _distributed(table: str, key: str, cluster: str, database: str) -> str:
    # Replaced whole after an ALTER: it holds no rows, since every insert waits for the shards.
    return (
        f"CREATE OR REPLACE TABLE {table} {_on(cluster)} AS {table}_local\n"
        f"ENGINE = Distributed('{cluster}', '{database}', '{table}_local', {key})"
    )


def _on(cluster: str) -> str:
    return f"ON CLUSTER '{cluster}'"


def _put(text: str, *, on_cluster: str, replicated: str, local: str) -> str:
    return fill_some(text, on_cluster=on_cluster, replicated=replicated, local=local)
