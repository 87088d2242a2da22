"""SQL from outside reads rows of the store and nothing else."""

from __future__ import annotations

import socket
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import InputError
from dashboard.outside_sql import SQL_CHARS_MAX, check_statement, read_answer
from dashboard.queries import Reader


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  select 1 ;\n",
        "-- why\nWITH 1 AS a SELECT a",
        "/* a; b */ SELECT ';', 'INTO OUTFILE', SpanAttributes['file'] FROM otel_traces",
        "SELECT 'it''s', 'a\\'b;' AS x",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "SELECT {a:Array(String)}, x -> x + 1, 1.5e-3::Float64",
    ],
)
def test_a_statement_that_reads_is_taken(sql: str) -> None:
    """What stands in quotes and comments is no code."""
    assert check_statement(sql).strip() == sql.strip().rstrip(";").strip()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", "empty"),
        ("-- only a comment", "empty"),
        ("INSERT INTO decisions VALUES (1)", "not read-only"),
        ("SET readonly = 0", "not read-only"),
        ("USE system", "not read-only"),
        ("SELECT 1; SELECT 2", "more than one"),
        ("SELECT 1 INTO OUTFILE 'x'", "OUTFILE"),
        ("SELECT 1 into/**/outfile 'x'", "OUTFILE"),
        ("SELECT file('/etc/hostname')", "file"),
        ("SELECT `file`('/etc/hostname')", "file"),
        ('SELECT "file"("x")', "file"),
        ("SELECT arrayMap(file, ['/etc/hostname'])", "file"),
        ("SELECT 'a\\\\', file('/etc/hostname')", "file"),
        ("SELECT 'a''', file('/etc/hostname'), ''", "file"),
        ("SELECT 1 -- x\n, file('/etc/hostname')", "file"),
        ("SELECT $a$ file('x') $a$", "not taken outside"),
        ("SELECT 1 # x\n", "not taken outside"),
        ("SELECT \u2018a\u2019", "not taken outside"),
        ("SELECT 'open", "not taken outside"),
        ("SELECT 1 FORMAT CSV", "FORMAT"),
        ("SELECT " + "1," * SQL_CHARS_MAX, "characters"),
    ],
)
def test_a_statement_that_does_more_is_refused_with_the_reason(sql: str, reason: str) -> None:
    """Each of these passes the engine's own read-only mode, or leaves its connection changed."""
    with pytest.raises(InputError, match=reason):
        check_statement(sql)


@given(st.text(max_size=200))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Text from outside raises nothing but a refusal."""
    try:
        check_statement(text)
    except InputError:
        return
    assert text.strip()


@given(st.text("'\"`\\-/* \nab;", max_size=40))
def test_no_way_of_quoting_hides_the_function_that_reads_files(prefix: str) -> None:
    """Whatever stands before it, `file(` outside of quotes is seen: else the text is refused."""
    sql = f"SELECT '{prefix.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}', file(1)"
    with pytest.raises(InputError):
        check_statement(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
        "SELECT * FROM executable('x', 'TSV', 'a String')",
        "SELECT * FROM numbers(10) SETTINGS max_execution_time = 1000",
        "SELECT * FROM system.numbers",
        "SELECT nothing FROM decisions",
        "SELECT {q:UInt64}",
    ],
)
def test_the_engine_refuses_the_rest_in_one_line(reader: Reader, sql: str) -> None:
    """Limits and read-only mode hold behind the words, and say why without a traceback."""
    with pytest.raises(InputError) as refused:
        reader.outside(sql, {})
    assert "\n" not in str(refused.value)
    assert "DB::Exception" not in str(refused.value)


def test_url_is_refused_before_it_is_fetched(reader: Reader) -> None:
    """A statement must not make this machine call another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        with pytest.raises(InputError, match="readonly"):
            reader.outside(f"SELECT * FROM url('http://127.0.0.1:{port}/', 'RawBLOB')", {})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_file_is_written(reader: Reader, tmp_path: Path) -> None:
    """The engine alone would write it, read-only mode or not."""
    target = tmp_path / "rows"
    with pytest.raises(InputError):
        reader.outside(f"SELECT 1 INTO OUTFILE '{target}'", {})
    assert not target.exists()


def test_a_result_over_the_limit_is_refused_not_cut(reader: Reader) -> None:
    """Ten thousand rows of a larger result would be taken for all of it."""
    with pytest.raises(InputError, match="max rows"):
        reader.outside("SELECT number FROM numbers(10001)", {})
    assert reader.outside("SELECT number FROM numbers(10000)", {}).row_count == 10_000


def test_values_keep_every_digit(reader: Reader) -> None:
    """Integers beyond 2**53, decimals and nanoseconds are what a JSON client loses first."""
    answer = reader.outside(
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


def test_parameters_without_a_placeholder_are_refused(reader: Reader) -> None:
    """The client would put them into the text with % instead of binding them."""
    with pytest.raises(InputError, match="no placeholder"):
        reader.outside("SELECT '%(a)s'", {"a": "x"})


def test_a_long_decimal_is_not_rounded() -> None:
    """Money does not pass through a float on its way out."""
    text = b'{"meta":[{"name":"d","type":"Decimal(38, 20)"}],"data":[[0.12345678901234567890]]}'
    assert read_answer(text).rows == [["0.12345678901234567890"]]
    assert Decimal(str(read_answer(text).rows[0][0])) == Decimal("0.12345678901234567890")


def test_a_failed_query_leaves_nothing_in_the_next_answer(reader: Reader) -> None:
    """The engine puts what a failed query had begun to say before the next answer."""
    for _ in range(3):
        with pytest.raises(InputError):
            reader.outside("SELECT number FROM numbers(20000)", {})
        assert reader.outside("SELECT 7 AS n", {}).rows == [[7]]
        assert reader.job_cursors() == {}
