"""I/O: questions to the embedded engine whose answers are Arrow tables, without the detour.

The library reads each statement token by token in Python, for retries of its own, and writes each
text of a list character by character. Of a statement of a job, asked every two seconds, that took
a millisecond; of the ids of a thousand decisions, four. Both are as nothing here: the statement is
handed on as it is, and texts that need no escape, as ids do, are joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.binding import format_bind_value, format_str
from clickhouse_connect.driver.client import Client

if TYPE_CHECKING:
    import pyarrow as pa

# What the library writes with a backslash before it.
_ESCAPED = "\\'`\t\n"


def query_arrow(
    client: Client,
    statement: str,
    parameters: Mapping[str, object],
    settings: Mapping[str, object],
) -> pa.Table:
    """Return what the library's `query_arrow` returns.

    Args:
        client: of the embedded engine.
        statement: without FORMAT.
        parameters: values of its {name:Type}.
        settings: of this statement alone.

    Raises:
        DatabaseError: as the library's.
    """
    import pyarrow as pa  # the receivers answer before it is loaded

    backend: Any = client._backend  # type: ignore[attr-defined]  # the library shows it nowhere else
    bound = {name: bound_value(value) for name, value in parameters.items()}
    # In the statement: given apart, the connection is set, asked and set back, in 5 ms.
    changed = ", ".join(f"{name} = {format_str(str(of))}" for name, of in settings.items())
    text = f"{statement}\n FORMAT Arrow" + (f" SETTINGS {changed}" if changed else "")
    result = backend._run(text, "TabSeparated", params=bound, database=client.database)
    return pa.ipc.RecordBatchFileReader(result.bytes()).read_all()


def bound_value(value: object) -> str:
    """Return how the engine reads a parameter, as the library writes it."""
    if isinstance(value, list):
        if value and all(type(each) is str for each in value):
            joined = "".join(value)
            if not any(each in joined for each in _ESCAPED):
                return "['" + "', '".join(value) + "']"
        elif all(type(each) is int for each in value):
            return str(value)
    written: str = format_bind_value(value)
    return written
