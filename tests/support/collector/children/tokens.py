"""Inserts one row under each of some tokens, prints how many there are, and is killed.

Run as `python -m tests.support.collector.children.tokens DIRECTORY leave|merge TOKEN...`.
"""

from __future__ import annotations

import os
import signal
import sys

from collector.core.config import StoreConfig
from collector.store.connect import Connections

TABLE = """
CREATE TABLE IF NOT EXISTS t (a UInt64) ENGINE = MergeTree ORDER BY a
SETTINGS non_replicated_deduplication_window = 100
"""


def main(directory: str, then: str, *tokens: str) -> None:
    """Insert, print and end as `kill -9` does."""
    client = Connections(StoreConfig(url=f"chdb://{directory}")).client()
    client.command(TABLE)
    for token in tokens:
        client.command("INSERT INTO t SELECT 1", settings={"insert_deduplication_token": token})
    if then == "merge":
        client.command("OPTIMIZE TABLE t FINAL")
    ((rows,),) = client.query("SELECT count() FROM t").result_rows
    sys.stdout.write(str(rows))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
