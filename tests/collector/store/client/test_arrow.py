from __future__ import annotations

import pytest
from clickhouse_connect.driver.binding import format_bind_value
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.store.client.arrow import bound_value
from collector.store.connect import Connections
from tests.support.examples import examples

_TEXTS = st.lists(st.text(st.sampled_from("ab0 '\"\\`\t\n\r\0,[]{}%$é\U0001f600")) | st.text())
_VALUES = st.one_of(
    _TEXTS,
    st.lists(st.integers()),
    st.lists(st.integers() | st.text() | st.none() | st.booleans()),
    st.lists(st.tuples(st.integers(), st.text())),
    st.text(),
    st.integers(),
    st.booleans(),
    st.none(),
)


@given(_VALUES)
@settings(max_examples=examples(1_000))
def test_values_are_written_as_the_library_writes_them(value: object) -> None:
    """The engine reads a parameter by rules of its own, which the library knows."""
    assert bound_value(value) == format_bind_value(value)


def test_texts_arrive_as_they_were_whatever_they_hold(store: Connections) -> None:
    """What a sender wrote into an id neither ends a statement nor is changed by it."""
    texts = ["plain", "it's", 'a "b"', "back\\slash", "tab\t", "line\n", "`", "é😀", "", "], ['"]
    table = store.client().query_arrow(
        "SELECT {texts:Array(String)} AS texts, {one:String} AS one, {n:UInt64} AS n -- the last",
        parameters={"texts": texts, "one": "it's", "n": 2**64 - 1},
    )
    assert table.to_pylist() == [{"texts": texts, "one": "it's", "n": 2**64 - 1}]


def test_answers_are_those_of_the_library(store: Connections) -> None:
    """Types, order and nulls are the same, of no row and of more than one block."""
    asked = (
        "SELECT number AS n, toString(n) AS text, toLowCardinality(text) AS low, [n, n] AS list,"
        " if(n % 2 = 0, NULL, n) AS maybe, toDecimal64(n, 4) AS amount, (n, text) AS pair"
        " FROM numbers({count:UInt64}) -- as many as are asked for; no more"
    )
    for count in (0, 1, 70_000):
        ours = store.client().query_arrow(asked, parameters={"count": count})
        theirs = store.client()._opened().query_arrow(asked, parameters={"count": count})  # type: ignore[attr-defined]  # the library is inside
        assert ours.equals(theirs)


def test_settings_hold_for_their_statement_alone(store: Connections) -> None:
    """They stand in it: the library sets, asks and sets back each of them, which took 5 ms."""
    asked = "SELECT toLowCardinality('a') AS low, getSetting('log_comment') AS comment"
    settings = {"output_format_arrow_low_cardinality_as_dictionary": 1, "log_comment": "it's, so"}
    ours = store.client().query_arrow(asked, settings=settings)
    theirs = store.client()._opened().query_arrow(asked, settings=settings)  # type: ignore[attr-defined]  # the library is inside
    assert ours.equals(theirs)
    assert ours["comment"].to_pylist() == ["it's, so"]
    after = store.client().query_arrow(asked)
    assert after["comment"].to_pylist() == [""]
    assert after.schema.field("low").type != ours.schema.field("low").type


def test_a_refused_statement_is_the_librarys_error(store: Connections) -> None:
    """Callers tell failures by the library's errors, and the next call works."""
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        store.client().query_arrow("SELECT * FROM absent")
    assert store.client().query_arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
