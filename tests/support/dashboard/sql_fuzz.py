"""Random SQL that tries to touch a file, a socket or a program; also by hand, for hours.

    python -m tests.support.dashboard.sql_fuzz --statements 200000 --seed 7 --corpus DIRECTORY

Statements are drawn from a grammar over every function and table function that the engine has,
each name in one of its many spellings, and, where a directory of `.sql` files is given, from those:
whole, cut and joined, with strings and names replaced by what leads to a canary.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.schema.migrate import migrate
from dashboard.read.adhoc.reader import OutsideReader
from tests.support.dashboard.canary import Canary

_STRING = re.compile(r"'(?:[^'\\]|\\.)*'")
_CALL = re.compile(r"\b[A-Za-z_]\w*(?=\()")
# Read out of a script and dull: they take their time, and touch nothing.
_SLOW = re.compile(r"sleep|numbers\(\d{7,}|zeros\(\d{7,}|range\(\d{6,}|repeat\(", re.IGNORECASE)
PATH = "{canary}"
_READING = ["file", "FILE", "catboostEvaluate"]
_TAKING_ANYTHING = ["tuple", "toString", "ignore", "toTypeName", "cityHash64", "length", "hex"]
_TEMPLATES = (
    "SELECT {f}",
    "SELECT 1 WHERE {f}",
    "SELECT * FROM {t}",
    "SELECT * FROM ({s})",
    "WITH {f} AS x SELECT x",
    "WITH y AS ({s}) SELECT * FROM y",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + {f} FROM r LIMIT 3) SELECT * FROM r",
    "SELECT * APPLY({n}) FROM values('a String', {a})",
    "SELECT * APPLY(x -> {f}) FROM values('x String', {a})",
    "SELECT * REPLACE({f} AS a) FROM values('a String', {a})",
    "SELECT COLUMNS('a') APPLY({n}) FROM values('a String', {a})",
    "SELECT arrayMap(x -> {f}, [{a}])",
    "SELECT arrayMap({n}, [{a}])",
    "SELECT arrayReduce({a}, [{a}]), {f}",
    "SELECT {f} IN {t}",
    "SELECT 1 IN ({s})",
    "SELECT ({s}) = {f}",
    "SELECT a FROM values('a String', {f})",
    "SELECT sum(1) OVER (PARTITION BY {f} ORDER BY {f})",
    "SELECT 1 GROUP BY {f} HAVING {f} ORDER BY {f} LIMIT 1 BY {f}",
    "SELECT 1 LIMIT {f} OFFSET {f}",
    "SELECT 1 ORDER BY 1 WITH FILL FROM {f} TO {f}",
    "SELECT * FROM numbers({f}) ARRAY JOIN [{f}] AS z",
    "SELECT * FROM {t} AS a JOIN {t} AS b ON {f} = {f}",
    "{s} UNION ALL {s}",
    "({s}) EXCEPT ({s})",
    "SELECT {{p:String}} FROM {{d:Identifier}}.{{i:Identifier}}",
    "SELECT CAST({f} AS {a}), {f}::String",
    "SELECT CAST(now() AS {a}), now()::DateTime({a}), now() AT TIME ZONE {a}",
    "SELECT {n}(now(), {a}), {n}(now(), {f}), {n}('2020-01-01 00:00:00', {a})",
    "SELECT {f} SETTINGS max_threads = 1",
    "SELECT {f} INTO OUTFILE {a} TRUNCATE",
    "SELECT {f} FORMAT TSV",
    "DESCRIBE TABLE {t}",
    "DESCRIBE ({s})",
    "EXPLAIN {s}",
    "EXPLAIN AST {s}",
    "EXPLAIN SYNTAX {s}",
    "EXPLAIN ESTIMATE {s}",
    "EXPLAIN QUERY TREE {s}",
    "EXPLAIN PIPELINE {s}",
    "EXISTS TABLE {t}",
    "SHOW CREATE TABLE {t}",
    "SHOW TABLES FROM system LIKE {a}",
    "CHECK TABLE {t}",
    "INSERT INTO FUNCTION {t} {s}",
    "INSERT INTO decisions FROM INFILE {a} FORMAT TSV",
    "CREATE TABLE q ENGINE = File(TSV, {a}) AS {s}",
    "CREATE FUNCTION g AS x -> {f}",
    "BACKUP TABLE decisions TO File({a})",
    "{s}; {s}",
    "SELECT 1 /* */; {s} -- {a}",
    "EXECUTE AS default {s}",
    "{s} PARALLEL WITH {s}",
    "SELECT $x$ {a} $x$, {f}",
    "SELECT '{{p:', '%(p)s', {f}",
    "SELECT {{p:String}}, '%(p)s', {a}",
    "SELECT {n}(untuple(({a}, {a}))), {n}(COLUMNS('a')) FROM values('a String', {a})",
    "SELECT d.`DateTime({a})`, {n}(d, {a}) FROM (SELECT 1::Int64::Dynamic AS d)",
    "SELECT {n}(CAST(unhex({a}), 'AggregateFunction(any, Dynamic)')), {n}({a}, 'yyyy zzzz')",
    "FROM {t} SELECT {f}",
    "{f}",
    "VALUES ({f})",
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """Draws statements; `arguments` are the literals that lead to the canaries."""

    draw: random.Random
    functions: Sequence[str]
    table_functions: Sequence[str]
    arguments: Sequence[str]
    directory: Path  # of the canary
    files: Sequence[str]
    scripts: Sequence[str]  # statements from elsewhere, to be changed; may be empty

    def statement(self) -> str:
        """Return one statement, of which most parse."""
        if self.scripts and self.draw.random() < 0.5:
            return self._changed(self.draw.choice(self.scripts))
        return self._filled(self.draw.choice(_TEMPLATES), depth=0)

    def parameters(self) -> dict[str, object]:
        """Return values, some of which would be SQL if they were put into the text."""
        path = f"{self.directory}/{self.draw.choice(self.files)}"
        values = ("x", f", file($${path}$$), ", " INTO OUTFILE ", f"', file('{path}")
        value: dict[str, object] = {"p": self.draw.choice(values)}
        return value if self.draw.random() < 0.5 else value | {"d": "system", "i": "users"}

    def _filled(self, template: str, depth: int) -> str:
        fillers: dict[str, Callable[[], str]] = {
            "f": lambda: self._call(self.functions, depth),
            "t": lambda: self._table(depth),
            "n": lambda: self._spelled(self.draw.choice(self.functions)),
            "a": lambda: self._argument(),
            "s": lambda: (
                self._filled(self.draw.choice(_TEMPLATES), depth + 1) if depth < 3 else "SELECT 1"
            ),
        }
        text = re.sub(r"(?<!\{)\{([ftnas])\}", lambda match: fillers[match[1]](), template)
        return text.replace("{{", "{").replace("}}", "}")

    def _call(self, names: Sequence[str], depth: int) -> str:
        arguments = [
            self._call(names, depth + 1)
            if depth < 3 and self.draw.random() < 0.1
            else self._argument()
            for _ in range(self.draw.choice((0, 1, 1, 1, 2, 2, 3, 4)))
        ]
        return f"{self._spelled(self.draw.choice(names))}({', '.join(arguments)})"

    def _table(self, depth: int) -> str:
        kind = self.draw.random()
        if kind < 0.7:
            return self._call(self.table_functions, depth)
        names = ("decisions", "system.users", "system.processes", "information_schema.tables")
        return self._spelled(self.draw.choice(names))

    def _argument(self) -> str:
        """Return a literal; a path in a spelling of its own, since the engine remembers names."""
        text = self.draw.choice(self.arguments)
        if PATH not in text:
            return text
        steps = "".join(self.draw.choice(("/.", "/")) for _ in range(24))
        return text.replace(PATH, f"{self.directory}{steps}/{self.draw.choice(self.files)}")

    def _spelled(self, name: str) -> str:
        """Return a name in one of the ways that all mean it."""
        how = self.draw.randrange(8)
        if how < 3:
            return name
        if how == 3:
            return "".join(self.draw.choice((c.lower(), c.upper())) for c in name)
        if how == 4:
            return f"/* {name} */ {name} /**/ "
        quote = self.draw.choice('`"')
        if how == 5:
            return quote + name.replace(".", f"{quote}.{quote}") + quote
        escaped = "".join(
            f"\\x{ord(c):02x}" if c != "." and self.draw.random() < 0.5 else c for c in name
        )
        return quote + escaped.replace(".", f"{quote}.{quote}") + quote

    def _changed(self, text: str) -> str:
        for _ in range(self.draw.choice((0, 1, 1, 2, 3))):
            how = self.draw.randrange(4)
            if how == 0:
                text = self._replaced(_STRING, text, self._argument())
            elif how == 1:
                names = self.draw.choice((self.functions, self.table_functions))
                name = self._spelled(self.draw.choice(names))
                text = self._replaced(_CALL, text, name)
            elif how == 2:
                other = self.draw.choice(self.scripts)
                text = text[: self.draw.randrange(len(text) + 1)] + other[len(other) // 2 :]
            else:
                at = self.draw.randrange(len(text) + 1)
                text = text[:at] + self.draw.choice("'\"`();\\{}-#*$\n\t,.:x") + text[at:]
        return text

    def _replaced(self, pattern: re.Pattern[str], text: str, by: str) -> str:
        places = list(pattern.finditer(text))
        if not places:
            return text
        place = self.draw.choice(places)
        return text[: place.start()] + by + text[place.end() :]


def grammar_of(store: Connections, canary: Canary, seed: int, scripts: Sequence[str]) -> Grammar:
    """Return the grammar over everything that this engine has, aimed at one canary."""
    client = store.client()
    functions = client.query("SELECT name FROM system.functions ORDER BY name").result_rows
    tables = client.query("SELECT name FROM system.table_functions ORDER BY name").result_rows
    host, _, port = canary.address.partition(":")
    arguments = [
        *(f"'{place}'" for place in (PATH, f"file://{PATH}", f"file:{PATH}", f"../..{PATH}")),
        *(rf"'{kind}(\'{PATH}\')'" for kind in ("DateTime", "a DateTime", "Array(DateTime")),
        rf"'DateTime(\'file:{PATH}\')'",
        f"'{canary.file.parent}/*'",
        *(f"'{place}'" for place in (canary.address, f"http://{canary.address}/a", host)),
        f"'DSN=x;Server={host};Port={port}'",
        *("'LineAsString'", "'RawBLOB'", "'a String'", "'system'", "'users'", "'one'", "'x'", "''"),
        *("now()", "toDateTime(0)", "'2020-01-01 00:00:00'", "'%Y'", "'day'", "INTERVAL 1 DAY"),
        *("1", "0", port, "NULL", "[1]", "number", "a", "x", "*", "system.users", "decisions"),
    ]
    return Grammar(
        random.Random(seed),
        # What reads is worth more tries than the thousand functions that only compute; and what
        # takes anything carries a statement on to where it runs.
        [str(name) for (name,) in functions] + _READING * 100 + _TAKING_ANYTHING * 300,
        [str(name) for (name,) in tables] + ["file", "url", "executable", "remote", "s3"] * 10,
        arguments,
        canary.file.parent,
        [canary.file.name, canary.program.name],
        scripts,
    )


@dataclass(slots=True)
class Tally:
    """What became of the statements that were tried."""

    tried: int = 0
    answered: int = 0
    refused: int = 0
    touched: int = 0
    crashed: int = 0


def try_statements(
    reader: OutsideReader, grammar: Grammar, canary: Canary, count: int
) -> Iterator[tuple[Tally, str]]:
    """Try statements; yield the tally after each, with what is wrong of it, "" for nothing."""
    tally = Tally()
    for _ in range(count):
        sql, fault = grammar.statement(), ""
        if _SLOW.search(sql):
            continue
        tally.tried += 1
        try:
            answer = reader.answer(sql, grammar.parameters() if "{" in sql else {})
        except InputError as error:
            tally.refused += 1
            said = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is no refusal would be an answer of 500
            tally.crashed += 1
            said = fault = repr(error)
        else:
            tally.answered += 1
            said = repr(answer.rows)
        touched = canary.touched() or ("the secret is in the answer" * (Canary.SECRET in said))
        if touched:
            tally.touched += 1
            fault = touched
        yield tally, f"{fault}: {sql}" if fault else ""


def read_scripts(directory: Path | None) -> list[str]:
    """Return the statements of every `.sql` file below a directory."""
    if directory is None:
        return []
    texts = (path.read_text(errors="replace") for path in sorted(directory.rglob("*.sql")))
    pieces = (re.sub(r"--.*", "", piece).strip() for text in texts for piece in text.split(";"))
    return sorted({piece for piece in pieces if 5 < len(piece) < 4000})


def main() -> int:
    """Try statements until the count is reached, and say what was touched."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--statements", type=int, default=200_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--corpus", type=Path, default=None, help="a directory of .sql files")
    chosen = options.parse_args()
    clock, faults = SystemClock(), 0
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        (directory / "canary").mkdir()
        config = StoreConfig(
            url=f"chdb://{directory}/store",
            query_seconds_max=0.5,
            query_memory_max_mib=256,
            query_rows_max=1000,
        )
        # The engine stops with its last connection, and a failed query closes its own.
        engine, store = Connections(config), Connections(config)
        migrate(engine.client(), clock.now_ns())
        canary = Canary(directory / "canary")
        scripts = directory / "store" / "user_scripts"
        scripts.mkdir(exist_ok=True)
        (scripts / "program").symlink_to(canary.program)
        grammar = grammar_of(store, canary, chosen.seed, read_scripts(chosen.corpus))
        reader, began_ns, tally = OutsideReader(store), clock.monotonic_ns(), Tally()
        for tally, fault in try_statements(reader, grammar, canary, chosen.statements):
            if fault:
                faults += 1
                sys.stdout.write(f"{fault}\n")
            if tally.tried % 5000 == 0:
                seconds = (clock.monotonic_ns() - began_ns) / NS_PER_S
                sys.stdout.write(f"{tally} after {seconds:.0f} s\n")
                sys.stdout.flush()
        sys.stdout.write(f"{tally}\n")
        canary.close()
        store.close()
        engine.close()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
