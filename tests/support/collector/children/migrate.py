"""A start that is killed: brings a store to the schema and dies at one of its statements.

Arguments: directory, index of the statement, and `before`, `after` or `during` it. An index past
the last one lets the start finish; then the tables are printed, and the number of statements.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from typing import Any, cast

from clickhouse_connect.driver.client import Client

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig, StoreConfig
from collector.store.connect import Connections
from collector.store.retention import apply_retention
from collector.store.retention_policy import RetentionConfig
from collector.store.schema.migrate import apply_views, migrate
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, store_request, trace_request

TABLES = """
SELECT name, replaceAll(create_table_query, currentDatabase() || '.', '')
FROM system.tables WHERE database = currentDatabase() ORDER BY name
"""


class Killed:
    """A connection on which one statement is the last thing that this process does."""

    def __init__(self, client: Client, at: int, when: str) -> None:
        self._client = client
        self._at = at
        self._when = when
        self.count = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self._client, name)

    def command(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the client's
        """Send a statement, and die with it where it is the one."""
        return self._call(self._client.command, arguments, more)

    def insert(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the client's
        """Insert rows, and die with it where it is the one."""
        return self._call(self._client.insert, arguments, more)

    def _call(self, call: Any, arguments: Any, more: Any) -> Any:  # noqa: ANN401 - as the client's
        is_last = self.count == self._at
        self.count += 1
        if is_last and self._when == "before":
            _die()
        if is_last and self._when == "during":
            # A statement takes 1 to 20 ms. Whatever the moment, the next start has to go on.
            threading.Timer(random.Random(self._at).uniform(0, 0.005), _die).start()
        result = call(*arguments, **more)
        if is_last:
            _die()
        return result


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(directory: str, at: str, when: str) -> None:
    """Migrate as a start does."""
    store = Connections(StoreConfig(url=f"chdb://{directory}"))
    client = Killed(store.client(), int(at), when)
    given = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())
    migrate(cast("Client", client), NOW_NS)
    apply_views(cast("Client", client), *given, NOW_NS)
    apply_retention(cast("Client", client), RetentionConfig())
    again = migrate(store.client(), NOW_NS) + apply_views(store.client(), *given, NOW_NS)
    store_request(store, trace_request(decision_span(decision_id="d-1")))
    said = {
        "statements": client.count,
        "again": again,
        "tables": store.client().query(TABLES).result_rows,
        "decisions": store.client().query("SELECT decision_id FROM decisions").result_rows,
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
