"""I/O: the one place where a connection to ClickHouse is made, embedded or server.

A connection serves one thread at a time. `Connections` hands each thread its own; a read-only
connection is separate, because `readonly` sticks to a handle once it is set. What a failed call
leaves behind never reaches the next one: no caller has to close a connection after a failure.
"""

from __future__ import annotations

import logging
import math
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.audit.seal import AuditSeal
from collector.core.config import StoreConfig
from collector.core.disk import closed_to_us, remedy_of
from collector.core.errors import (
    InputError,
    StoreInUseError,
    StoreUnavailableError,
    first_line,
)
from collector.store.client.directory import inside, prepare_directory, require_room
from collector.store.client.guarded import unspoilt
from collector.store.client.held import held_s
from collector.store.client.long_lists import with_long_lists
from collector.store.client.reading import Count, count_reads
from collector.store.client.unfinished import KEEP_LAPSED
from collector.store.client.unmerged import NO_MERGES, release_parts
from collector.store.errors import explain
from collector.store.memory import engine_memory_bytes, memory_bytes, read_memory_bytes

# It logs what it raises too, past the lines of ours: one that is no JSON among them.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)

# Of a failed start the engine says no more than that.
_OTHER_PATH = "already initialized with path"

# The client cuts an error at 1,024 characters, and the part that names the reader comes last: by
# it bytes that cannot be parsed are told from a failure that a retry heals.
common.set_setting("max_error_size", 16 * 1024)

_ENGINE_CONFIG = Path(__file__).parent / "embedded.xml"

_CONNECT_SECONDS = 10
OUTSIDE_ARRAY_MAX = 5_000_000

# What a cluster needs of every request (docs/adr/006): an insert returns when the shards have it; a
# subquery over a spread table sees all shards; rows that a query writes are placed by their key.
_CLUSTER_SETTINGS: dict[str, int | str] = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "parallel_distributed_insert_select": 0,
}

# As the embedded engine's file says for itself: days are of UTC wherever a server runs.
_SERVER_SETTINGS: dict[str, int | str] = {"session_timezone": "UTC"}

_EMBEDDED_SETTINGS: dict[str, str] = {
    # What never leaves the process need not be packed.
    "output_format_arrow_compression_method": "none",
    # What is read is in the page cache: another thread to read it, and its wakening, cost a tenth
    # of a small question.
    "local_filesystem_read_method": "pread",
}

_NO_MERGES: Final = {f"merge_tree.{name}": value for name, value in NO_MERGES.items()}


class Connections:
    """One connection a thread to one store, made on first use."""

    def __init__(
        self, config: StoreConfig, count: Count | None = None, *, merges: bool = True
    ) -> None:
        """Connect nowhere yet.

        Args:
            config: which store.
            count: is told what the embedded engine read, and who asked.
            merges: whether the embedded engine merges parts. Whoever only looks leaves them be: one
                that is merged as it is opened loses what is over its time by the machine's clock.
        """
        self.config = config
        self._merges = merges
        self._count = count
        self.audit_seal: AuditSeal | None = None  # by which acts on this store are sealed
        self._local = threading.local()

    def client(self) -> Client:
        """Return this thread's connection, for reading and writing.

        Raises:
            StoreInUseError: another process owns the directory.
            StoreUnavailableError: the server does not answer.
        """
        return self._of_thread("client", self._connect)

    def reader(self) -> Client:
        """Return this thread's read-only connection for our own queries: limits on time, memory.

        How many rows a query returns is its own business; a trace may have tens of thousands.
        """
        return self._of_thread("reader", lambda: self._connect_reader(self.config, {}))

    def outside(self) -> Client:
        """Return this thread's read-only connection for SQL from outside, limited in rows too.

        `readonly = 1` is not a wall by itself (dashboard/read/adhoc/sql.py).
        """
        if not hasattr(self._local, "outside_mark"):
            self._local.outside_mark = f"outside-{uuid.uuid4()}"
        mark = str(self._local.outside_mark)
        url = self.config.query_url or self.config.url
        return self._of_thread(
            "outside",
            lambda: self._connect_reader(
                self.config.model_copy(update={"url": url}),
                {
                    "max_memory_usage": read_memory_bytes(
                        self.config, memory_bytes(), is_outside=True
                    ),
                    "max_result_rows": self.config.query_rows_max,
                    "result_overflow_mode": "throw",
                    # One call of a function is not interrupted; so it may not make 500 million.
                    "function_range_max_elements_in_block": OUTSIDE_ARRAY_MAX,
                    "log_comment": mark,
                },
            ),
        )

    @property
    def outside_mark(self) -> str:
        """Return by what `KILL QUERY` knows the statement of this thread's `outside()`."""
        self.outside()
        return str(self._local.outside_mark)

    def work_in_background(self) -> None:
        """Let what this thread asks of the embedded engine use a quarter of its cores, or one.

        To spread the little that a job asks for over more of them takes a sixth more CPU.
        """
        self._local.is_background = True

    def close(self) -> None:
        """Close this thread's connections."""
        for name in ("client", "reader", "outside"):
            client: Client | None = getattr(self._local, name, None)
            if client is not None:
                client.close()
                delattr(self._local, name)

    def _connect(self) -> Client:
        client = connect(self.config, merges=self._merges)
        if self.config.embedded_path is not None and hasattr(self._local, "is_background"):
            # As the engine counts them: a container may have fewer than the machine.
            ((cores,),) = client.query("SELECT toUInt64(getSetting('max_threads'))").result_rows
            client.set_client_setting("max_threads", max(1, cores // 4))
        return client

    def _connect_reader(self, config: StoreConfig, more: dict[str, int | str]) -> Client:
        """Connect for reading alone; the database has to be there."""
        limits = {
            "max_execution_time": math.ceil(config.query_seconds_max),  # 0 would be without end
            "max_memory_usage": read_memory_bytes(config, memory_bytes()),
            **more,
            **(_CLUSTER_SETTINGS if config.cluster else {}),
        }
        if config.embedded_path is not None:
            client = connect(config, merges=self._merges)
            for name, value in limits.items():
                client.set_client_setting(name, value)
            client.command("SET readonly = 1")
            return client
        try:
            client = _open(config, {**limits, "readonly": 1})
            _use(client, config)
        except (ClickHouseError, RuntimeError) as error:
            raise _explain(error, config) from error
        return client

    def _of_thread(self, name: str, make: Callable[[], Client]) -> Client:
        client: Client | None = getattr(self._local, name, None)
        if client is None:
            if self.config.embedded_path is None:
                client = make()
            elif (count := self._count) is None:
                client = unspoilt(make)
            else:
                client = unspoilt(lambda: count_reads(make(), count))
            setattr(self._local, name, client)
        return client


def connect(config: StoreConfig, *, merges: bool = True) -> Client:
    """Connect to the store and make its database where there is none.

    What is asked of the embedded engine with the first connection of a process holds for all.

    Raises:
        InputError: the directory cannot be made or written.
        StoreInUseError: another process owns the directory.
        StoreUnavailableError: the server does not answer.
        StoreRefusedError: the server answers, and its user may not do this.
    """
    path = config.embedded_path
    if path is not None:
        if held_s(path) is not None:
            raise _in_use(path)
        prepare_directory(path)
        try:
            is_there = (path / "metadata" / f"{config.database}.sql").exists()
        except PermissionError as error:
            raise _closed(path, path) from error
        if not is_there:
            require_room(path)
    try:
        client = _open(config, _CLUSTER_SETTINGS if config.cluster else {}, merges=merges)
        if path is not None:
            for name, value in _EMBEDDED_SETTINGS.items():
                client.set_client_setting(name, value)
        _make_database(client, config)
        _use(client, config)
        if path is not None:
            client.command(KEEP_LAPSED)
            if merges:
                release_parts(client)
    except (ClickHouseError, RuntimeError) as error:
        raise _explain(error, config) from error
    return client


def _open(config: StoreConfig, settings: dict[str, int | str], *, merges: bool = True) -> Client:
    path = config.embedded_path
    if path is not None:
        options = {**_engine_options(config), **({} if merges else _NO_MERGES)}
        try:
            with inside(path):
                # Loaded by whoever has the engine: it is not there beside a server. It is opened,
                # over no directory, as it is loaded.
                from collector.store.client.embedded import open_embedded

                return open_embedded(path, options)
        except ImportError as error:  # it names itself as missing, whatever it could not begin with
            raise InputError(
                f"the embedded engine did not load: {first_line(error)}; set TZ to a time zone "
                "that exists, or to nothing, and install Millworth again if that does not help"
            ) from error
        except ValueError as error:  # of the engine, where its own settings are not good
            raise StoreUnavailableError(
                f"store {path} did not open: {first_line(error)}"
            ) from error
    client = clickhouse_connect.get_client(
        dsn=config.url,
        settings={**_SERVER_SETTINGS, **settings},
        # Without a session a connection may go to any node behind a balancer, and no call has to
        # wait for another; what a session would keep, settings, goes with each request.
        autogenerate_session_id=False,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=math.ceil(config.timeout_seconds),
    )
    return with_long_lists(client)


def _make_database(client: Client, config: StoreConfig) -> None:
    """Make the database where there is none, so that a user may do without the right to."""
    ((exists,),) = client.query(f"EXISTS DATABASE {config.database}").result_rows
    if not exists:
        on_cluster = f" ON CLUSTER '{config.cluster}'" if config.cluster else ""
        client.command(
            f"CREATE DATABASE IF NOT EXISTS {config.database}{on_cluster} ENGINE = Atomic"
        )


def _use(client: Client, config: StoreConfig) -> None:
    if config.embedded_path is not None:
        client.command(f"USE {config.database}")
    client.database = config.database


def _engine_options(config: StoreConfig) -> dict[str, int | str]:
    """Return the rights and limits of the embedded engine; those of the first connection hold.

    The caches are 5 GiB each by default, which is more than the engine may take in all.
    """
    memory_max = engine_memory_bytes(config, memory_bytes())
    return {
        # Without a file of its own the engine would not look for its users elsewhere.
        "config-file": str(_ENGINE_CONFIG),
        "users_config": str(_ENGINE_CONFIG),
        "max_server_memory_usage": memory_max,
        "mark_cache_size": memory_max // 8,
        "primary_index_cache_size": memory_max // 8,
    }


def _explain(error: Exception, config: StoreConfig) -> Exception:
    text = str(error)
    if _OTHER_PATH in text:
        return InputError(
            f"this process has already opened another store than {config.embedded_path}; "
            "one process owns one embedded store"
        )
    if config.embedded_path is not None and held_s(config.embedded_path) is not None:
        return _in_use(config.embedded_path)
    if config.embedded_path is None:
        return explain(error, config.place)
    closed = closed_to_us(config.embedded_path)
    if closed is not None:
        return _closed(config.embedded_path, closed)
    return StoreUnavailableError(f"store {config.embedded_path} did not open: {first_line(error)}")


def _closed(path: Path, closed: Path) -> InputError:
    give = f"give all of it to this one: `chown -R USER: {path}`"
    remedy = remedy_of(closed, f"ask as the user of the service, or {give}")
    return InputError(f"store {path} did not open: this user cannot use {closed}; {remedy}")


def _in_use(path: Path) -> StoreInUseError:
    return StoreInUseError(
        f"store {path} is held by another process, a service or a command; one has it at a time: "
        "try again when that one has ended"
    )
