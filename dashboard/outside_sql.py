"""Pure: which SQL from outside may reach the store's read-only connection.

`readonly = 1` refuses writes and every table function that reaches out of the store. Seen in chDB
26.9, it does not refuse `INTO OUTFILE`, which writes a file, nor the scalar function `file()`,
which reads one; and a second statement behind a semicolon is run too. Those are refused here, on
the words of the statement: the text is split as ClickHouse's own lexer splits it, and what that
lexer might read in another way (heredocs, comments that start with #, typographic quotes) is
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

from collector.errors import InputError
from dashboard.rows import Answer

SQL_CHARS_MAX = 100_000

_FIRST_WORDS = frozenset(
    {"select", "with", "from", "show", "describe", "desc", "explain", "exists", "("}
)
_REFUSED = {
    "outfile": "INTO OUTFILE writes a file; take the rows from the answer",
    "file": "file() reads files of this machine; give a column of that name another alias",
}

# In this order: what opens a comment or a string hides all that follows up to its end.
_TOKEN = re.compile(
    r"""
    (?P<space>[\s]+)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|\\.|'')*+')
    | (?P<quoted>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9][0-9A-Za-z_]*)
    | (?P<symbol>[-+*/%=<>!(),.\[\]{}:;?|^&~@])
    """,
    re.VERBOSE | re.DOTALL,
)
_PARAMETER = re.compile(r"\{\s*[A-Za-z_]\w*\s*:")


def check_statement(sql: str) -> str:
    """Return the one statement to run, without its closing semicolon.

    Raises:
        InputError: the statement is none, more than one, or asks for more than rows of the store.
    """
    if len(sql) > SQL_CHARS_MAX:
        raise InputError(f"sql has {len(sql)} characters, at most {SQL_CHARS_MAX} are taken")
    tokens = [(kind, text, at) for kind, text, at in _tokens(sql) if kind != "space"]
    code = [token for token in tokens if token[0] != "comment"]
    end = len(sql)
    while code and code[-1][1] == ";":
        end = code.pop()[2]
    if not code:
        raise InputError("sql is empty; send one SELECT")
    if code[0][1].lower() not in _FIRST_WORDS:
        raise InputError(
            f"{code[0][1][:40]} is not read-only; only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and "
            "EXISTS are answered"
        )
    for kind, text, _ in code:
        if text == ";":
            raise InputError("sql has more than one statement; send them one by one")
        name = text.lower() if kind == "word" else text[1:-1].lower() if kind == "quoted" else ""
        if name in _REFUSED:
            raise InputError(_REFUSED[name])
    if len(code) > 2 and code[-2][0] == "word" and code[-2][1].lower() == "format":
        raise InputError("FORMAT is not taken: the answer is always JSON; leave it out")
    return sql[:end]


def check_parameters(sql: str, parameters: dict[str, object]) -> dict[str, object] | None:
    """Return what to bind, None where nothing is.

    Without a placeholder the client would format the text with `%` instead of binding.

    Raises:
        InputError: there are parameters and no placeholder.
    """
    if not parameters:
        return None
    if not _PARAMETER.search(sql):
        raise InputError("parameters are given, but sql has no placeholder such as {name:String}")
    return parameters


def read_answer(text: bytes) -> Answer:
    """Turn ClickHouse's JSONCompact into an answer.

    Integers stay integers, at any size; a Decimal is a string, so that no digit is lost; NaN and
    infinities are null; times are strings with all their digits.
    """
    answer = json.loads(text, parse_float=Decimal)
    types = [str(column["type"]) for column in answer["meta"]]
    exact = ["Decimal" in kind for kind in types]
    rows = [
        [_value(value, as_text=is_exact) for value, is_exact in zip(row, exact, strict=True)]
        for row in answer["data"]
    ]
    names = [str(column["name"]) for column in answer["meta"]]
    return Answer(columns=names, types=types, rows=rows, row_count=len(rows))


def first_line(error: Exception) -> str:
    """Return what the engine says in one line, without its code numbers."""
    text = " ".join(str(error).split())
    text = re.sub(r"^(?:Code: \d+\. )?(?:DB::Exception: )*(?:\w+: (?=Cannot execute))?", "", text)
    text = re.sub(r"Code: \d+\. DB::Exception: ", "", text)
    text = re.sub(r"\. Expected one of:.*", "", text)
    text = re.sub(r"\s*\(version [^)]*\)", "", text)
    return text[:400] or type(error).__name__


def _tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None:
            raise InputError(
                f"sql: {sql[at]!r} at character {at + 1} is not taken outside of quotes, or a "
                "quote is not closed"
            )
        assert match.lastgroup is not None
        yield match.lastgroup, match.group(), at
        at = match.end()


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
