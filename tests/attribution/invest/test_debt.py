from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.invest.debt import Burden, Item, Worth, in_all, ledger, price, total
from attribution.invest.debt_found import (
    CacheSeen,
    FlagSeen,
    RuntimeSeen,
    billed_for,
    old_runtimes,
    resource_names,
    stale_flags,
    unknown_runtimes,
    useless_caches,
)
from attribution.invest.debt_job import joined
from attribution.invest.file import parse_invest
from attribution.invest.npv import Range
from attribution.invest.runtimes import end_of_life
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY

# A year's rate whose quarter is ten per cent: twelve quarters of a dollar are worth 6.813691823.
RATE = Decimal("0.4641")
# 2026-11-25T00:00Z.
NOW_NS = 1_795_564_800 * 10**9
UNKNOWN = Worth(None, None, "prior", "no decision has a known value")


def usd(amount: str) -> Range:
    """Return an amount that is known."""
    return Range.exactly(Decimal(amount))


def owed(name: str = "a", **burden: Range) -> Item:
    """Return an item of this burden."""
    return Item(name, "stated", name, "file", {}, Burden(**burden), ("stated",))


def test_loss_and_worth_of_mending_agree_with_a_calculation_by_hand() -> None:
    """2 incidents x 3 h x 4,000 + 1.5 ms x 2,000 + 5 days x 300 + 1,200 to run = 29,700 a year.

    A quarter of that is 7,425, twelve of them at 10 % are worth 50,591.66; mending takes 30,000.
    An hour at half of the ERV of 8,766,000 a year costs 500: 2 x 3 x 500 = 3,000 instead.
    """
    worth = Worth(usd("8766000"), usd("2000"), "estimate", "slope version 3")
    burden = Burden(
        incidents_per_year=usd("2"), hours_per_incident=usd("3"), usd_per_hour=usd("4000"),
        drag_ms=usd("1.5"), delay_days_per_year=usd("5"), usd_per_delay_day=usd("300"),
        run_usd_per_year=usd("1200"), fix_usd=usd("30000"),
    )  # fmt: skip
    got = price(replace(owed(), burden=burden), worth, RATE, 12)
    assert got.loss_usd_per_year == usd("29700.00")
    assert (got.npv_usd, got.npv_per_fix_usd) == (Decimal("20591.66"), Decimal("0.69"))
    assert (got.bases, got.missing, got.is_partial) == (("estimate", "stated"), (), False)
    shared = replace(burden, usd_per_hour=None, impact=usd("0.5"))
    got = price(replace(owed(), burden=shared), worth, RATE, 12)
    assert got.loss_usd_per_year == usd("8700.00")


def test_interval_of_a_loss_goes_into_its_worth() -> None:
    """1,000 to 4,000 around 2,000 a year; mending 1,000 to 3,000 around 2,000.

    500 x 6.813691823 - 2,000; at worst 250 x 6.81... - 3,000, at best 1,000 x 6.81... - 1,000.
    """
    wide = Range(Decimal(1000), Decimal(2000), Decimal(4000))
    fix = Range(Decimal(1000), Decimal(2000), Decimal(3000))
    got = price(owed(run_usd_per_year=wide, fix_usd=fix), UNKNOWN, RATE, 12)
    assert (got.npv_low_usd, got.npv_usd, got.npv_high_usd) == (
        Decimal("-1296.58"), Decimal("1406.85"), Decimal("5813.69"),
    )  # fmt: skip


def test_what_is_not_known_has_no_dollars_and_says_why() -> None:
    """Neither nothing nor a guess; a part that is known is told as a part."""
    bare = price(owed(), UNKNOWN, RATE, 12)
    assert (bare.loss_usd_per_year, bare.npv_usd) == (None, None)
    assert bare.missing[0].startswith("what it costs: incidents, drag_ms")
    drag = price(owed(drag_ms=usd("2"), fix_usd=usd("5")), UNKNOWN, RATE, 12)
    assert (drag.loss_usd_per_year, drag.npv_usd) == (None, None)
    assert drag.missing == ("the value of decisions, which a millisecond takes from",)
    both = price(owed(drag_ms=usd("2"), run_usd_per_year=usd("9")), UNKNOWN, RATE, 12)
    assert (both.loss_usd_per_year, both.is_partial) == (usd("9.00"), True)
    assert both.missing[-1] == "fix_usd: what it takes to mend it"


def test_ledger_begins_with_what_brings_the_most_for_a_dollar() -> None:
    """Then what has no price of mending, by its loss; last what is unknown."""
    items = [
        owed("unknown"),
        owed("small", run_usd_per_year=usd("10")),
        owed("dear", run_usd_per_year=usd("1000"), fix_usd=usd("10000")),
        owed("large", run_usd_per_year=usd("900")),
        owed("cheap", run_usd_per_year=usd("100"), fix_usd=usd("1")),
    ]
    order = [each.item.id for each in ledger(items, UNKNOWN, RATE, 12)]
    assert order == ["cheap", "dear", "large", "small", "unknown"]


def test_what_rests_on_one_slope_is_uncertain_together() -> None:
    """Ten items of a millisecond owe what one of ten does; as unlike things 389 to 879."""
    worth = Worth(None, Range(Decimal(15), Decimal(50), Decimal(170)), "prior", "")
    ten = ledger([owed(f"a{index}", drag_ms=usd("1")) for index in range(10)], worth, RATE, 12)
    one = ledger([owed(drag_ms=usd("10"))], worth, RATE, 12)
    whole = Range(Decimal(150), Decimal(500), Decimal(1700))
    assert in_all(ten, worth) == in_all(one, worth) == whole
    # What a bill says is another matter: 40 below a hundred beside 350 below five hundred.
    billed = Range(Decimal(60), Decimal(100), Decimal(100))
    both = ledger([one[0].item, owed("b", run_usd_per_year=billed)], worth, RATE, 12)
    assert in_all(both, worth) == Range(Decimal("247.72"), Decimal(600), Decimal(1800))
    assert in_all(ledger([owed()], worth, RATE, 12), worth) is None


def test_impact_and_drag_of_one_item_rest_on_one_slope_too() -> None:
    """An hour a year at the whole ERV of 8,766 a year is a dollar: 0.5 to 2, and 15 to 170."""
    worth = Worth(
        Range(Decimal(4383), Decimal(8766), Decimal(17532)),
        Range(Decimal(15), Decimal(50), Decimal(170)), "prior", "",
    )  # fmt: skip
    one = usd("1")
    item = owed(incidents_per_year=one, hours_per_incident=one, impact=one, drag_ms=one)
    got = price(item, worth, RATE, 12)
    assert got.loss_usd_per_year == Range(Decimal("15.5"), Decimal(51), Decimal(172))


AMOUNTS = st.decimals(0, 10**6, places=2)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=6))
def test_total_of_ranges_lies_within_the_sum_of_their_ends(
    each: list[tuple[Decimal, Decimal, Decimal]],
) -> None:
    """Independent amounts are never all at their low ends at once."""
    parts = [Range(low, low + more, low + more + most) for low, more, most in each]
    got = total(parts)
    cent = Decimal("0.01")
    assert got.median == sum(part.median for part in parts)
    assert sum(part.low for part in parts) - cent <= got.low <= got.median
    assert got.median <= got.high <= sum(part.high for part in parts) + cent


@pytest.mark.parametrize(
    ("name", "version", "language", "release", "ends_on"),
    [
        ("cpython", "3.8.10", "python", "3.8", "2024-10-31"),
        ("CPython", "3.13.0", "", "3.13", "2029-10-31"),
        ("nodejs", "v18.1.0", "nodejs", "18", "2025-04-30"),
        ("go", "go1.22.3", "go", "1.22", "2025-02-11"),
        (".NET", "8.0.1", "dotnet", "8", "2026-11-10"),
        ("fpm-fcgi", "8.1.2", "php", "8.1", "2025-12-31"),
        ("nodejs", "v10.24.1", "nodejs", "10", "2022-04-30"),  # before the first that is listed
    ],
)
def test_end_of_a_runtime_is_that_of_its_release(
    name: str, version: str, language: str, release: str, ends_on: str
) -> None:
    """As SDKs name runtimes."""
    got = end_of_life(name, version, language)
    assert got is not None
    assert (got.release, str(got.ends_on)) == (release, ends_on)
    assert got.source.startswith("https://")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("OpenJDK Runtime Environment", "17.0.9"),
        ("cpython", "3.99.0"),
        ("cpython", "3.1.1"),
        ("cpython", ""),
        ("", "1"),
    ],
)
def test_end_that_the_table_does_not_know_is_unknown(name: str, version: str) -> None:
    """Java's end depends on who built it; Python 3.1 lies between two that are listed."""
    assert end_of_life(name, version) is None


def runtime(**changes: Any) -> RuntimeSeen:  # noqa: ANN401  any field
    """Return Python 3.8 under the shop, seen now."""
    told: dict[str, Any] = {
        "service": "shop", "runtime": "cpython", "version": "3.8.10", "language": "python",
        "spans": 9, "first_ns": NOW_NS - 20 * NS_PER_DAY, "last_ns": NOW_NS - 1,
    }  # fmt: skip
    return RuntimeSeen(**(told | changes))


def test_runtime_without_repairs_is_found_while_it_is_in_use() -> None:
    """2024-10-31 to 2026-11-25 are 755 days; a service that was moved on owes nothing."""
    (item,) = old_runtimes([runtime(), runtime(version="3.8.9")], NOW_NS)
    assert item.id == "runtime/shop/cpython-3.8"
    assert (item.evidence["days_over"], item.evidence["ended_on"]) == (755, "2024-10-31")
    moved = [runtime(last_ns=NOW_NS - 2 * NS_PER_DAY), runtime(version="3.13.1")]
    assert old_runtimes(moved, NOW_NS) == []
    java = runtime(runtime="OpenJDK Runtime Environment", version="17.0.9", language="java")
    assert old_runtimes([java], NOW_NS) == []
    assert unknown_runtimes([java]) == ["shop: OpenJDK Runtime Environment 17.0.9"]


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [
        ({}, True),
        ({"variants": ["off", "on"]}, False),
        ({"variants": [""]}, False),  # the sender does not say what was answered
        ({"first_ns": NOW_NS - 5 * NS_PER_DAY}, False),
        ({"last_ns": NOW_NS - 3 * NS_PER_DAY}, False),  # nobody asks any more
    ],
)
def test_flag_is_stale_that_always_answers_alike(changes: dict[str, Any], is_found: bool) -> None:
    """For so many days as are asked for, and still."""
    told: dict[str, Any] = {
        "flag": "new-price", "variants": ["on"], "services": ["shop"], "evaluations": 7,
        "first_ns": NOW_NS - 20 * NS_PER_DAY, "last_ns": NOW_NS - 1,
    }  # fmt: skip
    found = stale_flags([FlagSeen(**(told | changes))], 14, NOW_NS)
    assert [each.id for each in found] == (["flag/new-price"] if is_found else [])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"writes": 500, "reads": 0}, "was written 500 times and never read"),
        ({"writes": 500, "reads": 1}, None),
        ({"writes": 500, "others": 1}, None),  # what that call does is not known
        ({"writes": 500, "first_ns": NOW_NS - 5 * NS_PER_DAY}, None),
        ({"lookups": 10_000, "reads": 10_000, "hits": 100}, "hit 100 times of 10000"),
        ({"lookups": 10_000, "reads": 10_000, "hits": 480}, None),  # its interval reaches 5.2 %
        ({"lookups": 900, "reads": 900}, None),
        ({"last_ns": NOW_NS - 15 * NS_PER_DAY, "reads": 9}, "has not been called for 15 days"),
    ],
)
def test_cache_is_useless_that_gives_nothing_back(
    changes: dict[str, Any], what: str | None
) -> None:
    """Written and never read, asked in vain, or forgotten; nothing else."""
    told: dict[str, Any] = {
        "cache": "redis s:6379", "reads": 0, "writes": 0, "others": 0, "lookups": 0, "hits": 0,
        "first_ns": NOW_NS - 20 * NS_PER_DAY, "last_ns": NOW_NS - 1,
    }  # fmt: skip
    found = useless_caches([CacheSeen(**(told | changes))], 14, NOW_NS)
    assert [what in each.what for each in found if what] == ([True] if what else [])
    assert len(found) == (1 if what else 0)


def test_bill_names_a_cache_in_its_own_way() -> None:
    """By its whole name, its host, or the end of a resource's path."""
    names = resource_names("redis sessions.abc.cache.example.com:6379")
    assert names[-1] == "sessions"
    bills = {"arn:x:cluster:sessions": 1, "sessions": 2, "old-sessions": 3, "": 4}
    assert billed_for(names, bills) == ["arn:x:cluster:sessions", "sessions"]
    assert resource_names("redis 10.0.0.7:6379") == ["redis 10.0.0.7:6379", "10.0.0.7"]


FILE = """
[[debt]]
id = "runtime/shop/cpython-3.8"
incidents_per_year = 2
hours_per_incident = 3
usd_per_hour = 4000
source = "incidents of 2026"

[[debt]]
id = "old ledger"
what = "the move off the old ledger, put off twice"
run_usd_per_year = { low = 1, median = 2, high = 3 }
"""


def test_entry_prices_what_telemetry_found_and_others_stand_alone() -> None:
    """The evidence stays telemetry's, the amounts are the file's."""
    told = parse_invest("debt.toml", FILE)
    found, alone = joined(old_runtimes([runtime()], NOW_NS), told.debt)
    assert (found.found_by, found.evidence["days_over"]) == ("telemetry and file", 755)
    assert found.evidence["source_of_amounts"] == "incidents of 2026"
    assert price(found, UNKNOWN, RATE, 12).loss_usd_per_year == usd("24000.00")
    assert (alone.found_by, alone.kind) == ("file", "stated")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("hours_per_incident = 3", "incidents_per_year and hours_per_incident go together"),
        ("usd_per_delay_day = 3", "delay_days_per_year and usd_per_delay_day go together"),
        ("impact = 0.5", "are of an incident; give incidents_per_year"),
        ("drag_ms = -1", "drag_ms is -1; expected 0 or more"),
        (
            "incidents_per_year = 1\nhours_per_incident = 1\nimpact = 2",
            "impact is 2; expected a share, 0 to 1",
        ),
        (
            "incidents_per_year = 1\nhours_per_incident = 1\nimpact = 1\nusd_per_hour = 1",
            "give usd_per_hour or impact, not both",
        ),
        ('run_usd_per_year = 1\n[[debt]]\nid = "a"', "two entries of debt are 'a'"),
    ],
)
def test_bad_entry_is_refused_by_name(line: str, error: str) -> None:
    """With what has to be corrected."""
    with pytest.raises(InputError, match=error):
        parse_invest("debt.toml", f'[[debt]]\nid = "a"\n{line}\n')
