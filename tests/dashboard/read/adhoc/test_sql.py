"""SQL from outside reads rows of the store and nothing else."""

from __future__ import annotations

import contextlib
import itertools
from decimal import Decimal

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import InputError, RequestTooLargeError
from collector.store.connect import Connections
from dashboard.read.adhoc.functions import FUNCTIONS, is_known_function
from dashboard.read.adhoc.reader import OutsideReader
from dashboard.read.adhoc.sql import SQL_CHARS_MAX, engine_error, read_answer
from dashboard.read.reader import Reader
from tests.support.dashboard.canary import Canary

COLUMNS = "SELECT ServiceName, SpanAttributes['file'] AS `a file` FROM otel_traces"
DEEP = "SELECT " + "(" * 900 + "1" + ")" * 900


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  select 1 ;\n",
        "-- why\nWITH 1 AS a SELECT a",
        "/* a; b */ SELECT ';', 'INTO OUTFILE', SpanAttributes['file'] FROM otel_traces",
        "SELECT 'it''s', 'a\\'b;' AS x",
        "SELECT $a$ file('x') $a$ AS heredoc # and a comment",
        COLUMNS,
        "SELECT count() FROM dashboard_world.decisions AS d WHERE d.action != ''",
        "WITH t AS (SELECT number AS n FROM numbers(9)) SELECT n, sum(n) OVER (ORDER BY n) FROM t",
        "SELECT arrayMap(x -> x + 1, [1, 2]), countIf(1), quantilesTDigestIf(0.5, 0.9)(1, 1)",
        "SELECT * EXCEPT (span_id) APPLY(toString) FROM path_spans LIMIT 1",
        "SELECT action FROM decisions WHERE decision_id IN (SELECT decision_id FROM outcomes)",
        "SELECT 1 WHERE 1 IN (1, 2) AND ('a', 2) IN (('a', 2)) AND now() > toDateTime(9)",
        "SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 2",
        "SELECT CASE WHEN 1 THEN 'a' ELSE 'b' END, toIntervalHour(1), 1::Decimal(9, 2), [1][1]",
        "SELECT a, b FROM values('a UInt8, b String', (1, 'x')) ARRAY JOIN [1, 2] AS c",
        "SELECT l.action FROM decisions AS l ANY LEFT JOIN outcomes AS r USING (decision_id)",
        "SELECT ServiceName, count() FROM otel_traces GROUP BY ROLLUP(ServiceName) ORDER BY ALL",
        "SELECT action FROM decisions FINAL PREWHERE action != '' LIMIT 1 BY action LIMIT 2, 1",
        "SELECT toDateTime('2020-01-01', 'Europe/Berlin'), now('UTC'), '/checkout' = 'file:x'",
        "SELECT dateDiff('ms', min(Timestamp), max(Timestamp)) FROM otel_traces",
        "SELECT dateDiff('s', toDateTime(number), now()), toString(now(), 'UTC') FROM numbers(2)",
        "SELECT toStartOfInterval(now(), INTERVAL 5 MINUTE), formatDateTime(now(), '%Y/%m', 'UTC')",
        "SELECT toDecimal64(1.5, 2), toInt64OrDefault('x', toInt64(-1)), 1::DateTime64(3)",
        "SELECT addSeconds(now(), length('abc')), subtractHours(now(), 2::Int32), toWeek(now(), 3)",
        "SELECT toFloat64OrDefault('x', if(1, 0.5, 1.5)), JSONExtract('{}', 'a', 'Int64')",
        "SELECT toTimeZone(toDateTime64(1, 9), 'America/Argentina/Buenos_Aires') AS at",
        "SHOW TABLES",
        "SHOW TABLES LIKE 'otel%'",
        "SHOW CREATE TABLE decisions",
        "DESCRIBE otel_traces",
        "DESC (SELECT 1 AS a)",
        "EXISTS decisions",
        "EXPLAIN SELECT 1",
        "EXPLAIN indexes = 1 SELECT count() FROM otel_traces WHERE ServiceName = 'a'",
    ],
)
def test_a_statement_that_reads_is_answered(outside: OutsideReader, sql: str) -> None:
    """What stands in quotes and comments is no code, and everything that only computes is open."""
    assert outside.answer(sql, {}).columns


REFUSED = [
    ("", "empty"),
    (" ; ", "empty"),
    ("-- only a comment", "empty"),
    ("INSERT INTO decisions SELECT 1", "not read-only"),
    ("INSERT INTO decisions VALUES (1)", "not read-only"),
    ("SET readonly = 0", "not read-only"),
    ("USE system", "not read-only"),
    ("SYSTEM SHUTDOWN", "System is not read-only"),
    ("EXECUTE AS a SELECT 1", "not read-only"),
    ("SELECT 1 PARALLEL WITH SELECT 2", "not read-only"),
    ("SELECT 1; SELECT 2", "one statement"),
    ("EXPLAIN AST SELECT 1", "EXPLAIN AST is not taken"),
    ("EXPLAIN AST SELECT 1; INSERT INTO decisions SELECT 1", "one statement"),
    ("SELECT 1 INTO OUTFILE '{file}'", "OUTFILE"),
    ("SELECT 1 into/**/outfile '{file}'", "OUTFILE"),
    ("EXPLAIN SELECT 1 INTO OUTFILE '{file}'", "OUTFILE"),
    ("DESCRIBE TABLE decisions INTO OUTFILE '{file}'", "OUTFILE"),
    ("SHOW TABLES INTO OUTFILE '{file}'", "OUTFILE"),
    ("SELECT 1 FORMAT CSV", "FORMAT"),
    ("SELECT number FROM numbers(2) GROUP BY number WITH TOTALS HAVING 0", "TOTALS"),
    ("SELECT 1 SETTINGS max_execution_time = 1000", "SETTINGS"),
    ("SELECT file('{file}')", "function file"),
    ("SELECT FILE('{file}')", "function FILE"),
    ("SELECT `file`('{file}')", "function file"),
    ("SELECT \"file\"('{file}')", "function file"),
    (r"SELECT `\x66ile`('{file}')", "function file"),
    (r"""SELECT "\x66\x69le"('{file}')""", "function file"),
    ("SELECT arrayMap(file, ['{file}'])", "function file"),
    (r"SELECT arrayMap(`\x66ile`, ['{file}'])", "function file"),
    ("WITH file AS f SELECT arrayMap(f, ['{file}'])", "function file"),
    ("SELECT arrayFilter(FILE, ['{file}'])", "function file"),
    ("SELECT user FROM decisions", "function user.*alias"),
    ("SELECT arrayMap(x -> file(x), ['{file}'])", "function file"),
    ("SELECT * APPLY(file) FROM values('a String', '{file}')", "function file"),
    (r"SELECT COLUMNS('a') APPLY(`\x66ile`) FROM values('a String', '{file}')", "function file"),
    ("SELECT * APPLY(x -> file(x)) FROM values('a String', '{file}')", "function file"),
    ("SELECT * REPLACE(file(a) AS a) FROM values('a String', '{file}')", "function file"),
    ("WITH file('{file}') AS f SELECT f", "function file"),
    ("WITH x -> file(x) AS f SELECT f('{file}')", "function f"),
    ("SELECT 1 ORDER BY file('{file}')", "function file"),
    ("SELECT 1 LIMIT length(file('{file}'))", "function file"),
    ("SELECT sum(1) OVER (PARTITION BY file('{file}'))", "function file"),
    ("EXPLAIN SYNTAX SELECT file('{file}')", "function file"),
    ("DESCRIBE (SELECT file('{file}'))", "function file"),
    ("SELECT * FROM values('a String', file('{file}'))", "function file"),
    ("SELECT * FROM file('{file}', 'LineAsString')", "function file"),
    (r"SELECT * FROM `\x66ile`('{file}', 'LineAsString')", "function file"),
    ("DESCRIBE TABLE file('{file}')", "function file"),
    ("SELECT 1 IN file('{file}', 'LineAsString')", "function file"),
    ("SELECT * FROM numbers(1) WHERE number IN (SELECT length(file('{file}')))", "function file"),
    ("SELECT * FROM view(SELECT * FROM file('{file}', 'LineAsString'))", "function"),
    ("DESCRIBE TABLE url('http://{address}/', 'RawBLOB')", "function url"),
    ("SELECT * FROM url('http://{address}/', 'RawBLOB')", "function url"),
    ("DESCRIBE TABLE s3('http://{address}/bucket/key')", "function s3"),
    ("DESCRIBE TABLE gcs('http://{address}/bucket/key')", "function gcs"),
    ("DESCRIBE TABLE remote('{address}', 'system', 'one')", "function remote"),
    ("DESCRIBE TABLE mysql('{address}', 'a', 'b', 'c', 'd')", "function mysql"),
    ("DESCRIBE TABLE postgresql('{address}', 'a', 'b', 'c', 'd')", "function postgresql"),
    ("DESCRIBE TABLE jdbc('a', 'b', 'c')", "function jdbc"),
    ("DESCRIBE TABLE odbc('a', 'b', 'c')", "function odbc"),
    ("DESCRIBE TABLE executable('x', 'TSV', 'a String')", "function executable"),
    ("SELECT * FROM executable('x', 'TSV', 'a String')", "function executable"),
    ("SELECT * FROM Python(sys)", "function Python"),
    ("SELECT * FROM system.users", "system.users"),
    ("SELECT * FROM `system`.`users`", "system.users"),
    (r"SELECT * FROM `\x73ystem`.users", "system.users"),
    ("SELECT * FROM information_schema.tables", "information_schema"),
    ("SELECT 1 WHERE 'default' IN system.users", "system.users"),
    ("SELECT system.users.name FROM decisions", "system"),
    ("DESCRIBE TABLE system.users", "system.users"),
    ("SHOW CREATE TABLE system.users", "system.users"),
    ("SHOW TABLES FROM system", "'from'"),
    ("SHOW DATABASES", "'databases'"),
    ("SHOW GRANTS", "not read-only"),
    ("SELECT * FROM {t:Identifier}", "Identifier|table ''"),
    ("SELECT {c:Identifier} FROM decisions", "'children'|Identifier"),
    ("SELECT toDateTime(0, 'file://{file}')", "not a time zone"),
    ("SELECT toDateTime(0, '{file}')", "not a time zone"),
    ("SELECT toTimeZone(now(), '../../..{file}')", "not a time zone"),
    ("SELECT now() AT TIME ZONE '{file}'", "not a time zone"),
    ("SELECT now('{file}')", "not a time zone"),
    ("SELECT now64(3, '{file}')", "not a time zone"),
    ("SELECT toString(now(), '{file}')", "not a time zone"),
    ("SELECT formatDateTime(now(), '%Y', '{file}')", "not a time zone"),
    ("SELECT toStartOfInterval(now(), INTERVAL 1 DAY, '{file}')", "not a time zone"),
    ("SELECT dateDiff('s', now(), now(), '{file}')", "not a time zone"),
    ("SELECT makeDateTime(2020, 1, 1, 1, 1, 1, '{file}')", "not a time zone"),
    ("SELECT toDateTime(0, concat('fi', 'le:{file}'))", "written out"),
    ("SELECT toDateTime(0, lower('FILE:{file}'))", "written out"),
    ("SELECT toDateTime(0, (SELECT 'file:{file}'))", "written out"),
    ("SELECT toDateTime(0, ('file:{file}', 1).1)", "written out"),
    ("SELECT toDateTime(0, if(1, 'file:{file}', ''))", "written out"),
    ("WITH 'file:{file}' AS z SELECT toDateTime(0, z)", "not a time zone"),
    ("WITH concat('file:', '{file}') AS z SELECT toDateTime(0, z)", "written out"),
    ("WITH 'file:{file}' AS z, z AS y SELECT toDateTime(0, y)", "not a time zone"),
    ("SELECT now()::DateTime('file://{file}')", "not a time zone"),
    (r"SELECT CAST(now(), 'DateTime(\'{file}\')')", "not a time zone"),
    (r"SELECT CAST(now(), 'Array(Nullable(DateTime64(3, \'\\x66ile:{file}\')))')", "not a time"),
    ("SELECT {t:DateTime('file:{file}')}", "may lead to a file"),
    ("SELECT JSONExtract('{}', 'a', 'DateTime(''file:{file}'')')", "not a time zone"),
    ("SELECT * FROM values('a DateTime(''file:{file}'')', 1)", "not a time zone"),
    ("SELECT defaultValueOfTypeName('DateTime(''file:{file}'')')", "not a time zone"),
    ("SELECT toDateTime(untuple((0, 'file:{file}')))", "one by one"),
    ("SELECT toString(untuple((now(), 'file:{file}')))", "one by one"),
    ("SELECT toDateTime(* REPLACE('file:{file}' AS z)) FROM (SELECT 0 AS a, 1 AS z)", "one by one"),
    ("SELECT toDateTime(COLUMNS('a|z')) FROM (SELECT 0 AS a, 'file:{file}' AS z)", "one by one"),
    ("SELECT toDateTime(t.*) FROM (SELECT 0 AS a, 'file:{file}' AS z) AS t", "one by one"),
    ("SELECT d.`DateTime('file:{file}')` FROM (SELECT 1::Int64::Dynamic AS d)", "may lead"),
    ("SELECT j.a.:`DateTime('file:{file}')` FROM (SELECT '{}'::JSON AS j)", "may lead"),
    ("SELECT parseDateTimeInJodaSyntax('1 file:{file}', 'yyyy zzzz')", "function parseDateTime"),
    ("SELECT finalizeAggregation(CAST(unhex('01'), 'AggregateFunction(any, Dynamic)'))", "of CAST"),
    ("SELECT {t:AggregateFunction(any, Dynamic)}", "may lead"),
    ("SELECT sleep(3)", "function sleep"),
    ("SELECT getSetting('readonly')", "function getSetting"),
    ("SELECT dictGet('d', 'a', 1)", "function dictGet"),
    ("SELECT joinGet('t', 'a', 1)", "function joinGet"),
    ("SELECT addressToLine(1)", "function addressToLine"),
    ("SELECT aiGenerate('a')", "function aiGenerate"),
    ("SELECT 1 FROM decisions STREAM", "stream_settings"),
    ("SELECT 'open", "not closed"),
    ("SELECT 1\0, 2", "NUL"),
    ("[" * SQL_CHARS_MAX, "depth"),
    (DEEP.replace("(", "abs("), "deep"),
]


def test_statement_that_is_too_long_is_told_how_long(outside: OutsideReader) -> None:
    """A client that may send less has another error than one that has to correct what it sent."""
    with pytest.raises(RequestTooLargeError, match=r"sql has 200,007 characters, at most 100,000"):
        outside.answer("SELECT " + "1," * SQL_CHARS_MAX, {})


@pytest.mark.parametrize(("sql", "reason"), REFUSED)
def test_a_statement_that_does_more_is_refused_with_the_reason(
    outside: OutsideReader, canary: Canary, sql: str, reason: str
) -> None:
    """Each reads or writes a file, calls another machine, sees other databases, or might."""
    sql = sql.replace("{file}", str(canary.file)).replace("{address}", canary.address)
    given: dict[str, object] = {"t": "decisions", "c": "action"} if ":Identifier" in sql else {}
    with pytest.raises(InputError, match=reason) as refused:
        outside.answer(sql, given)
    assert canary.SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "DB::Exception" not in str(refused.value)
    assert not canary.touched()


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT '{a:', '%(x)s'", {"x": ", file($${file}$$), "}),
        ("SELECT '{a:', '%(x)s{file}.new'", {"x": " INTO OUTFILE "}),
        ("SELECT '{a:}', '%(x)s'", {"x": ", file($${file}$$), "}),
        ("SELECT {a:String}, '%(x)s'", {"a": "1", "x": ", file($${file}$$), "}),
        ("DESCRIBE TABLE (SELECT '{a:' AS q, '%(x)s' AS z)", {"x": ", file($${file}$$), "}),
        ("SELECT 1, $b$", {"b": "1"}),
        ("SELECT {a:String}", {"a": "1", "$b$": "2", "x y": "3"}),
    ],
)
def test_no_parameter_changes_the_statement_that_was_judged(
    outside: OutsideReader, canary: Canary, sql: str, parameters: dict[str, object]
) -> None:
    """A client that puts values into the text would put SQL there."""
    values = {
        name: str(value).replace("{file}", str(canary.file)) for name, value in parameters.items()
    }
    try:
        answer = outside.answer(sql.replace("{file}", str(canary.file)), dict(values))
    except InputError:
        pass
    else:
        assert Canary.SECRET not in str(answer.rows)
        assert answer.rows == [["1", "%(x)s"]]
    assert not canary.touched()


def test_many_aliases_of_one_name_are_judged_in_no_time(outside: OutsideReader) -> None:
    """Each is looked at once: of seven levels of a thousand the ways through are 10 to the 21st."""
    levels = "abcdefgh"
    names = ", ".join(
        f"{after} AS {before}" for before, after in itertools.pairwise(levels) for _ in range(300)
    )
    with contextlib.suppress(InputError):
        outside.answer(f"SELECT toDateTime(0, a), {names}, 1 AS h", {})


def test_a_function_is_known_by_its_name_in_the_engine_alone() -> None:
    """An ending such as `If` opens aggregate functions, and no other function by accident."""
    assert is_known_function("sumIf")
    assert is_known_function("uniqExactMergeState")
    assert not is_known_function("fileOrNull")


def test_no_function_of_this_engine_is_open_by_its_ending(
    outside: OutsideReader, engine: Connections
) -> None:
    """What the engine has beyond the list stays closed, also where an allowed name begins it."""
    rows = engine.client().query("SELECT name, is_aggregate FROM system.functions").result_rows
    names = {str(name) for name, _ in rows}
    opened = {name for name in names if is_known_function(name) and name.lower() not in FUNCTIONS}
    aggregates = {str(name) for name, is_aggregate in rows if is_aggregate}
    assert opened <= aggregates
    syntax = {"lambda", "exists", "notexists", "untuple", "grouping"}
    assert {name.lower() for name in names} >= FUNCTIONS - syntax


def test_every_column_of_ours_can_be_asked_for(outside: OutsideReader, world: Connections) -> None:
    """A column that has the name of a closed function would be out of reach."""
    columns = world.client().query(
        "SELECT DISTINCT table, name FROM system.columns"
        " WHERE database = currentDatabase() AND lower(name) IN"
        " (SELECT lower(name) FROM system.functions)"
    )
    assert columns.result_rows
    for table, name in columns.result_rows:
        outside.answer(f"SELECT `{name}` FROM {table} LIMIT 0", {})


def test_the_engine_itself_has_no_right_to_sources(engine: Connections) -> None:
    """The second wall: no statement of this process reads a file or calls out, judged or not."""
    for source in (
        "file('/etc/hostname', 'LineAsString')",
        "url('http://127.0.0.1:9/', 'RawBLOB')",
    ):
        with pytest.raises(DatabaseError, match="Not enough privileges"):
            engine.client().query(f"SELECT * FROM {source}")
    engine.close()


@given(st.text(max_size=200))
def test_any_text_is_answered_or_refused(outside: OutsideReader, text: str) -> None:
    """Text from outside raises nothing but a refusal."""
    with contextlib.suppress(InputError):
        outside.answer(text, {})


@pytest.mark.parametrize(
    "sql", ["SELECT nothing FROM decisions", "SELECT {q:UInt64}", "SELECT throwIf(1)"]
)
def test_the_engine_refuses_the_rest_in_one_line(outside: OutsideReader, sql: str) -> None:
    """What is judged and fails says why without a traceback."""
    with pytest.raises(InputError) as refused:
        outside.answer(sql, {})
    assert "\n" not in str(refused.value)
    assert "DB::Exception" not in str(refused.value)


def test_a_result_over_the_limit_is_refused_not_cut(outside: OutsideReader) -> None:
    """Ten thousand rows of a larger result would be taken for all of it."""
    with pytest.raises(InputError, match="max rows"):
        outside.answer("SELECT number FROM numbers(10001)", {})
    assert outside.answer("SELECT number FROM numbers(10000)", {}).row_count == 10_000


def test_values_keep_every_digit(outside: OutsideReader) -> None:
    """Integers beyond 2**53, decimals and nanoseconds are what a JSON client loses first."""
    answer = outside.answer(
        "SELECT toUInt64(18446744073709551615) AS big, toDecimal64('0.1', 6) AS d,"
        " [toDecimal64(2, 2)] AS ds, 0.5 AS f, nan AS n,"
        " toDateTime64('2026-01-01 00:00:00.123456789', 9, 'UTC') AS t, map('a', 1) AS m,"
        " NULL AS z, {text:String} AS text",
        {"text": "it's 100 % \\ \n"},
    )
    assert dict(zip(answer.columns, answer.rows[0], strict=True)) == {
        "big": 18446744073709551615,
        "d": "0.1",
        "ds": ["2"],
        "f": 0.5,
        "n": None,
        "t": "2026-01-01 00:00:00.123456789",
        "m": {"a": 1},
        "z": None,
        "text": "it's 100 % \\ \n",
    }
    assert answer.types[1] == "Decimal(18, 6)"


def test_parameters_without_a_placeholder_are_refused(outside: OutsideReader) -> None:
    """The client would put them into the text with % instead of binding them."""
    with pytest.raises(InputError, match="no placeholder"):
        outside.answer("SELECT '%(a)s'", {"a": "x"})


def test_a_long_decimal_is_not_rounded() -> None:
    """Money does not pass through a float on its way out."""
    text = b'{"meta":[{"name":"d","type":"Decimal(38, 20)"}],"data":[[0.12345678901234567890]]}'
    assert read_answer(text).rows == [["0.12345678901234567890"]]
    assert Decimal(str(read_answer(text).rows[0][0])) == Decimal("0.12345678901234567890")


def test_a_failed_query_leaves_nothing_in_the_next_answer(
    outside: OutsideReader, world: Connections
) -> None:
    """The engine puts what a failed query had begun to say before the next answer."""
    for _ in range(3):
        with pytest.raises(InputError):
            outside.answer("SELECT number FROM numbers(20000)", {})
        for unparsed in ("SELECT (", "SELECT 1; SELECT 2", "SYSTEM SHUTDOWN"):
            with pytest.raises(InputError):
                outside.answer(unparsed, {})
        assert outside.answer("SELECT 7 AS n", {}).rows == [[7]]
        assert Reader(world).job_cursors() == {}


@pytest.mark.parametrize("statement", ["SELECT 1", "WITH 1 AS a SELECT a", "(SELECT 1)"])
def test_what_the_engine_says_is_without_the_statement(statement: str) -> None:
    """Whoever wrote it has it, and to whoever reads a page it says nothing."""
    error = DatabaseError(
        f"Code: 60. DB::Exception: No table 'a'. In scope {statement} FROM a. (X)"
    )
    assert engine_error(error) == "No table 'a'."
