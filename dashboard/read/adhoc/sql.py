"""Pure: SQL from outside on its way to the engine, and the engine's answer on its way back.

`readonly = 1` does not suffice: seen in chDB 26.9, it lets the scalar function `file()` read any
file, `INTO OUTFILE` write one, and `DESCRIBE TABLE url(...)` call another machine. So the engine
parses each statement, `dashboard/read/adhoc/tree.py` judges the tree, and what runs is the text
that the engine wrote of that tree, never the text that came.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from collector.core.errors import InputError, RequestTooLargeError, error_text
from dashboard.read.adhoc.tree import ANSWERED, Tree
from dashboard.read.rows import Answer

SQL_CHARS_MAX = 100_000

# Their trees are not written by the engine. What follows is what may follow FROM, and is judged so.
_OF_A_TABLE = ("DESCRIBE TABLE", "SHOW CREATE TABLE", "EXISTS TABLE")
# What the engine says around the reason when it parses for us.
_NO_TREE = re.compile(
    r"AST node of type '(?P<kind>[A-Za-z]+?)(?:Query)?(?:_[^']*)?' does not support"
)
_NO_PARSER = re.compile(r"Function with name `?(?:parseQueryToJSON|formatQuery)`? does not exist")
_SCOPE = re.compile(r":? In scope SELECT (?:formatQuery|parseQueryToJSON)\(.*", re.DOTALL)


def check_size(sql: str) -> str:
    """Return the statement, ready to be parsed.

    Raises:
        InputError: there is none.
        RequestTooLargeError: it is too long.
    """
    if len(sql) > SQL_CHARS_MAX:
        raise RequestTooLargeError(
            f"sql has {len(sql):,} characters, at most {SQL_CHARS_MAX:,} are taken; send what is "
            "long as values of placeholders"
        )
    if not sql.strip(" \t\r\n;"):
        raise InputError("sql is empty; send one SELECT")
    if "\0" in sql:
        raise InputError("sql has a NUL character; leave it out")
    return sql


def judged_as(formatted: str) -> str:
    """Return what stands for a statement, in the engine's own words, where its tree is judged."""
    for prefix in _OF_A_TABLE:
        if formatted.startswith(prefix):
            return "SELECT * FROM" + formatted.removeprefix(prefix)
    return formatted


def read_tree(text: str) -> Tree:
    """Return the tree that the engine wrote.

    Raises:
        InputError: it nests too deep to be read.
    """
    try:
        tree: Tree = json.loads(text)
    except RecursionError as error:
        raise InputError("sql nests too deep; send a plainer SELECT") from error
    return tree


def read_answer(text: bytes) -> Answer:
    """Turn ClickHouse's JSONCompact into an answer.

    Integers stay integers, at any size; a Decimal is a string, so that no digit is lost; NaN and
    infinities are null; times are strings with all their digits.
    """
    try:
        answer = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise InputError(
            "the answer of the engine cannot be read; send a plainer SELECT"
        ) from error
    types = [str(column["type"]) for column in answer["meta"]]
    exact = ["Decimal" in kind for kind in types]
    rows = [
        [_value(value, as_text=is_exact) for value, is_exact in zip(row, exact, strict=True)]
        for row in answer["data"]
    ]
    names = [str(column["name"]) for column in answer["meta"]]
    return Answer(columns=names, types=types, rows=rows, row_count=len(rows))


def parse_failure(error: Exception) -> str:
    """Return why the engine could not parse a statement, without the query that had it parsed."""
    said = engine_error(error)
    unknown = _NO_TREE.search(said)
    if unknown:
        return f"{unknown['kind']} is not read-only; {ANSWERED}"
    if "Empty query" in said:
        return "sql is empty; send one SELECT"
    if _NO_PARSER.search(said):
        return (
            "SQL from outside is judged on the tree that the store's own parser makes, and this "
            f"server has no function parseQueryToJSON; bring ClickHouse up to 26.9: {said}"
        )
    return _SCOPE.sub("", said).replace(
        "Multi-statements are not allowed", "more than one statement"
    )


def engine_error(error: Exception) -> str:
    """Return what the engine says in one line, without its code numbers."""
    text = " ".join(error_text(error).split())
    text = re.sub(r"^(?:Code: \d+\. )?(?:DB::Exception: )*(?:\w+: (?=Cannot execute))?", "", text)
    text = re.sub(r"Code: \d+\. DB::Exception: ", "", text)
    text = re.sub(r"\. Expected one of:.*", "", text)
    # The statement again: whoever wrote it has it, and to whoever reads a page it says nothing.
    text = re.sub(r" In scope \(*(?:SELECT|WITH)\b.*", "", text)
    text = re.sub(r"\s*\(version [^)]*\)", "", text)
    return text[:400] or type(error).__name__


def _value(value: object, *, as_text: bool) -> object:
    """Convert one cell; `as_text` for a column whose type holds a Decimal anywhere."""
    if isinstance(value, list):
        return [_value(item, as_text=as_text) for item in value]
    if isinstance(value, dict):
        return {key: _value(item, as_text=as_text) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    if as_text:
        return str(value)
    return float(value) if isinstance(value, Decimal) else value
