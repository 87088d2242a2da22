"""Spans of the decisions that are attributed in a store: a shop that calls pricing and payments."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from attribution.core.segments import COMPUTE, DECISION, STORE
from collector.core.times import NS_PER_MS

SHOP, PRICE, PAY = "shop: POST /buy", "pricing: SELECT price", "payments: INSERT charge"
# What pricing's store takes of each decision; that of payments has the rest.
PRICE_NS = NS_PER_MS
_STAGED = (DECISION + 1) << 2


def write_paths(client: Client) -> None:
    """Write the critical path of every decision that has none: both stores are in one segment."""
    rows = client.query(
        "SELECT ingress_ns, decision_id, total_ns, decision_store_ns FROM attributions FINAL"
        " WHERE decision_id NOT IN (SELECT decision_id FROM path_columns)"
    ).result_rows
    written = [_path(*row) for row in rows]
    client.insert("path_columns", [[*row.values()] for row in written], column_names=[*written[0]])


def _path(ingress_ns: int, decision_id: str, total_ns: int, store_ns: int) -> dict[str, object]:
    own_ns, price_ns = total_ns - store_ns, total_ns - store_ns + PRICE_NS
    end_ns = ingress_ns + total_ns
    return {
        "ingress_ns": ingress_ns,
        "decision_id": decision_id,
        "revision": 1,
        "base_ns": ingress_ns,
        "transform_ns": ingress_ns,
        "decision_ns": ingress_ns,
        "egress_ns": end_ns,
        "end_ns": end_ns,
        "parent": [0, 0, 0],
        "offset_ns": [0, own_ns, price_ns],
        "traits": [COMPUTE | _STAGED, STORE | _STAGED, STORE | _STAGED],
        "span_id": [1, 2, 3],
        "service_name": ["shop", "pricing", "payments"],
        "span_name": ["POST /buy", "SELECT price", "INSERT charge"],
        "sections": [[(0, own_ns)], [(own_ns, price_ns)], [(price_ns, total_ns)]],
    }


def fail_payments(client: Client, region: str, from_ns: int) -> None:
    """Let half of the decisions of a region fail from an instant on, as payments fails them."""
    client.command(
        "INSERT INTO attributions SELECT * REPLACE (revision + 1 AS revision,"
        " lower(hex(MD5(decision_id))) AS trace_id, 1 AS is_error)"
        " FROM attributions FINAL WHERE region = {region:String}"
        " AND ingress_ns >= {from_ns:UInt64} AND cityHash64(decision_id) % 2",
        parameters={"region": region, "from_ns": from_ns},
    )
    client.command(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, ServiceName, SpanName,"
        " Duration, StatusCode, received_ns)"
        " SELECT fromUnixTimestamp64Nano(toInt64(ingress_ns)), trace_id, span, above, 'any', 'any',"
        " 1000000, 'Error', ingress_ns FROM attributions FINAL"
        " ARRAY JOIN ['0000000000000001', '0000000000000003'] AS span,"
        " ['', '0000000000000001'] AS above"
        " WHERE is_error"
    )
