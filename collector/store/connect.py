"""I/O: the one place where a connection to ClickHouse is made, embedded or server.

A connection serves one thread at a time. `Connections` hands each thread its own; a read-only
connection is separate, because `readonly` sticks to a handle once it is set.
"""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.config import StoreConfig
from collector.errors import InputError, StoreInUseError, StoreUnavailableError

# The engine holds this file locked while it runs; of a failed start it says no more than that.
_LOCK_FILE = "status"
_OTHER_PATH = "already initialized with path"

# Ours by the default settings, so its missing parents are made.
_STATE_DIR = Path("/var/lib/millworth")


class Connections:
    """One connection a thread to one store, made on first use."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self._local = threading.local()

    def client(self) -> Client:
        """Return this thread's connection, for reading and writing.

        Raises:
            StoreInUseError: another process owns the directory.
            StoreUnavailableError: the server does not answer.
        """
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = connect(self.config)
        return client

    def reader(self) -> Client:
        """Return this thread's read-only connection, limited in rows, memory and time.

        With `readonly=1` the engine refuses inserts, `file()`, `url()` and `executable()`.
        """
        client: Client | None = getattr(self._local, "reader", None)
        if client is None:
            client = connect(self.config)
            for name, value in _reader_limits(self.config).items():
                client.command(f"SET {name} = {value}")
            client.command("SET readonly = 1")
            self._local.reader = client
        return client

    def close(self) -> None:
        """Close this thread's connections."""
        for name in ("client", "reader"):
            client: Client | None = getattr(self._local, name, None)
            if client is not None:
                client.close()
                delattr(self._local, name)


def connect(config: StoreConfig) -> Client:
    """Connect to the store and make its database where there is none.

    Raises:
        InputError: the directory cannot be made or written.
        StoreInUseError: another process owns the directory.
        StoreUnavailableError: the server does not answer.
    """
    path = config.embedded_path
    if path is not None:
        _prepare_directory(path)
    try:
        client = clickhouse_connect.get_client(dsn=_dsn(config))
        client.command(f"CREATE DATABASE IF NOT EXISTS {config.database} ENGINE = Atomic")
        client.command(f"USE {config.database}")
        client.database = config.database
    except (ClickHouseError, RuntimeError) as error:
        raise _explain(error, config) from error
    return client


def _dsn(config: StoreConfig) -> str:
    path = config.embedded_path
    return config.url if path is None else f"chdb://{path.absolute()}"


def _prepare_directory(path: Path) -> None:
    """Make the directory, but not its parents: a missing parent is most often a typing error."""
    try:
        path.mkdir(parents=path.is_relative_to(_STATE_DIR), exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(
            f"store.url: the directory {path.parent} does not exist; make it, "
            "or name another with MILLWORTH__STORE__URL=chdb:///PATH"
        ) from error
    except OSError as error:
        raise InputError(
            f"store.url: cannot make the directory {path}: {error.strerror}; "
            "make it yourself, or name another with MILLWORTH__STORE__URL=chdb:///PATH"
        ) from error


def _reader_limits(config: StoreConfig) -> dict[str, int | str]:
    return {
        "max_result_rows": config.query_rows_max,
        "result_overflow_mode": "'throw'",
        "max_execution_time": round(config.query_seconds_max),
        "max_memory_usage": config.query_memory_max_mib * 1024 * 1024,
    }


def _explain(error: Exception, config: StoreConfig) -> Exception:
    text = str(error)
    if _OTHER_PATH in text:
        return StoreInUseError(
            f"this process has already opened another store than {config.embedded_path}; "
            "one process owns one embedded store"
        )
    if config.embedded_path is not None and _is_locked(config.embedded_path / _LOCK_FILE):
        return StoreInUseError(
            f"store {config.embedded_path} is in use by another process; stop that one, or give "
            "this one its own with MILLWORTH__STORE__URL=chdb:///PATH"
        )
    if config.embedded_path is None:
        where = config.url.rsplit("@", 1)[-1]
        return StoreUnavailableError(
            f"store {where} does not answer; start that server, or correct store.url "
            f"(MILLWORTH__STORE__URL): {text.splitlines()[0][:200]}"
        )
    return StoreUnavailableError(
        f"store {config.embedded_path} did not open: {text.splitlines()[0][:300]}"
    )


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
