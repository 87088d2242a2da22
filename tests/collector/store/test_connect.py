"""Connecting: what is wrong is one line that names it and the remedy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.core.config import StoreConfig
from collector.core.errors import (
    InputError,
    MillworthError,
    PermanentError,
    StoreRefusedError,
    StoreUnavailableError,
    TransientError,
)
from collector.store.connect import Connections, connect
from collector.store.errors import error_code, explain

MIB = 1024 * 1024

# Three blocks come before the row that fails.
FAILS_LATE = "SELECT number, throwIf(number = 200000) FROM numbers(1000000)"
LONG = "SELECT number, toString(number) FROM numbers(1000000)"

READS: dict[str, Callable[[Client, str], object]] = {
    "query": lambda client, sql: client.query(sql).result_rows,
    "query_arrow": lambda client, sql: client.query_arrow(sql),
    "raw_query": lambda client, sql: client.raw_query(sql, fmt="JSONCompact"),
    "command": lambda client, sql: client.command(sql),
    "rows_stream": lambda client, sql: _read_stream(client, sql),
}


def test_server_that_does_not_answer_is_named_with_its_key() -> None:
    """The text of an HTTP library says neither which key is meant nor what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = taken.getsockname()[1]

        with pytest.raises(StoreUnavailableError, match=rf"{port} does not answer.*store\.url"):
            connect(StoreConfig(url=f"http://127.0.0.1:{port}"))


def test_small_part_is_one_file(store: Connections) -> None:
    """An insert of a few rows is a file and its sync, where each of fifteen had one."""
    client = store.client()
    client.command("CREATE TABLE small (n UInt64, word String) ENGINE = MergeTree ORDER BY n")
    client.command("INSERT INTO small SELECT number, toString(number) FROM numbers(100)")
    ((place, kind, storage),) = client.query(
        "SELECT path, part_type, part_storage_type FROM system.parts"
        " WHERE table = 'small' AND active"
    ).result_rows
    assert (kind, storage) == ("Compact", "Packed")
    assert [each.name for each in Path(place).iterdir()] == ["data.packed"]
    client.command("ALTER TABLE small DELETE WHERE n < 40 SETTINGS mutations_sync = 1")
    client.command("INSERT INTO small SELECT number, 'more' FROM numbers(100, 10)")
    client.command("OPTIMIZE TABLE small FINAL")
    assert client.query("SELECT count(), sum(n), max(word) FROM small").result_rows == [
        (70, sum(range(40, 110)), "more")
    ]


def test_job_asks_with_a_quarter_of_the_cores(store: Connections) -> None:
    """The others, pages among them, ask with all of them."""
    asked = "SELECT toUInt64(getSetting('max_threads'))"

    def of_a_job() -> int:
        store.work_in_background()
        try:
            return int(store.client().query(asked).result_rows[0][0])
        finally:
            store.close()

    ((cores,),) = store.client().query(asked).result_rows
    assert cores >= 1
    with ThreadPoolExecutor(1) as job:
        assert job.submit(of_a_job).result() == max(1, cores // 4)
    assert store.client().query(asked).result_rows == [(cores,)]


def test_embedded_engine_is_bounded(engine: Connections) -> None:
    """By default it would take nine tenths of the machine, and 5 GiB for each of its caches."""
    rows = engine.client().query(
        "SELECT name, toUInt64(value) FROM system.server_settings WHERE name IN"
        " ('max_server_memory_usage', 'mark_cache_size', 'primary_index_cache_size')"
    )
    assert {str(name): int(value) for name, value in rows.result_rows} == {
        "max_server_memory_usage": 4096 * MIB,
        "mark_cache_size": 512 * MIB,
        "primary_index_cache_size": 512 * MIB,
    }


def test_readers_have_their_limits_and_may_only_read(engine: Connections) -> None:
    """A fraction of a second is a second: rounded down it would be no limit at all."""
    store = Connections(
        engine.config.model_copy(update={"query_seconds_max": 0.3, "query_rows_max": 7})
    )
    names = ("max_execution_time", "max_result_rows", "max_memory_usage", "readonly")
    columns = ", ".join(f"toUInt64(getSetting('{name}'))" for name in names)
    rows = [
        client.query(f"SELECT {columns}").result_rows
        for client in (store.outside(), store.reader())
    ]
    store.close()
    assert rows == [[(1, 7, 1024 * MIB, 1)], [(1, 0, 1024 * MIB, 1)]]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("kind", ["client", "reader", "outside"])
def test_read_that_fails_in_mid_stream_leaves_nothing_to_the_next(
    engine: Connections, kind: str, read: str
) -> None:
    """The engine would hand the rest of the failed answer to whatever its thread asks next."""
    store = Connections(engine.config.model_copy(update={"query_rows_max": 10**7}))
    client: Client = getattr(store, kind)()
    for _ in range(2):
        with pytest.raises(ClickHouseError, match="throwIf"):
            READS[read](client, FAILS_LATE)
        assert client.query("SELECT 41 + 1").result_rows == [(42,)]  # whoever kept it goes on
        assert getattr(store, kind)().query("SELECT 43").result_rows == [(43,)]
    store.close()


def test_read_that_meets_its_own_time_limit_leaves_nothing_to_the_next(engine: Connections) -> None:
    """It is the way in which a page of a large store fails; the next page is not to blame."""
    store = Connections(engine.config.model_copy(update={"query_seconds_max": 1}))
    # A block is 65,409 rows and 0.65 s, so the second one is past the limit.
    slow = "SELECT number, sleepEachRow(0.00001) FROM numbers(1000000)"
    with pytest.raises(ClickHouseError, match=r"Timeout exceeded|TIMEOUT_EXCEEDED"):
        store.reader().query(slow)
    assert store.reader().query("SELECT 42").result_rows == [(42,)]
    store.close()


@pytest.mark.parametrize("kind", ["client", "reader", "outside"])
def test_stream_that_is_left_half_read_leaves_nothing_to_the_next(
    engine: Connections, kind: str
) -> None:
    """A reader that has seen enough closes its generator; what it asked for runs no longer."""
    store = Connections(engine.config.model_copy(update={"query_rows_max": 10**7}))
    client: Client = getattr(store, kind)()

    rows = _rows(client, LONG)
    assert next(rows) == (0, "0")
    assert client.query("SELECT 41").result_rows == [(41,)]  # while the stream is open
    assert next(rows) == (1, "1")
    rows.close()
    assert client.query("SELECT 42").result_rows == [(42,)]

    dropped = client.query_row_block_stream(LONG)  # never entered
    del dropped
    running = store.client().query(
        "SELECT count() FROM system.processes WHERE query LIKE {like:String}",
        parameters={"like": f"{LONG}%"},
    )
    assert running.result_rows == [(0,)]
    store.close()


def test_reader_keeps_its_limits_after_a_failure(engine: Connections) -> None:
    """`readonly` is a wall; a connection that is made anew must not be without it."""
    store = Connections(engine.config.model_copy(update={"query_rows_max": 7}))
    for client in (store.reader(), store.outside()):
        with pytest.raises(ClickHouseError):
            client.query("SELECT FROM WHERE")
        with pytest.raises(ClickHouseError, match="readonly"):
            client.command("CREATE TABLE not_here (a UInt8) ENGINE = Memory")
        assert client.query("SELECT currentDatabase()").result_rows == [("engine",)]
    with pytest.raises(ClickHouseError, match="max rows: 7"):
        store.outside().query("SELECT number FROM numbers(8)")
    store.close()


def _read_stream(client: Client, sql: str) -> object:
    with client.query_rows_stream(sql) as stream:
        return list(stream)


def _rows(client: Client, sql: str) -> Generator[tuple[object, ...], None, None]:
    with client.query_rows_stream(sql) as stream:
        yield from stream


def test_cluster_needs_a_server() -> None:
    """The embedded engine has no shards; a start that ignored the key would look distributed."""
    with pytest.raises(ValidationError, match=r"name the server in store\.url"):
        StoreConfig(cluster="prod")
    assert StoreConfig(url="http://db:8123", cluster="prod").cluster == "prod"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://ada:se@cret@db:8443/path?ca_cert=x", "https://db:8443/path"),
        ("http://db:8123", "http://db:8123"),
        ("chdb:///var/lib/millworth/store", "/var/lib/millworth/store"),
    ],
)
def test_place_of_a_store_can_be_shown(url: str, place: str) -> None:
    """It stands in log lines and errors, which nobody guards as a password."""
    assert StoreConfig(url=url).place == place


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DatabaseError("x", code=516), StoreRefusedError, "correct user and password"),
        (DatabaseError("x", code=497), StoreRefusedError, "grant its user"),
        (DatabaseError("x", code=60), StoreRefusedError, "run `millworth migrate`"),
        (DatabaseError("x", code=115), StoreRefusedError, "use ClickHouse 25.8 or later"),
        (DatabaseError("x", code=701), StoreRefusedError, "name a cluster"),
        (DatabaseError("x", code=241), StoreUnavailableError, "is asked again"),
        (DatabaseError("x", code=252), StoreUnavailableError, "is asked again"),
        (DatabaseError("x", code=99_999), StoreUnavailableError, "is asked again"),
        (DatabaseError("HTTP driver received HTTP status 503"), TransientError, "does not answer"),
        (DatabaseError("HTTP driver received HTTP status 404"), PermanentError, "not a ClickHouse"),
        (RuntimeError("Code: 164. DB::Exception: READONLY"), StoreRefusedError, "grant its user"),
        (RuntimeError("Setting max_threads is readonly"), StoreRefusedError, "grant its user"),
        (OSError("refused"), StoreUnavailableError, "start that server"),
    ],
)
def test_error_of_the_store_says_whether_to_try_again(
    error: Exception, kind: type[MillworthError], said: str
) -> None:
    """A retry of what is refused is noise; giving up on the rest would lose what was taken."""
    explained = explain(error, "http://db:8123")
    assert isinstance(explained, kind)
    assert said in str(explained)
    assert "http://db:8123" in str(explained)


def test_error_of_ours_stays_as_it_is() -> None:
    """It says more than the store could."""
    error = InputError("a line of ours")
    assert explain(error, "anywhere") is error


def test_envelope_of_client_and_server_is_left_out() -> None:
    """What is wrong comes first on a line that a person reads."""
    error = DatabaseError(
        "Received ClickHouse exception, code: 516, server response: Code: 516. DB::Exception: ada: "
        "Authentication failed. (AUTHENTICATION_FAILED) (version 26.9.2.1 (official build)) "
        "(for url http://db:8123)\nand more",
        code=516,
    )
    assert str(explain(error, "db")).endswith(
        ": Code: 516. ada: Authentication failed. (AUTHENTICATION_FAILED)"
    )


@given(st.text(max_size=2_000), st.none() | st.integers(-1, 2_000))
def test_any_error_is_one_line_of_ours(text: str, code: int | None) -> None:
    """Whatever a proxy in between may say."""
    explained = explain(DatabaseError(text, code=code), "db")
    assert isinstance(explained, TransientError | PermanentError)
    assert len(str(explained).splitlines()) == 1
    assert code is None or error_code(DatabaseError(text, code=code)) == code
