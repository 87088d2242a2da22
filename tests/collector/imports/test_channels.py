from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from collector.imports.channels import COLUMNS, ChannelDay, import_channels, parse_channels
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.examples import examples

HEAD = ",".join(COLUMNS) + "\n"


def lines(text: str) -> list[ChannelDay | str]:
    """Return what a file of these lines holds."""
    return list(parse_channels("c.csv", (HEAD + text).encode(), "ads", NOW_NS))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (",2033-05-18,1,1,USD,", "channel '': is not 1 to 200 printable characters"),
        ("a\x07b,2033-05-18,1,1,USD,", "channel 'a\\x07b': is not 1 to 200 printable"),
        ("tv,18.05.2033,1,1,USD,", "day '18.05.2033': is not a date; write it like 2026-05-31"),
        ("tv,1969-12-31,1,1,USD,", "day '1969-12-31': is not in 1970 to 2099"),
        ("tv,2033-05-18,-3,1,USD,", "clicks '-3': is not a whole number of 0 or more"),
        ("tv,2033-05-18,1.5,1,USD,", "clicks '1.5': is not a whole number of 0 or more"),
        ("tv,2033-05-18,\u0661,1,USD,", "is not a whole number of 0 or more"),
        (f"tv,2033-05-18,{'9' * 5000},1,USD,", "is not a whole number of 0 or more"),
        ("tv,2033-05-18,1,-0.01,USD,", "cost '-0.01': is below 0; take credits off the days"),
        ("tv,2033-05-18,1,1e999999999,USD,", "cost '1e999999999': is not below 1000000000000"),
        ("tv,2033-05-18,1,NaN,USD,", "cost 'NaN': is not a number"),
        ("tv,2033-05-18,1,1.0000001,USD,", "cost '1.0000001': has more than 6 decimal places"),
        ("tv,2033-05-18,1,1,,", "currency '': is not an ISO 4217 code; write it like EUR"),
        ("tv,2033-05-18,1,1,euro,", "currency 'euro': is not an ISO 4217 code"),
        ("tv,2033-05-18,1,1,USD,10.1", "quality_score '10.1': is over 10; scale it to 0 to 10"),
        ("tv,2033-05-18,1,1,USD,-1", "quality_score '-1': is below 0"),
        ("tv,2033-05-18,,,,", "clicks '': neither it nor cost nor quality_score is there"),
    ],
)
def test_bad_line_is_named_and_the_rest_read(line: str, wrong: str) -> None:
    """With the column, the value and the remedy."""
    bad, good = lines(f"{line}\nsearch,2033-05-18,10,12.50,USD,7.5\n")
    assert isinstance(bad, str)
    assert bad.startswith("c.csv:2: ")
    assert wrong in bad
    assert isinstance(good, ChannelDay)
    assert (good.clicks, good.cost, good.quality_score) == (10, Decimal("12.50"), Decimal("7.5"))


def test_second_row_of_a_day_is_refused_by_its_line() -> None:
    """The store keeps one of them, and nobody can say which was meant; another currency or not."""
    _, second, other = lines(
        "tv,2033-05-18,1,1,USD,\ntv,2033-05-18,1,1,EUR,\nTV,2033-05-18,1,1,EUR,\n"
    )
    assert second == (
        "c.csv:3: day '2033-05-18': c.csv:2 has it of channel 'tv'; leave one, or add them up"
    )
    assert isinstance(other, ChannelDay)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"channel,clicks\n", "lacks day; a file of channels has channel, day, clicks"),
        (b"channel,day,impressions\n", "'impressions' is not a column"),
    ],
)
def test_file_of_another_shape_is_refused(content: bytes, wrong: str) -> None:
    """With the columns that there are."""
    with pytest.raises(InputError, match=wrong):
        list(parse_channels("c.csv", content, "ads", NOW_NS))


def test_same_file_again_changes_nothing_and_a_later_one_replaces(store: Connections) -> None:
    """By channel, day and source; another source is added up by whoever reads."""
    client = store.client()
    for index, (source, text) in enumerate(
        [
            ("ads", "tv,2033-05-18,10,5,USD,\n"),
            ("ads", "tv,2033-05-18,10,5,USD,\n"),
            ("ads", "tv,2033-05-18,12,6,EUR,\n"),
            ("other", "tv,2033-05-18,1,1,USD,\n"),
        ]
    ):
        report = import_channels(client, "c.csv", (HEAD + text).encode(), source, NOW_NS + index)
        assert (report.imported, report.refused) == (1, ())
    rows = client.query(
        "SELECT source, clicks, cost, currency FROM channel_days FINAL ORDER BY source"
    ).result_rows
    assert rows == [("ads", 12, Decimal(6), "EUR"), ("other", 1, Decimal(1), "USD")]


def test_file_replaces_what_came_while_the_clock_was_ahead(store: Connections) -> None:
    """It said "1 imported", and the day stayed as it was."""
    for clicks, now_ns in ((100, NOW_NS + 3_600 * NS_PER_S), (200, NOW_NS), (300, NOW_NS)):
        content = f"{HEAD}tv,2033-05-18,{clicks},1,USD,\n".encode()
        assert import_channels(store.client(), "c.csv", content, "ads", now_ns).imported == 1
        rows = store.client().query("SELECT clicks FROM channel_days FINAL").result_rows
        assert rows == [(clicks,)]


def test_rules_for_personal_data_reach_the_name() -> None:
    """A channel is joined by its name: where that is replaced in decisions, it is here."""
    text = f"{HEAD}tv,2033-05-18,1,,,\n".encode()
    (row,) = parse_channels("c.csv", text, "ads", NOW_NS, lambda a, v, _: f"{a}:{v}")
    assert isinstance(row, ChannelDay)
    assert row.channel == "decision.channel:tv"


@settings(max_examples=examples(100))
@given(
    st.lists(
        st.tuples(st.text(), st.text(), st.text(), st.text(), st.text(), st.text()), max_size=4
    )
)
def test_any_line_is_a_row_or_a_sentence(rows: list[tuple[str, ...]]) -> None:
    """Nothing that somebody writes is an error of ours."""
    text = "".join(
        ",".join('"' + each.replace('"', '""') + '"' for each in row) + "\n" for row in rows
    )
    try:
        content = (HEAD + text).encode()
        found = list(parse_channels("c.csv", content, "ads", NOW_NS))
    except (UnicodeEncodeError, InputError):
        return
    assert all(isinstance(each, ChannelDay | str) for each in found)
