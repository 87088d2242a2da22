"""A store with some calm minutes, and an alerting job over it that a test restarts at will."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from alerts.config import AlertsConfig
from alerts.delivery.demo_receiver import DemoReceiver
from alerts.job import AlertsJob
from attribution.core.segments import SEGMENTS
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.alerts.builders import rule

# 2033: the store drops what is older than its retention by the machine's own clock.
START_NS = 2_000_000_000 * NS_PER_S
HURT, WELL = "eu-west", "us-east"
PER_SECOND = 5
CALM_S, INCIDENT_S = 200, 30
STORE = SEGMENTS.index(("decision", "store"))
# Of cells while an experiment contradicts the slope.
UNKNOWN_SLOPE: Mapping[str, Any] = {
    "slope_source": "unknown",
    "loss_usd": Decimal(0),
    "loss_low_usd": Decimal(0),
    "loss_high_usd": Decimal(0),
    "loss_squared": 0.0,
}


def write_seconds(
    client: Client, from_ns: int, seconds: int, region: str, slow_ms: int = 0, **changes: object
) -> None:
    """Write cells and attributions of `seconds`: at 120 ms too slow, a decision loses a dollar."""
    loss = Decimal(PER_SECOND) * slow_ms / 120
    cells, parts = [], []
    for second in range(seconds):
        second_ns = from_ns + second * NS_PER_S
        cell: dict[str, object] = {
            "second_ns": second_ns,
            "action": "checkout",
            "region": region,
            "revision": 1,
            "decisions": PER_SECOND,
            "late": PER_SECOND if slow_ms else 0,
            "unvalued": 0,
            "value_usd": Decimal(500),
            "basis": "margin",
            "loss_usd": loss,
            "loss_low_usd": loss * Decimal("0.6"),
            "loss_high_usd": loss * 3,
            "loss_squared": float(loss) ** 2 / PER_SECOND,
            "slope_source": "prior",
            **changes,
        }
        cells.append(cell)
        for number in range(PER_SECOND):
            segments = [2 * NS_PER_MS + number * 10_000] * len(SEGMENTS)
            segments[STORE] += slow_ms * NS_PER_MS
            action = cell["action"]
            other = "" if action == "checkout" else f"-{action}"
            decision_id = f"{region}-{second_ns}-{number}{other}"
            row = [1, second_ns + number, decision_id, action, region, sum(segments)]
            parts.append([*row, *segments])
    client.insert(
        "revenue_cells", [list(cell.values()) for cell in cells], column_names=list(cells[0])
    )
    client.insert(
        "attributions",
        parts,
        column_names=["revision", "ingress_ns", "decision_id", "action", "region", "total_ns"]
        + [f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS],
    )


def write_arrived(
    client: Client, from_ns: int, seconds: int, region: str, per_second: int = PER_SECOND
) -> None:
    """Write decisions of `seconds` as they arrive, before they are attributed."""
    at_ns = [
        from_ns + second * NS_PER_S + number
        for second in range(seconds)
        for number in range(per_second)
    ]
    client.insert(
        "decisions",
        [[each, f"{region}-{each}", "checkout", region, each, each] for each in at_ns],
        column_names=["ingress_ns", "decision_id", "action", "region", "end_ns", "received_ns"],
    )


def write_route(client: Client, at_ns: int, region: str, route: str) -> None:
    """Write one decision that took a route."""
    client.insert(
        "decisions",
        [[at_ns, "d1", "checkout", region, route, at_ns, START_NS]],
        column_names=[
            "ingress_ns", "decision_id", "action", "region", "route", "end_ns", "received_ns",
        ],
    )  # fmt: skip


class Scene:
    """A store with some calm minutes, and a job that a test restarts at will."""

    def __init__(self, store: Connections, directory: Path, clock: ManualClock) -> None:
        self.store = store
        self.client = store.client()
        self.clock = clock
        self.receiver = DemoReceiver(clock=clock)
        self.receiver.start()
        self.end_ns = START_NS  # of what is written
        self._path = directory / "alerts.sqlite"
        self.elapsed_ns = clock.now_ns  # nobody sets the clock, where no test says otherwise
        self.job = self.start()

    def config(self, **changes: object) -> AlertsConfig:
        """Return the configuration of one rule over every class, and one receiver."""
        settings: dict[str, Any] = {
            "lateness_s": 10.0,
            "nodata_s": 60.0,
            "allowed_hosts": ["127.0.0.1"],
            "rules": [rule(budget_usd=5_000.0, keep_firing_s=20.0)],
            "webhooks": [
                {
                    "name": "router",
                    "url": self.receiver.url,
                    "secret": self.receiver.secret,
                }
            ],
            **changes,
        }
        return AlertsConfig.model_validate(settings)

    def start(self, **changes: object) -> AlertsJob:
        """Open the state as a start of the service does."""
        elapsed_ns = self.elapsed_ns
        return AlertsJob(self.config(**changes), self.store, self._path, elapsed_ns=elapsed_ns)

    def restart(self, **changes: object) -> None:
        """Close the job and start it again."""
        self.job.close()
        self.job = self.start(**changes)

    def go_on(
        self,
        seconds: int,
        slow_ms: int = 0,
        *,
        regions: tuple[str, ...] = (HURT, WELL),
        **changes: object,
    ) -> None:
        """Let time pass: the region that may hurt is slower by `slow_ms`."""
        for region in regions:
            slow = slow_ms if region == HURT else 0
            write_seconds(self.client, self.end_ns, seconds, region, slow, **changes)
        self.end_ns += seconds * NS_PER_S

    def judge(self) -> int:
        """Run one pass at the instant at which the last second written has settled."""
        self.clock.ns = self.end_ns + 9 * NS_PER_S
        return self.job.run_once(self.clock.ns)

    def deliver(self) -> int:
        """Send what is due."""
        return self.job.outlets.deliver_due(self.clock.ns)

    def close(self) -> None:
        """Close what is open."""
        self.job.close()
        self.receiver.stop()

    def events(self, region: str = HURT) -> list[str]:
        """Return the states that the mirror shows, in order."""
        rows = self.client.query(
            "SELECT to_state FROM alert_events FINAL WHERE region = {region:String}"
            " ORDER BY at_ns, seq",
            parameters={"region": region},
        ).result_rows
        return [str(row[0]) for row in rows]

    def last(self, column: str) -> object:
        """Return a column of the last event that the mirror shows."""
        ((value,),) = self.client.query(
            f"SELECT argMax({column}, seq) FROM alert_events FINAL"
        ).result_rows
        return value


def go_on_losing(
    scene: Scene,
    seconds: int,
    *,
    failed: int = 0,
    late: int = 0,
    slow_ms: int = 0,
    store_ms: int = 0,
) -> None:
    """Let time pass in which some of five decisions a second fail, and some of all are late.

    Each is worth a dollar; the ingress takes 0.4 ms longer, and the store as much as is asked.
    """
    kept = Decimal(slow_ms) / 120 * (late if failed < PER_SECOND else 0)
    loss_usd = failed + kept
    write_seconds(
        scene.client, scene.end_ns, seconds, HURT, store_ms, late=late, failed=failed,
        lost_share=float(loss_usd), loss_usd=loss_usd, loss_low_usd=loss_usd,
        loss_high_usd=loss_usd, loss_squared=float(loss_usd),
    )  # fmt: skip
    scene.client.command(
        "INSERT INTO attributions SELECT * REPLACE (revision + 1 AS revision,"
        " ingress_ns % 1000000000 < {failed:UInt8} AS is_error,"
        " ingress_compute_ns + 400000 AS ingress_compute_ns, total_ns + 400000 AS total_ns)"
        " FROM attributions FINAL WHERE region = {region:String}"
        " AND ingress_ns >= {from_ns:UInt64}",
        parameters={"region": HURT, "failed": failed, "from_ns": scene.end_ns},
    )
    write_seconds(scene.client, scene.end_ns, seconds, WELL)
    scene.end_ns += seconds * NS_PER_S
