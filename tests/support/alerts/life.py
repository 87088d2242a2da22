"""A process that evaluates the whole life of an alert, and goes on where the one before was killed.

Run as `python -m tests.support.alerts.life DIRECTORY URL SECRET`. Lines say the instant of each
pass (`at`), the state after it (`state`), and at last what the store has of all transitions
(`rows`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from alerts.config import AlertsConfig
from alerts.job import AlertsJob
from alerts.state.transitions import Phase
from collector.core.config import StoreConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.schema.migrate import migrate
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, START_NS, write_seconds

STEP_S = 5
# What happens: how long, and how slow; None is silence. Each state is seen, some of them twice.
SCRIPT = (
    (100, 0), (40, 120), (20, 0), (15, 120), (60, 0), (30, 120), (100, None), (20, 120), (80, 0),
    (120, None), (40, 0),
)  # fmt: skip


def main(directory: Path, url: str, secret: str) -> None:
    """Evaluate what is left of the life."""
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    if not (directory / "written").exists():
        _write(store)
        (directory / "written").touch()
    config = AlertsConfig(
        lateness_s=0,
        nodata_s=60,
        dead_man_seconds=0,
        allowed_hosts=("127.0.0.1",),
        rules=(rule(budget_usd=5_000.0, region=HURT, for_s=10, keep_firing_s=20),),
        webhooks=({"name": "router", "url": url, "secret": secret},),  # type: ignore[arg-type]  # pydantic makes it
    )
    path, at_ns = directory / "alerts.sqlite", [START_NS]
    job = AlertsJob(config, store, path, elapsed_ns=lambda: at_ns[0])
    length_s = sum(seconds for seconds, _ in SCRIPT)
    done = directory / "done"  # up to when; a pass that was killed before it is made again
    begin_ns = int(done.read_text()) if done.exists() else START_NS
    step_ns = STEP_S * NS_PER_S
    for end_ns in range(begin_ns + step_ns, START_NS + length_s * NS_PER_S, step_ns):
        _say(f"at {end_ns}")
        at_ns[0] = end_ns
        job.run_once(end_ns)
        done.with_suffix(".draft").write_text(str(end_ns))
        done.with_suffix(".draft").replace(done)
        job.outlets.deliver_due(end_ns)
        [shown] = {state.shown for state in job.status().states} or {Phase.INACTIVE}
        _say(f"state {shown}")
    rows = store.client().query(
        "SELECT at_ns, seq, episode_id, from_state, to_state FROM alert_events FINAL"
        " ORDER BY at_ns, seq"
    )
    _say(f"rows {json.dumps([list(row) for row in rows.result_rows])}")


def _write(store: Connections) -> None:
    migrate(store.client(), START_NS)
    at_ns = START_NS
    for seconds, slow_ms in SCRIPT:
        if slow_ms is not None:
            write_seconds(store.client(), at_ns, seconds, HURT, slow_ms)
        at_ns += seconds * NS_PER_S


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
