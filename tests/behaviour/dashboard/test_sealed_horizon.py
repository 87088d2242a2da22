"""How much of the store one call reads when rows are held against their events."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.retention_policy import RetentionConfig
from dashboard.read.sealed.store import SealedStore
from tests.conftest import NOW_NS

DAY_NS = 86_400 * NS_PER_S
ROWS_A_DAY = 50_000
# Of each table the rows of ten minutes, and the edges of the granules that hold them.
WINDOW_ROWS = 60_000


class Bounded(Connections):
    """A store whose statements read so many rows each and no more, or fail."""

    most = 4_000_000

    def reader(self) -> Client:
        """Return a connection that takes the bound, which one that only reads does not."""
        client = self.client()
        client.set_client_setting("max_rows_to_read", self.most)
        return client


def fill_days(store: Connections, first: int, days: int) -> None:
    """Store decisions, outcomes, spans and records, evenly over some days, merged."""
    client = store.client()
    at = f"({NOW_NS + first * DAY_NS} + number * {DAY_NS // ROWS_A_DAY})"
    instant = f"fromUnixTimestamp64Nano(toInt64({at}))"
    numbers = f"FROM numbers({days * ROWS_A_DAY})"
    identifier = "leftPad(toString(number), 10, '0')"
    for table, columns, values in (
        ("decisions", "ingress_ns, start_ns, end_ns, decision_id, trace_id", f"{at}, {at}, {at}"),
        ("outcomes", "event_ns, received_ns, source, outcome_id", f"{at}, {at}, 'otlp'"),
        ("otel_traces", "Timestamp, received_ns", f"{instant}, {at}"),
        ("otel_logs", "Timestamp, received_ns", f"{instant}, {at}"),
    ):
        ids = {"decisions": f", {identifier}, {identifier}", "outcomes": f", {identifier}"}
        client.command(
            f"INSERT INTO {table} ({columns}) SELECT {values}{ids.get(table, '')} {numbers}",
            settings={"max_partitions_per_insert_block": 1_000},
        )
        client.command(f"OPTIMIZE TABLE {table} FINAL")


def rows_read(store: Connections, from_ns: int, now_ns: int) -> int:
    """Return, to a tenth, how many rows the dearest statement of one call reads."""
    bounded = Bounded(store.config)
    low, high = 0, bounded.most
    while high - low > max(high // 10, 1):
        bounded.most = (low + high) // 2
        try:
            SealedStore(bounded).rows(from_ns, now_ns)
        except StoreUnavailableError as error:
            assert "Limit for rows" in str(error)  # noqa: PT017  a step of the search may fail
            low = bounded.most
        else:
            high = bounded.most
    bounded.close()
    return high


def test_one_call_reads_no_more_for_what_is_behind_its_window(store: Connections) -> None:
    """Each window of ten minutes read all that was left of the tables: hours at 100 M rows."""
    now_ns = NOW_NS + 20 * DAY_NS
    fill_days(store, 0, 1)
    assert 0 < rows_read(store, NOW_NS, now_ns) <= WINDOW_ROWS
    fill_days(store, 1, 8)
    assert rows_read(store, NOW_NS, now_ns) <= WINDOW_ROWS
    # Behind a gap a look of a day finds the next rows.
    assert rows_read(store, NOW_NS - 5 * DAY_NS, now_ns) <= WINDOW_ROWS + ROWS_A_DAY


def test_answer_carries_on_behind_an_empty_month(store: Connections) -> None:
    """A call that found nothing within its horizon ended the comparison there."""
    sealed = SealedStore(store, retention=RetentionConfig(telemetry_days=90, decisions_days=90))
    inserted = "INSERT INTO decisions (ingress_ns, start_ns, end_ns, decision_id, trace_id)"
    store.client().command(f"{inserted} VALUES ({NOW_NS}, {NOW_NS}, {NOW_NS}, 'd', 'ab')")
    now_ns = NOW_NS + 10 * DAY_NS
    pages = [sealed.rows(0, now_ns)]
    while pages[-1].next:
        pages.append(sealed.rows(int(pages[-1].next), now_ns))
    assert [row.kind for page in pages for row in page.changed] == ["inserted"]
    assert len(pages) == 4
    assert int(pages[0].next) == now_ns - 89 * DAY_NS + 30 * DAY_NS + 600 * NS_PER_S
