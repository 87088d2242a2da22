"""I/O: the records of a file from outside, as text: CSV, Parquet, JSON.

What a file is shows in its first bytes, not in its name. Every value becomes the text that CSV
would have: a decimal exactly as it stands, an instant in ISO 8601, nothing as "". So one check of
values serves all, and a sentence about a bad record says where it stands.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from collector.core.errors import InputError
from collector.imports.parquet_worker import REFUSED

_PARQUET: Final = b"PAR1"
_PARQUET_SECONDS_MAX: Final = 300.0
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Records:
    """What a file has."""

    format: str  # csv, parquet or json
    columns: tuple[str, ...] | None  # of all records; None where each has its own
    # Where each stands, and its values, or what is wrong with it. A column that is not there has
    # no key.
    records: Iterator[tuple[str, Record | str]]


def read_records(name: str, content: bytes, columns: Collection[str]) -> Records:
    """Return the records of a file.

    Args:
        name: of the file, for the sentences.
        content: CSV with a header, a JSON array, JSON lines, or Parquet.
        columns: those that are read. Of Parquet no other is; an empty collection reads all.

    Raises:
        InputError: it is none of them; also while records are read.
    """
    if content.startswith(_PARQUET):
        return _parquet(name, content, columns)
    text = _decode(name, content)
    if text.lstrip()[:1] in ("{", "["):
        return Records("json", None, _json(name, text))
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(reader.fieldnames or ())
    except csv.Error as error:
        raise InputError(f"{name}: not CSV: {error}; repair its header") from error
    for column in columns:
        if header.count(column) > 1:
            raise InputError(f"{name}: column {column} is there twice; leave one")
    return Records("csv", header, _csv(name, reader))


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8, or send Parquet"
        ) from error


def _csv(name: str, reader: csv.DictReader[str]) -> Iterator[tuple[str, Record | str]]:
    lines_of = reader.reader  # the other counts no line of a row that is none
    while True:
        first = lines_of.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The reader goes on with the next line.
            last = lines_of.line_num
            where = f"{name}:{first}" + (f" to {last}" if last > first else "")
            yield where, f"not CSV: {error}; repair its quotes: write a quote as two"
            continue
        where = f"{name}:{reader.line_num}"
        if None in record:
            yield where, "more values than the header has columns; quote commas"
        elif None in record.values():
            yield where, "fewer values than the header has columns; is the file cut off?"
        else:
            yield where, {column: value.strip() for column, value in record.items()}


def _json(name: str, text: str) -> Iterator[tuple[str, Record | str]]:
    """Yield the objects of one array, of one object, or of lines."""
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    # An object over several lines has none that is one; of lines, one of the first may be broken.
    if text.lstrip().startswith("{") and any(_is_object(line) for _, line in lines[:2]):
        for number, line in lines:
            try:
                yield f"{name}:{number}", _flat(_load(line))
            except _NotJsonError as error:
                yield f"{name}:{number}", str(error)
        return
    try:
        whole = _load(text)
    except _NotJsonError as error:
        raise InputError(f"{name}: {error}") from error
    for number, item in enumerate([whole] if isinstance(whole, _Pairs) else whole, start=1):
        yield f"{name}: record {number}", _flat(item)


def _is_object(text: str) -> bool:
    try:
        return isinstance(_load(text), _Pairs)
    except _NotJsonError:
        return False


def _load(text: str) -> Any:  # noqa: ANN401 - whatever somebody wrote
    """Return what JSON says, numbers as they are written, so that money stays exact."""
    try:
        return json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=str,
            object_pairs_hook=_Pairs,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _NotJsonError(f"not JSON at {place}: {error.msg}; repair it") from error
    except RecursionError as error:
        raise _NotJsonError("it nests beyond measure; write one flat object a record") from error


class _NotJsonError(Exception):
    pass


class _Pairs(list[tuple[str, Any]]):
    """The names and values of an object."""

    __slots__ = ()


def _flat(item: Any) -> Record | str:  # noqa: ANN401 - whatever somebody wrote
    if not isinstance(item, _Pairs):
        return 'not an object; write one a record, like {"day": "2026-05-31"}'
    record: Record = {}
    for key, value in item:
        if key in record:
            return f"{key!r} is there twice; leave one"
        if isinstance(value, list):  # an object is one too
            return f"{key!r} holds several values; write one"
        if isinstance(value, bool):
            record[key] = "true" if value else "false"
        else:
            record[key] = "" if value is None else value.strip()
        if _SURROGATE.search(record[key]):
            return f"{key!r} holds half of a surrogate pair; write it as UTF-8"
    return record


def _parquet(name: str, content: bytes, columns: Collection[str]) -> Records:
    """Return what a process of its own reads; its first line is the names of the columns."""
    try:
        process = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "collector.imports.parquet_worker", *columns],
            input=content,
            capture_output=True,
            timeout=_PARQUET_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{name}: not read within {_PARQUET_SECONDS_MAX:g} s; split the file"
        ) from error
    if process.returncode == REFUSED:
        raise InputError(f"{name}: {process.stderr.decode()}")
    if process.returncode != 0:
        raise InputError(f"{name}: not Parquet that can be read; write it again")
    names, *rows = process.stdout.splitlines()
    chosen = [column for column in json.loads(names) if not columns or column in columns]
    records = (dict(zip(chosen, json.loads(row), strict=True)) for row in rows)
    numbered = ((f"{name}: row {number}", record) for number, record in enumerate(records, start=1))
    return Records("parquet", tuple(json.loads(names)), numbered)
