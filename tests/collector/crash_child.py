"""A collector in a process of its own, for a test that kills it.

    python -m tests.collector.crash_child serve|report DIRECTORY

`serve` says its gRPC port and runs until it is killed. `report` brings what is left in the log into
the store, and says what is there.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from collector.clock import SystemClock
from collector.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.counters import Counters
from collector.log import configure
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.migrate import apply_views, migrate


def main(command: str, directory: Path) -> None:
    """Run the collector over a directory."""
    configure("warning")  # to standard error; standard output is for the test
    clock = SystemClock()
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    client = store.client()
    migrate(client, clock.now_ns())
    apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), clock.now_ns())
    # Short segments, so that a kill meets an insert or a deletion more often than not.
    config = CollectorConfig(grpc_port=0, http_port=0, segment_seconds_max=0.02)
    service = CollectorService(config, store, directory / "wal", Counters(), clock)
    service.start()
    if command == "serve":
        say({"port": service.grpc_port})
        threading.Event().wait()
    drained = service.stop(drain_seconds=60)
    spans = client.query("SELECT SpanId FROM otel_traces ORDER BY 1").result_rows
    decisions = client.query("SELECT root_span_id FROM decisions ORDER BY 1").result_rows
    say(
        {
            "drained": drained,
            "left": len(list((directory / "wal").glob("*.segment"))),
            "spans": [span_id for (span_id,) in spans],
            "decisions": [span_id for (span_id,) in decisions],
        }
    )


def say(message: dict[str, object]) -> None:
    """Tell the test one thing."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
