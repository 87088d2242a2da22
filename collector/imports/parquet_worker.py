"""I/O: a process of its own that reads Parquet from standard input and writes lines of JSON.

The C++ reader ends its process on some files that were changed (seen: `std::out_of_range` from the
metadata, one flipped bit), so no service may read what somebody sends. The first line has the
names of all columns; each other one the texts of a row, of the columns that were asked for. What
cannot be taken is said on standard error, with REFUSED as the exit status.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from collector.core.times import NS_PER_S

REFUSED: Final = 3
_ROWS_PER_BATCH: Final = 10_000
# Of all columns that are read, as the file itself says; a file of a few kilobytes may say more.
_PLAIN_BYTES_MAX: Final = 512 * 2**20
# What it says is not believed: an address space that holds so many bytes, and what is read of them.
_MEMORY_BYTES_MAX: Final = 4 * 2**30
_CPU_SECONDS_MAX: Final = 240
_NS_PER_UNIT: Final = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}


class _RefusedError(Exception):
    pass


def main() -> int:
    """Read and write; return the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS_MAX, _CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold what people bought
    try:
        _write(sys.stdin.buffer.read(), sys.argv[1:], sys.stdout.buffer)
    except _RefusedError as error:
        sys.stderr.write(str(error))
        return REFUSED
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        sys.stderr.write(f"not Parquet that can be read: {message[:200]}; write it again")
        return REFUSED
    return 0


def _write(content: bytes, columns: Collection[str], out: BinaryIO) -> None:
    file = pq.ParquetFile(pa.BufferReader(content))
    schema = file.schema_arrow
    names = list(schema.names)
    if len(set(names)) < len(names):
        raise _RefusedError("two columns have one name; rename one")
    chosen = [column for column in names if not columns or column in columns]
    texts = [(column, _text_of(column, schema.field(column).type)) for column in chosen]
    _bound(file, set(chosen))
    out.write(json.dumps(names).encode() + b"\n")
    for batch in file.iter_batches(_ROWS_PER_BATCH, columns=chosen):
        values = [text(batch.column(column)) for column, text in texts]
        for row in zip(*values, strict=True):
            out.write(json.dumps(row).encode() + b"\n")


def _bound(file: pq.ParquetFile, chosen: set[str]) -> None:
    metadata = file.metadata
    size = sum(
        metadata.row_group(group).column(column).total_uncompressed_size
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
        if metadata.row_group(group).column(column).path_in_schema in chosen
    )
    if size > _PLAIN_BYTES_MAX:
        raise _RefusedError(f"its columns are {size} bytes when unpacked; split the file")


def _text_of(column: str, kind: pa.DataType) -> Callable[[pa.Array], list[str]]:
    """Return what makes texts of a column's values."""
    if pa.types.is_dictionary(kind):
        inner = _text_of(column, kind.value_type)
        return lambda values: inner(values.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return lambda values: _instants(values, kind)
    if pa.types.is_floating(kind):
        return _floating
    makers: list[tuple[Callable[[pa.DataType], bool], Callable[[Any], str]]] = [
        (pa.types.is_boolean, lambda value: "true" if value else "false"),
        (pa.types.is_integer, str),
        (pa.types.is_decimal, lambda value: format(value, "f")),
        (pa.types.is_date, date.isoformat),
        (lambda type_: pa.types.is_string(type_) or pa.types.is_large_string(type_), str.strip),
        (pa.types.is_binary, lambda value: value.decode().strip()),  # old Spark says so of text
        (pa.types.is_null, str),
    ]
    for is_kind, make in makers:
        if is_kind(kind):
            return lambda values: [
                "" if value is None else make(value) for value in values.to_pylist()
            ]
    raise _RefusedError(
        f"column {column} is of type {kind}, which has no place here; write text, numbers, "
        "decimals, booleans, dates or timestamps"
    )


def _floating(values: pa.Array) -> list[str]:
    """Return the shortest texts that mean these numbers, of the 32 or 64 bits that they have.

    What was 12.4 in the sender's hands is 12.4 here.
    """
    texts = values.cast(pa.string()).to_pylist()
    return ["" if text is None else _plain(text) for text in texts]


def _plain(text: str) -> str:
    number = Decimal(text)
    return format(number, "f") if number.is_finite() else text


def _instants(values: pa.Array, kind: pa.TimestampType) -> list[str]:
    """Return instants in ISO 8601, without an offset where the column says none."""
    factor = _NS_PER_UNIT[kind.unit]
    offset = "+00:00" if kind.tz else ""
    return [
        "" if count is None else _iso(count * factor) + offset
        for count in values.cast(pa.int64()).to_pylist()
    ]


def _iso(ns: int) -> str:
    seconds, rest = divmod(ns, NS_PER_S)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(ns)  # no instant of our calendar, as whoever reads it will say
    return f"{moment}.{rest:09}" if rest else moment


if __name__ == "__main__":
    sys.exit(main())
