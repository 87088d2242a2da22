"""A small world of rows as the other rooms write them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

import attribution.read.reader
from attribution.core.segments import SEGMENTS
from collector.core.clock import SystemClock
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.dashboard.seed_paths import path_rows

# The store drops rows older than its retention as they arrive, so this world is of this minute.
TODAY_NS = SystemClock().now_ns() // NS_PER_MINUTE * NS_PER_MINUTE
ACTIONS = ("offer.select", "price.quote")
REGIONS = ("eu-west", "us-east")
SEGMENT_COLUMNS = [f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS]

# Milliseconds of a decision on time: the parts of the critical path, in order.
_PARTS = (
    ("ingress", "compute", "", 2.0),
    ("transform", "store", "GET identity", 9.0),
    ("transform", "compute", "", 3.0),
    ("decision", "store", "ZRANGE offers", 14.0),
    ("decision", "compute", "score offers", 16.0),
    ("egress", "network", "POST /fulfil", 11.0),
    ("egress", "compute", "", 4.0),
)


@dataclass
class Seed:
    """Rows by table, to be inserted at once."""

    rng: random.Random
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: object) -> None:
        """Keep one row of `table`."""
        self.tables.setdefault(table, []).append(row)

    def insert(self, client: Client) -> None:
        """Put every row into the store; what has no cell of revenue gets an empty one."""
        self._add_cells()
        for table, rows in self.tables.items():
            if table == "path_spans":
                table, rows = "path_columns", path_rows(rows)
            names = list(rows[0])
            client.insert(table, [[row[n] for n in names] for row in rows], column_names=names)

    def _add_cells(self) -> None:
        there = {_cell_of(row, "second_ns") for row in self.tables.get("revenue_cells", [])}
        for row in self.tables.get("attributions", []):
            second_ns, action, region = cell = _cell_of(row, "ingress_ns")
            if cell not in there:
                there.add(cell)
                self.cell(second_ns, action=action, region=region, decisions=0, late=0)
                cells = self.tables["revenue_cells"]
                cells.append(dict.fromkeys(cells[0], 0) | cells.pop())  # a test may have more

    def decision(
        self,
        at_ns: int,
        number: int,
        *,
        action: str = ACTIONS[0],
        region: str = REGIONS[0],
        store_ms: float = 0.0,
        packets: bool = False,
        jitter: float = 0.0,
    ) -> str:
        """Add one decision with its spans and attribution; return its id.

        `store_ms` is added to the store of stage decision; `jitter` scales every part by a
        log-normal of that sigma.
        """
        trace_id = f"{number:032x}"
        decision_id = f"d-{number}"
        parts = [
            (stage, kind, name, round((ms + (store_ms if name.startswith("ZR") else 0.0))
            * self.rng.lognormvariate(0, jitter) * NS_PER_MS))
            for stage, kind, name, ms in _PARTS
        ]  # fmt: skip
        total_ns = sum(part[3] for part in parts)
        stamps = {"ingress": at_ns}
        segments = dict.fromkeys(SEGMENT_COLUMNS, 0)
        self_root: list[tuple[int, int]] = []
        cursor = at_ns
        for place, (stage, kind, name, duration_ns) in enumerate(parts):
            stamps.setdefault(stage, cursor)
            segments[f"{stage}_{kind}_ns"] += duration_ns
            if name:
                self._child(decision_id, trace_id, at_ns, place, cursor, duration_ns, parts[place])
                if packets and kind != "compute":
                    self._exchange(decision_id, trace_id, place, cursor, duration_ns)
            else:
                self_root.append((cursor, cursor + duration_ns))
            cursor += duration_ns
        shared = {"ingress_ns": at_ns, "decision_id": decision_id, "trace_id": trace_id}
        self._root(shared, total_ns, self_root, action, region)
        self.add(
            "decisions", **shared, root_span_id=f"{number:015x}0", service_name="edge",
            start_ns=at_ns, end_ns=at_ns + total_ns, transform_ns=stamps["transform"],
            decision_ns=stamps["decision"], egress_ns=stamps["egress"], action=action,
            channel="web", region=region, cohort="returning", value_usd=Decimal("0.42"),
            outcome_key=f"order-{number}", is_error=0, received_ns=at_ns + total_ns,
        )  # fmt: skip
        self.add(
            "attributions", **shared, revision=1, action=action, region=region, channel="web",
            cohort="returning", total_ns=total_ns, **segments, span_count=5, flags=[], is_error=0,
            computed_ns=at_ns + 5 * NS_PER_S,
        )  # fmt: skip
        return decision_id

    def _root(
        self,
        shared: dict[str, Any],
        total_ns: int,
        sections: list[tuple[int, int]],
        action: str,
        region: str,
    ) -> None:
        span_id = shared["trace_id"][-15:] + "0"
        self.add(
            "path_spans", **shared, revision=1, span_id=span_id, parent_span_id="",
            service_name="edge", span_name="POST /decide", span_kind="Server",
            start_ns=shared["ingress_ns"], duration_ns=total_ns, shift_ns=0, on_path=1,
            self_ns=sum(end - start for start, end in sections), stage="decision",
            **{"class": "compute"}, sections=sections,
        )  # fmt: skip
        self._trace_row(
            shared["trace_id"], span_id, "", "POST /decide", "Server", shared["ingress_ns"],
            total_ns, {"decision.action": action, "decision.region": region,
                       "decision.id": shared["decision_id"]},
        )  # fmt: skip

    def _child(
        self,
        decision_id: str,
        trace_id: str,
        ingress_ns: int,
        place: int,
        start_ns: int,
        duration_ns: int,
        part: tuple[str, str, str, int],
    ) -> None:
        stage, kind, name, _ = part
        span_id = f"{trace_id[-15:]}{place:x}"
        span_kind = "Internal" if kind == "compute" else "Client"
        self.add(
            "path_spans", ingress_ns=ingress_ns, decision_id=decision_id, trace_id=trace_id,
            revision=1, span_id=span_id, parent_span_id=trace_id[-15:] + "0", service_name="edge",
            span_name=name, span_kind=span_kind, start_ns=start_ns, duration_ns=duration_ns,
            shift_ns=0, on_path=1, self_ns=duration_ns, stage=stage, **{"class": kind},
            sections=[(start_ns, start_ns + duration_ns)],
        )  # fmt: skip
        attributes = {"decision.stage": stage}
        if kind == "store":
            attributes |= {"db.system.name": "redis", "network.local.port": "41000"}
        self._trace_row(
            trace_id, span_id, trace_id[-15:] + "0", name, span_kind, start_ns, duration_ns,
            attributes,
        )  # fmt: skip

    def _exchange(
        self, decision_id: str, trace_id: str, place: int, start_ns: int, duration_ns: int
    ) -> None:
        flow_hash, port = 1_000_000 + place, 41_000 + place
        server_port = 6379 if place < 5 else 8088
        first_ns, last_ns = start_ns + 200_000, start_ns + duration_ns - 100_000
        self.add(
            "span_flows", trace_id=trace_id, span_id=f"{trace_id[-15:]}{place:x}",
            decision_id=decision_id, flow_hash=flow_hash, from_ns=first_ns, to_ns=last_ns,
            packets=4, wire_ns=last_ns - first_ns - 300_000, method="tuple+time", confidence=1.0,
            linked_ns=last_ns,
        )  # fmt: skip
        self.add(
            "flows", flow_hash=flow_hash, first_ns=first_ns, last_ns=last_ns,
            client_address="127.0.0.1", client_port=port, server_address="127.0.0.1",
            server_port=server_port, protocol=6, packets=4, wire_bytes=640, retransmissions=0,
            zero_windows=0, version=last_ns,
        )  # fmt: skip
        for at_ns, outgoing, flags, payload in (
            (first_ns, True, 0x18, 120), (first_ns + 40_000, False, 0x10, 0),
            (last_ns - 60_000, False, 0x18, 420), (last_ns, True, 0x10, 0),
        ):  # fmt: skip
            self.add(
                "packets", ts_ns=at_ns, flow_hash=flow_hash, src_address="127.0.0.1",
                src_port=port if outgoing else server_port, dst_address="127.0.0.1",
                dst_port=server_port if outgoing else port, protocol=6, ttl=64, tcp_flags=flags,
                tcp_seq=1, tcp_ack=1, tcp_window=512, payload_bytes=payload,
                wire_bytes=payload + 66, kept_for="alert", trigger_id="episode-1/2",
            )  # fmt: skip

    def _trace_row(
        self,
        trace_id: str,
        span_id: str,
        parent_span_id: str,
        name: str,
        kind: str,
        start_ns: int,
        duration_ns: int,
        attributes: dict[str, str],
    ) -> None:
        self.add(
            "otel_traces_in", Timestamp=start_ns, TraceId=trace_id, SpanId=span_id,
            ParentSpanId=parent_span_id, TraceState="", SpanName=name, SpanKind=kind,
            ServiceName="edge", ResourceAttributes={"service.name": "edge"}, ScopeName="",
            ScopeVersion="", SpanAttributes=attributes, Duration=duration_ns, StatusCode="Unset",
            StatusMessage="", **{
                "Events.Timestamp": [start_ns + 5], "Events.Name": ["cache.miss"],
                "Events.Attributes": [{"key": "offers"}], "Links.TraceId": [],
                "Links.SpanId": [], "Links.TraceState": [], "Links.Attributes": [],
            }, received_ns=start_ns + duration_ns,
        )  # fmt: skip

    def cell(
        self,
        second_ns: int,
        *,
        action: str = ACTIONS[0],
        region: str = REGIONS[0],
        decisions: int,
        late: int,
        loss: str = "0",
    ) -> None:
        """Add one second of revenue: 0.42 USD a decision, and the loss in 5, 50 and 95 %."""
        median = Decimal(loss)
        self.add(
            "revenue_cells", second_ns=second_ns, action=action, region=region, revision=1,
            decisions=decisions, late=late, unvalued=0, value_usd=Decimal("0.42") * decisions,
            basis="margin", loss_usd=median, loss_low_usd=median / 4, loss_high_usd=median * 3,
            loss_squared=float(median) ** 2, slope_source="prior",
            known=decisions, converted=decisions, margins=decisions,
            margin_usd=Decimal("0.42") * decisions - median,
        )  # fmt: skip

    def alert(
        self, at_ns: int, seq: int, state: str, *, at_risk: str = "1840.5", **row: object
    ) -> None:
        """Add one transition of an alert on the store of stage decision in the first region."""
        values = {
            "episode_id": "episode-1", "rule": "checkout-burn", "severity": "page",
            "action": ACTIONS[0], "region": REGIONS[0], "from_state": "pending",
            "started_ns": at_ns, "window_s": 60, "loss_usd": Decimal("30"),
            "loss_low_usd": Decimal("9"), "loss_high_usd": Decimal("90"), "burn": 14.4,
            "basis": "margin", "blamed_stage": "decision", "blamed_class": "store",
            "blamed_excess_ns": 40 * NS_PER_MS, "reason": "burns 14.4x its budget",
        } | row  # fmt: skip
        self.add(
            "alert_events", **values, seq=seq, to_state=state, at_ns=at_ns,
            revenue_at_risk_usd_per_h=Decimal(at_risk),
        )  # fmt: skip


def _cell_of(row: dict[str, Any], instant: str) -> tuple[int, str, str]:
    return row[instant] // NS_PER_S * NS_PER_S, row["action"], row["region"]


def fail(store: Connections, *decision_ids: str) -> None:
    """Let attributed decisions have failed."""
    store.client().command(
        "INSERT INTO attributions SELECT * REPLACE (revision + 1 AS revision, 1 AS is_error)"
        " FROM attributions FINAL WHERE decision_id IN {ids:Array(String)}",
        parameters={"ids": list(decision_ids)},
    )


def rollup_minutes(client: Client) -> None:
    """Fill attribution_minutes from attributions, as the attribution job does."""
    minutes = "SELECT DISTINCT intDiv(ingress_ns, 60000000000) * 60000000000 FROM attributions"
    minutes_ns = [int(row[0]) for row in client.query(minutes).result_rows]
    ends = {"from_ns": min(minutes_ns), "to_ns": max(minutes_ns) + NS_PER_MINUTE}
    written = sql("rewrite_minutes", attribution.read.reader.__file__)
    client.command(written, parameters={"minutes_ns": minutes_ns, **ends})


def seed_world(client: Client) -> None:
    """Write ten decisions on time in one region, and five late ones in the other.

    Of the late ones `d-12` has packets; they fire one alert. All within the last minute before
    TODAY_NS.
    """
    seed = Seed(random.Random(3))
    for number in range(10):
        seed.decision(TODAY_NS - (60 - number) * NS_PER_S, number, region=REGIONS[1])
    for number in range(10, 15):
        at_ns = TODAY_NS - (60 - number) * NS_PER_S
        seed.decision(at_ns, number, store_ms=40 + number, packets=number == 12)
    seed.cell(TODAY_NS - 60 * NS_PER_S, region=REGIONS[1], decisions=10, late=0)
    seed.cell(TODAY_NS - 50 * NS_PER_S, decisions=5, late=5, loss="0.25")
    seed.alert(TODAY_NS - 30 * NS_PER_S, 1, "pending", at_risk="10")
    seed.alert(TODAY_NS - 20 * NS_PER_S, 2, "firing")
    seed.add(
        "rejected", received_ns=TODAY_NS, signal="outcomes", reason_code="no_outcome_id",
        detail="outcome.id is missing", item_id="log-1", item_count=1, bytes="",
    )  # fmt: skip
    seed.insert(client)
    rollup_minutes(client)
