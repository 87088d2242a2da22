"""I/O: stores of a size, of 29 days, that the product's own tables and views made.

A pool of decisions goes in over OTLP and is attributed by the job; every other decision is a copy
of one of these at another instant, under another id, made inside the engine: spans through the
views, the rest from what the job wrote. Minutes and cells are summed by the service's own writers.
"""

from __future__ import annotations

import http.client
import secrets
import shutil
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.observed import ObservedJob
from attribution.jobs.revenue_cells import CellWriter
from attribution.read.reader import Reader
from collector.bench.decision_load import decision_patterns
from collector.bench.harness import Progress, own_database, prepare, start_collector
from collector.bench.spans import SPANS_PER_TRACE
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig, StoreConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import ATTRIBUTION_CURSOR, write_cursor

DAYS: Final = 29
POOL: Final = 1_024  # decisions
_PER_REQUEST: Final = 64
_POOL_DATABASE: Final = "growth_pool"
_PLACES: Final = (
    "CREATE TABLE growth_pool.places (trace_id String, ingress_ns UInt64, place UInt64)"
    " ENGINE = MergeTree ORDER BY trace_id"
)
_TABLES: Final = ("spans", "outcomes", "matches", "attributions", "path_columns")
# So many copies of the pool's spans at a time are held by the engine.
_COPIES_MAX: Final = 40
_DONE: Final = "built"


def build(directory: Path, spans: int, progress: Progress, *, days: int = DAYS) -> str:
    """Make a store of so many spans and days below a directory, or find it; return its URL.

    Its last day ends when it is built: one that was kept for days has lost them at its other end.
    """
    url, done = f"chdb://{directory}/store", directory / _DONE
    if done.exists():
        return url
    # What a build that was ended has left is neither whole nor to be gone on with.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    copies = max(1, round(spans / SPANS_PER_TRACE / days / POOL))
    store = Connections(StoreConfig(url=url))
    prepare(store)
    fill(store, copies, days, directory / "pool-wal", progress)
    store.close()
    done.touch()
    return url


def _merge(client: Client) -> None:
    """Merge each day to its end, as those of a store that is old are.

    Left on the verge of it, a day would be merged for the first late span that it gets, which
    would be charged with that.
    """
    for table, partition in client.query(sql("unmerged", __file__)).result_rows:
        client.command(
            "OPTIMIZE TABLE {table:Identifier} PARTITION ID {partition:String} FINAL",
            {"table": table, "partition": partition},
        )


def copy(kept: Path, scratch: Path) -> None:
    """Copy what `build` made for a service to run on: what a run writes is not in the next."""
    shutil.copytree(kept / "store", scratch / "store", symlinks=True)
    key = scratch / "wal" / "identifiers.key"
    key.parent.mkdir()
    key.touch(0o600)
    key.write_text(f"b1:{secrets.token_hex(32)}\n")


def fill(store: Connections, copies: int, days: int, wal_dir: Path, progress: Progress) -> None:
    """Fill an empty store with decisions of some days that end now, attributed and summed.

    Args:
        store: with the tables of the product.
        copies: of each decision of the pool a day.
        days: in all.
        wal_dir: of the collector that takes the pool; made here.
        progress: told of each day.
    """
    with own_database(store.config.url, _POOL_DATABASE) as pool:
        _fill_pool(pool, wal_dir)
        ends_ns = SystemClock().now_ns() - NS_PER_MINUTE
        sums = _Sums(store)
        for day in range(days, 0, -1):
            day_ns = ends_ns - day * NS_PER_DAY
            _fill_day(store, day_ns, copies)
            # An outcome may come at any time after its decision, so that a day is looked for in all
            # that came after it: of the newest day that is little.
            sums.write(day_ns, day_ns + NS_PER_DAY)
            progress(f"growth: {days - day + 1} of {days} days, {copies * POOL:,} decisions each")
    progress("growth: merging the days")
    _merge(store.client())
    # Where the service filled a store itself this is done: else its first minute is not idle.
    ObservedJob(store, lambda: None, 0.0).run_once(SystemClock().now_ns())
    write_cursor(store.client(), ATTRIBUTION_CURSOR, ends_ns)


def _fill_pool(pool: Connections, wal_dir: Path) -> None:
    """Send the decisions of the pool over OTLP, and attribute them."""
    clock = SystemClock()
    collector = start_collector(pool, wal_dir)
    line = http.client.HTTPConnection("127.0.0.1", collector.http_port)
    spans, outcomes = decision_patterns(1, _PER_REQUEST, clock.now_ns() - NS_PER_MINUTE)
    for number in range(POOL // _PER_REQUEST):
        for path, pattern in (("/v1/traces", spans), ("/v1/logs", outcomes)):
            body = pattern.request(number, number * NS_PER_S)
            line.request("POST", path, body, {"content-type": "application/x-protobuf"})
            answer = line.getresponse()
            answer.read()
            assert answer.status == http.client.OK, answer.status
    line.close()
    assert collector.stop(NS_PER_MINUTE / NS_PER_S)
    AttributionJob(AttributionConfig(), AttributesConfig(), pool).drain(clock.now_ns())
    pool.client().command(_PLACES)
    pool.client().command(sql("places", __file__))


def _fill_day(store: Connections, day_ns: int, copies: int) -> None:
    step_ns = NS_PER_DAY // (copies * POOL)
    for first in range(0, copies, _COPIES_MAX):
        for table in _TABLES:
            store.client().command(
                sql(table, __file__),
                parameters={
                    "day_ns": day_ns,
                    "step_ns": step_ns,
                    "pool": POOL,
                    "from_copy": first,
                    "to_copy": min(first + _COPIES_MAX, copies),
                },
            )


class _Sums:
    """Minutes and cells of what is stored, by the service's own writers."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        self._reader = Reader(store, AttributesConfig())
        self._cells = CellWriter(AttributionConfig(), store, self._reader)

    def write(self, from_ns: int, to_ns: int) -> None:
        """Sum [from, to) and the rest of its first and last minutes."""
        minutes = range(from_ns - from_ns % NS_PER_MINUTE, to_ns, NS_PER_MINUTE)
        self._reader.rewrite_minutes(list(minutes))
        window = {"from_ns": from_ns, "to_ns": to_ns}
        seconds = self._store.client().query(sql("seconds", __file__), parameters=window)
        self._cells.rewrite([int(row[0]) for row in seconds.result_rows])
