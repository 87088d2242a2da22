"""A collector in a process of its own, that looks at each file before it is deleted.

A temporary file is there for milliseconds; whoever only looks now and then would miss it. The
interpreter announces each deletion before it is made, so this process reads the file then.

Usage: python -m tests.support.collector.children.personal DIRECTORY KEYS log|store; on standard
input what to look for: in files and rows, and in files alone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from collector.core import log
from collector.core.clock import SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.core.counters import Counters
from collector.privacy.guard import Protection
from collector.privacy.rules import EncryptionConfig
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

_FLUSH_S = 60.0


class Watch:
    """What was in the files that this process deleted."""

    def __init__(self, values: list[bytes]) -> None:
        self._values = values
        self.deleted = 0
        self.found: list[str] = []

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Look at a file that is about to be deleted."""
        if event != "os.remove" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.fsdecode(arguments[0]))
        if path.is_relative_to("/dev/shm") or not path.is_file():
            return
        content = path.read_bytes()
        self.deleted += 1
        self.found += [f"{path}: {value!r}" for value in self._values if value in content]


def main() -> None:
    """Serve until a line comes, or until somebody kills this."""
    directory, keys, stores = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "store"
    seeds, hidden = (list(map(str.encode, values)) for values in json.loads(sys.stdin.readline()))
    watch = Watch([*seeds, *hidden])
    log.configure("error")
    sys.addaudithook(watch.note)
    store = Connections(StoreConfig(url=f"chdb://{directory / 'store'}"))
    clock = SystemClock()
    if stores:
        client = store.client()
        os.chdir(directory / "store")
        migrate(client, clock.now_ns())
        apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), clock.now_ns())
    # A segment that stays open is never stored, so that a child can be killed before.
    segment_seconds = 0.05 if stores else 3600
    service = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0, segment_seconds_max=segment_seconds),
        store,
        directory / "wal",
        Counters(),
        clock,
        protection=Protection(None, EncryptionConfig(keys=SecretStr(keys)) if keys else None),
    )
    service.start()
    _say({"port": service.http_port})
    sys.stdin.readline()
    drained = service.stop(_FLUSH_S)
    tables = [str(row[0]) for row in client.query("SHOW TABLES").result_rows]
    rows = {
        table: client.raw_query(f"SELECT * FROM {table}", fmt="JSONEachRow")
        for table in tables
        if not table.endswith(("_mv", "_in", "_points"))
    }
    spans = client.query("SELECT SpanName FROM otel_traces ORDER BY SpanName").result_rows
    _say(
        {
            "drained": drained,
            "deleted": watch.deleted,
            "found": watch.found,
            "rows": [
                f"{table}: {seed!r}"
                for table, text in rows.items()
                for seed in seeds
                if seed in text
            ],
            "spans": [row[0] for row in spans],
            "rejected": [
                list(row)
                for row in client.query("SELECT signal, reason_code FROM rejected").result_rows
            ],
        }
    )
    store.close()


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
