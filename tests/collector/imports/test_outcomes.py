from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.imports.outcomes import ImportReport, OutcomeRow, import_outcomes, parse_outcomes
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock

HEADER = (
    "outcome_id,kind,decision_id,outcome_key,converted,revenue,margin,currency,channel,occurred_at"
)
GOOD = f"o1,sale,d1,,true,20.00,5.25,EUR,web,{NOW_NS}"


def parse(*lines: str, header: str = HEADER) -> list[OutcomeRow | str]:
    """Parse lines under a header."""
    content = "\n".join([header, *lines]).encode()
    return list(parse_outcomes("shop.csv", content, "USD", NOW_NS))


def test_row_is_read_as_it_stands() -> None:
    """Money is exact and time is whole nanoseconds, from the file to the table."""
    assert parse(GOOD) == [
        OutcomeRow(
            outcome_id="o1",
            kind="sale",
            decision_id="d1",
            outcome_key="",
            converted=True,
            revenue=Decimal("20.00"),
            margin=Decimal("5.25"),
            currency="EUR",
            channel="web",
            event_ns=NOW_NS,
            source="csv",
            received_ns=NOW_NS,
        )
    ]


def test_what_is_not_there_is_unknown_and_not_zero() -> None:
    """A margin of zero would be a claim; the currency of the configuration is one that was made."""
    (row,) = parse(f"o1,order-7,{NOW_NS}", header="outcome_id,outcome_key,occurred_at")

    assert isinstance(row, OutcomeRow)
    assert (row.revenue, row.margin, row.currency, row.kind) == (None, None, "USD", "sale")
    assert (row.decision_id, row.outcome_key, row.converted) == ("", "order-7", True)


@pytest.mark.parametrize(
    ("occurred_at", "event_ns"),
    [
        pytest.param("2033-05-18T03:33:20Z", NOW_NS, id="zulu"),
        pytest.param("2033-05-18T05:33:20.5+02:00", NOW_NS + 500_000_000, id="offset"),
        pytest.param("2033-05-18 03:33:20.000000001+00:00", NOW_NS + 1, id="nanoseconds"),
        pytest.param(str(NOW_NS - 1), NOW_NS - 1, id="Unix ns"),
    ],
)
def test_time_is_read_to_the_nanosecond(occurred_at: str, event_ns: int) -> None:
    """It is the revision, so two corrections in one microsecond must differ."""
    (row,) = parse(f"o1,,d1,,,,,,,{occurred_at}")

    assert isinstance(row, OutcomeRow)
    assert row.event_ns == event_ns


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param(f",sale,d1,,,,,,,{NOW_NS}", "outcome_id '': is missing", id="no id"),
        pytest.param(f"o1,sale,,,,,,,,{NOW_NS}", "neither it nor outcome_key", id="no key"),
        pytest.param(f"o1,gift,d1,,,,,,,{NOW_NS}", "kind 'gift': is not one of", id="kind"),
        pytest.param(
            f"o1,,d1,,maybe,,,,,{NOW_NS}", "converted 'maybe': is neither", id="converted"
        ),
        pytest.param(f"o1,,d1,,,'5',,,,{NOW_NS}", "is not a number; write it like", id="revenue"),
        pytest.param(f"o1,,d1,,,1_000,,,,{NOW_NS}", "'1_000': is not a number", id="underscore"),
        pytest.param(f"o1,,d1,,,\u0665,,,,{NOW_NS}", "is not a number", id="digit of a script"),
        pytest.param(f"o1,,d1,,,NaN,,,,{NOW_NS}", "revenue 'NaN': is not a number", id="NaN"),
        pytest.param(
            f"o1,,d1,,,,1e10,,,{NOW_NS}",
            "margin '1e10': is not below 10,000,000,000; correct it or its unit",
            id="too large",
        ),
        pytest.param(f"o1,,d1,,,-1e10,,,,{NOW_NS}", "revenue '-1e10': is not below", id="too low"),
        pytest.param(f"o1,,d1,,,1e999999999,,,,{NOW_NS}", "is not below", id="beyond Decimal"),
        pytest.param(f"o1,,d1,,,1e-999999999,,,,{NOW_NS}", "6 decimal places", id="below it"),
        pytest.param(f"o1,,d1,,,0.0000001,,,,{NOW_NS}", "more than 6 decimal places", id="places"),
        pytest.param(f"o1,,d1,,,,,Euro,,{NOW_NS}", "currency 'Euro': is not an ISO", id="currency"),
        pytest.param("o1,,d1,,,,,,,yesterday", "is neither ISO 8601 with an offset nor", id="time"),
        pytest.param(f"o1,,d1,,,,,,,{'9' * 5000}", "is neither ISO 8601 with an offset", id="long"),
        pytest.param("o1,,d1,,,,,,,2033-05-18T03:33:20", "has no offset; add one", id="no offset"),
        pytest.param(
            f"o1,,d1,,,,,,,{NOW_NS - 31 * NS_PER_DAY}", "within the last 30 days", id="old"
        ),
        pytest.param(f"{GOOD},extra", "more values than the header", id="extra value"),
        pytest.param("o1,,d1", "fewer values than the header has columns", id="short line"),
        pytest.param(GOOD.rsplit(",", 1)[0], "is the file cut off?", id="cut off"),
        pytest.param(GOOD.replace("web", '"w"eb'), "not CSV: ',' expected after", id="quote"),
    ],
)
def test_bad_row_is_named_and_the_rest_kept(line: str, sentence: str) -> None:
    """One bad order must not keep a day's revenue out; a person can correct it by the message."""
    first, bad, last = parse(GOOD, line, GOOD)

    assert isinstance(first, OutcomeRow)
    assert isinstance(last, OutcomeRow)
    assert isinstance(bad, str)
    assert bad.startswith("shop.csv:3: ")
    assert sentence in bad


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "shop.csv: lacks outcome_id, occurred_at, decision_id or", id="empty"),
        pytest.param(b"outcome_id,revenu,occurred_at\n", "did you mean revenue?", id="misspelt"),
        pytest.param(b"outcome_id,occurred_at\n", "lacks decision_id or outcome_key", id="no key"),
        pytest.param(b"\xff\xfe", "shop.csv: not UTF-8 at byte 0", id="UTF-16"),
    ],
)
def test_file_that_is_not_of_outcomes_is_refused_whole(content: bytes, sentence: str) -> None:
    """One line that names the place and the remedy."""
    with pytest.raises(InputError) as raised:
        list(parse_outcomes("shop.csv", content, "USD", NOW_NS))

    assert sentence in str(raised.value)


def test_quote_that_is_left_open_takes_no_other_row_with_it_than_those_it_names() -> None:
    """The others are there: one order's text must not keep a day's revenue out."""
    opened = GOOD.replace("web", '"web')
    comma = GOOD.replace("web", '"w,""b"')
    first, second, bad, last = parse(GOOD, comma, opened, GOOD, opened, GOOD)
    assert [type(each) for each in (first, second, last)] == [OutcomeRow] * 3
    assert bad == "shop.csv:4 to 6: not CSV: ',' expected after '\"'; repair its quotes: " + (
        "write a quote as two"
    )


@given(st.binary(max_size=200))
def test_any_file_raises_only_input_error(content: bytes) -> None:
    """A file from outside never ends in a traceback."""
    with contextlib.suppress(InputError):
        list(parse_outcomes("f", HEADER.encode() + b"\n" + content, "USD", NOW_NS))


def bring_in(store: Connections, text: str, now_ns: int = NOW_NS) -> ImportReport:
    """Import the text of a file."""
    return import_outcomes(store.client(), "shop.csv", text.encode(), "USD", ManualClock(now_ns))


def test_importing_twice_changes_nothing(store: Connections) -> None:
    """A nightly job may run again; revenue must not double, nor a newer revision be undone."""
    text = f"{HEADER}\n{GOOD}\no2,,d2,,,x,,,,{NOW_NS}\n"
    client = store.client()

    first = bring_in(store, text)
    before = client.query("SELECT * FROM outcomes").result_rows
    again = bring_in(store, text, NOW_NS + 1)

    assert (first.imported, len(first.refused)) == (1, 1)
    assert first == again
    assert client.query("SELECT * FROM outcomes").result_rows == before


def test_earlier_file_brings_back_what_it_says(store: Connections) -> None:
    """Of one instant the last import counts, also where the store has met the same rows before."""
    client = store.client()
    for later, revenue in enumerate(("20.00", "30.00", "20.00", "30.00")):
        bring_in(store, f"{HEADER}\n{GOOD.replace('20.00', revenue)}\n", NOW_NS + later)
        [(stored,)] = client.query("SELECT revenue FROM outcomes FINAL").result_rows
        assert stored == Decimal(revenue)
    twice = f"{HEADER}\n{GOOD}\n{GOOD.replace('20.00', '40.00')}\n"
    for later in (10, 11):
        bring_in(store, twice, NOW_NS + later)
    rows = client.query("SELECT revenue, received_ns FROM outcomes FINAL").result_rows
    assert rows == [(Decimal(40), NOW_NS + 10)]


def test_file_that_has_grown_stores_what_is_new(store: Connections) -> None:
    """A shop exports all of its orders each night, and corrects some."""
    lines = [f"o{number},sale,d{number},,true,1.00,,USD,web,{NOW_NS}" for number in range(20)]
    bring_in(store, "\n".join([HEADER, *lines]))
    later = NOW_NS + NS_PER_DAY
    corrected = f"o3,sale,d3,,true,2.00,,USD,web,{NOW_NS + 1}"
    grown = "\n".join(
        [HEADER, "o20,sale,d20,,true,1.00,,USD,web," + str(NOW_NS), *lines, corrected]
    )
    for now_ns in (later, later + 1):
        bring_in(store, grown, now_ns)

    news = "SELECT outcome_id, revenue FROM outcomes WHERE received_ns >= {at:UInt64} ORDER BY 1"
    rows = store.client().query(news, parameters={"at": later}).result_rows
    assert rows == [("o20", Decimal(1)), ("o3", Decimal(2))]


def test_row_that_has_become_good_is_stored(store: Connections) -> None:
    """The same file later: what it says to have imported is what is there."""
    ahead = f"o2,sale,d1,,true,1,1,EUR,web,{NOW_NS + NS_PER_DAY + 45_000_000_000}"
    text = f"{HEADER}\n{GOOD}\n{ahead}\n"
    first, later = bring_in(store, text), bring_in(store, text, NOW_NS + 60_000_000_000)
    assert [(report.imported, len(report.refused)) for report in (first, later)] == [(1, 1), (2, 0)]
    rows = store.client().query("SELECT outcome_id FROM outcomes FINAL ORDER BY 1").result_rows
    assert rows == [("o1",), ("o2",)]


def test_latest_revision_counts(store: Connections) -> None:
    """A correction of an order replaces it, whichever is imported first."""
    correction = GOOD.replace("5.25", "4.00").replace(str(NOW_NS), str(NOW_NS + 1))
    for line in (correction, GOOD):
        bring_in(store, f"{HEADER}\n{line}\n")

    rows = store.client().query("SELECT toString(margin), source FROM outcomes FINAL").result_rows
    assert rows == [("4", "csv")]


def test_row_that_is_older_than_what_it_corrects_is_refused(store: Connections) -> None:
    """A shop's file of the order's time, after a log of its own: told as imported, it was lost."""
    bring_in(store, f"{HEADER}\n{GOOD}\n")
    older = GOOD.replace(str(NOW_NS), str(NOW_NS - 1))
    again = bring_in(store, f"{HEADER}\n{older}\n")
    assert (again.imported, again.refused) == (1, ()), "it says the same"

    corrected = older.replace("5.25", "4.00")
    report = bring_in(store, f"{HEADER}\n{corrected}\n{GOOD.replace('o1', 'o2')}\n")
    assert report.imported == 1
    (line,) = report.refused
    assert "outcome_id 'o1': says something else than what is stored" in line
    assert f"({NOW_NS} ns), which is later and counts" in line
    rows = store.client().query("SELECT outcome_id, margin FROM outcomes FINAL ORDER BY 1")
    assert rows.result_rows == [("o1", Decimal("5.25")), ("o2", Decimal("5.25"))]

    # A file's own history is none: its last row is what it says.
    history = f"{HEADER}\n{GOOD.replace(str(NOW_NS), str(NOW_NS + 1))}\n{corrected}\n"
    assert bring_in(store, history).refused == ()


def test_file_of_many_days_is_stored_whole(store: Connections) -> None:
    """Where decisions are kept for longer than by default, a first import has all their days."""
    # The store drops at once what is older than its own TTL, so they are days to come.
    days = [NOW_NS + day * NS_PER_DAY for day in range(130)]
    lines = [f"o{day},sale,d{day},,true,1.00,,USD,web,{at_ns}" for day, at_ns in enumerate(days)]
    content = "\n".join([HEADER, *lines]).encode()
    clock = ManualClock(days[-1])
    imported = import_outcomes(store.client(), "shop.csv", content, "USD", clock, kept_days=400)
    assert imported == ImportReport(len(days), ())
    assert store.client().command("SELECT count() FROM outcomes FINAL") == len(days)


class SlowClock(ManualClock):
    """A clock of a machine on which everything takes a minute."""

    def now_ns(self) -> int:
        """Return a minute later each time."""
        self.ns += 60 * NS_PER_S
        return self.ns


def test_row_arrives_when_it_is_inserted(store: Connections) -> None:
    """Attribution, which reads by arrival, had read past a file by the time it was parsed."""
    lines = (f"o{number},d1,1.00,{NOW_NS}" for number in range(50_001))
    content = "\n".join(["outcome_id,decision_id,revenue,occurred_at", *lines]).encode()

    import_outcomes(store.client(), "shop.csv", content, "USD", SlowClock())

    rows = (
        store.client()
        .query("SELECT received_ns, count() FROM outcomes GROUP BY 1 ORDER BY 1")
        .result_rows
    )
    assert rows == [(NOW_NS + 120 * NS_PER_S, 50_000), (NOW_NS + 180 * NS_PER_S, 1)]
