"""Holds rows whose time is over and is killed before their parts know it; or opens what it left.

Run as `python -m tests.support.collector.children.held DIRECTORY hold|look`.
"""

from __future__ import annotations

import os
import signal
import sys

from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from collector.store.retention import add_hold
from collector.store.retention_policy import Hold, RetentionConfig
from collector.store.schema.migrate import migrate

PARTS = 8
# As many questions take the engine some seconds, in which it merges whatever it may.
LOOKS = 3_000


def main(directory: str, what: str) -> None:
    """Hold, or print how many of the rows are there."""
    store, now_ns = Connections(StoreConfig(url=f"chdb://{directory}")), SystemClock().now_ns()
    client = store.client()
    if what == "look":
        for _ in range(LOOKS):
            ((rows,),) = client.query("SELECT count() FROM rejected").result_rows
        sys.stdout.write(str(rows))
        store.close()
        return
    migrate(client, now_ns)
    client.command("SYSTEM STOP MERGES rejected")
    at_ns = now_ns - 40 * NS_PER_DAY
    for part in range(PARTS):
        row = [at_ns + part * NS_PER_S, "traces", str(part)]
        client.insert("rejected", [row], column_names=["received_ns", "signal", "item_id"])
    hold = Hold("h", ("rejected",), at_ns - NS_PER_DAY, now_ns, "why", "ada", now_ns)
    add_hold(client, RetentionConfig(), hold)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
