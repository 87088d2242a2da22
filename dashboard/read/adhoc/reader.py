"""I/O: SQL from outside: parsed by the engine, judged, run, and stopped."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.binding import bind_query
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.errors import InputError
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.store.connect import Connections
from dashboard.read.adhoc.sql import (
    check_size,
    engine_error,
    judged_as,
    parse_failure,
    read_answer,
    read_tree,
)
from dashboard.read.adhoc.tree import closed_function, judge
from dashboard.read.rows import Answer

_NAME = re.compile(r"[A-Za-z_]\w*")
STOP_TRIES = 20
STOP_AGAIN_S = 0.1


_log = get_logger("dashboard")


class Running:
    """A statement from outside while it runs: by what it may be stopped, and not the next one.

    The mark belongs to a connection, which goes from one statement to the next; so whoever stops
    one holds the other up until the engine has been told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark = ""
        self._is_stopped = False

    @contextmanager
    def under(self, mark: str) -> Iterator[None]:
        """Run under a mark."""
        with self._lock:
            self._mark = mark
        try:
            yield
        finally:
            with self._lock:
                self._mark = ""

    def check(self) -> None:
        """Go on, or end here where it was stopped before the engine knew of it."""
        with self._lock:
            if self._is_stopped:
                raise InputError("stopped: its client left, or its time was over")

    def stop(self) -> None:
        """Let it not begin what it has not begun."""
        with self._lock:
            self._is_stopped = True

    @contextmanager
    def mark(self) -> Iterator[str]:
        """Hold it as it is: the mark, "" where it has not begun or has ended."""
        with self._lock:
            yield self._mark


class OutsideReader:
    """Answers SQL from outside; each thread over its own connection.

    A connection on which a query failed is given up, as in `dashboard.read.reader`.
    """

    def __init__(self, store: Connections) -> None:
        self._store = store

    def answer(
        self, sql: str, parameters: dict[str, object], running: Running | None = None
    ) -> Answer:
        """Answer SQL from outside, read-only and within the reader's limits.

        Args:
            running: by which another thread may stop it meanwhile.

        Raises:
            InputError: the statement is refused, by us or by the engine, in one line.
        """
        running = running or Running()
        with running.under(self._store.outside_mark):
            return self._answer(sql, parameters, running)

    def stop(self, running: Running) -> None:
        """End a statement from outside that another thread runs; one that has ended is no error."""
        running.stop()
        waiting = threading.Event()
        for _ in range(STOP_TRIES):
            with running.mark() as mark:
                if not mark:
                    return
                try:
                    self._store.client().command(
                        sql("stop_statement", __file__), parameters={"mark": mark}
                    )
                except ClickHouseError as error:
                    # It ends by its own limit of time then.
                    _log.warning("statement_not_stopped", error=engine_error(error))
                    return
            # The engine may not have known of it yet.
            waiting.wait(STOP_AGAIN_S)

    def _answer(self, sql: str, parameters: dict[str, object], running: Running) -> Answer:
        statement = self._parsed("format_statement", check_size(sql))
        tree = read_tree(self._parsed("parse_statement", judged_as(statement)))
        allowed = judge(tree, self._store.config.database)
        self._refuse_functions(allowed.names)
        bound = check_parameters(statement, parameters, is_asked=allowed.has_parameters)
        running.check()
        try:
            text = self._store.outside().raw_query(statement, parameters=bound, fmt="JSONCompact")
        except (ClickHouseError, TypeError, ValueError) as error:
            raise InputError(engine_error(error)) from error
        return read_answer(text)

    def _refuse_functions(self, names: frozenset[str]) -> None:
        """Refuse a name that is a function beyond the list; a column has another alias then."""
        if not names:
            return
        parameters = {"names": sorted(names)}
        try:
            functions = (
                self._store.outside()
                .query(sql("functions_named", __file__), parameters)
                .result_rows
            )
        except ClickHouseError as error:
            raise InputError(engine_error(error)) from error
        for (name,) in functions:
            raise InputError(f"{closed_function(str(name))}; a column may have another alias")

    def _parsed(self, name: str, statement: str) -> str:
        """Have the engine parse a statement from outside: a value here, which does not run."""
        try:
            result = self._store.outside().query(sql(name, __file__), parameters={"sql": statement})
        except (ClickHouseError, ValueError) as error:
            raise InputError(parse_failure(error)) from error
        return str(result.result_rows[0][0])


def check_parameters(
    sql: str, parameters: dict[str, object], *, is_asked: bool
) -> dict[str, object] | None:
    """Return what to bind, None where nothing is.

    The client puts values into the text with `%` where it finds no placeholder of its own; so its
    own rule is asked whether the text stays as it was judged.

    Args:
        sql: the text that was judged, and will run.
        parameters: by name.
        is_asked: there is a placeholder in its tree.

    Raises:
        InputError: there are parameters and no placeholder.
    """
    if not parameters:
        return None
    odd = [name for name in parameters if not _NAME.fullmatch(name)]
    if odd:
        raise InputError(f"parameter {odd[0][:60]!r} has no name of letters, digits and _")
    try:
        text, bound = bind_query(sql, dict(parameters))
    except (ClickHouseError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"parameters cannot be bound: {error}") from error
    if not is_asked or text != sql or not bound:
        raise InputError(
            "parameters are given, but sql has no placeholder such as {name:String} outside of text"
        )
    return parameters
