"""Connecting: what is wrong is one line that names it and the remedy."""

from __future__ import annotations

import socket

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.config import StoreConfig
from collector.errors import (
    InputError,
    MillworthError,
    PermanentError,
    StoreRefusedError,
    StoreUnavailableError,
    TransientError,
)
from collector.store.connect import Connections, connect
from collector.store.failures import error_code, explain

MIB = 1024 * 1024


def test_server_that_does_not_answer_is_named_with_its_key() -> None:
    """The text of an HTTP library says neither which key is meant nor what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = taken.getsockname()[1]

        with pytest.raises(StoreUnavailableError, match=rf"{port} does not answer.*store\.url"):
            connect(StoreConfig(url=f"http://127.0.0.1:{port}"))


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
        (DatabaseError("HTTP driver received HTTP status 404"), PermanentError, "no ClickHouse"),
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
