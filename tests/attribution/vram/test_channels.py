from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.channels import ChannelLine, channels
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.imports.channels import COLUMNS, import_channels
from collector.imports.rates import RATES, import_dated
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

DAY_NS = BASE_NS // NS_PER_DAY * NS_PER_DAY  # 2033-05-18
DAY_S = 86_400
WINDOW = Selection(DAY_NS, DAY_NS + 2 * NS_PER_DAY)
CONFIG = AttributionConfig().reading(
    OutcomesConfig(),
    {
        "search": ChannelConfig(kind="paid"),
        "app": ChannelConfig(kind="owned", horizon_days=90),
        "declared": ChannelConfig(kind="owned"),
    },
)
HEAD = ",".join(COLUMNS) + "\n"


def spent(store: Connections, text: str, source: str = "ads") -> None:
    """Import what channels cost."""
    report = import_channels(store.client(), "c.csv", (HEAD + text).encode(), source, BASE_NS)
    assert report.refused == ()


def decided(store: Connections, counts: Mapping[str, int], start_s: float = 0) -> None:
    """Store so many decisions of each channel, one a second."""
    put_spans(
        store,
        [
            each
            for name, count in counts.items()
            for at in range(count)
            for each in decision(
                f"{name[:6]}{at}{int(start_s)}", (start_s + at) * 1_000, 50,
                decision__channel=name,
            )
        ],
    )  # fmt: skip


def sold(store: Connections, *sales: tuple[str, str, float]) -> None:
    """Store a sale of each: of which decision, its margin, and on which day."""
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(of), margin=margin, event_s=day * DAY_S + 60,
                    received_s=30)
            for at, (of, margin, day) in enumerate(sales)
        ],
    )  # fmt: skip


def lines(
    store: Connections, config: AttributionConfig = CONFIG, kept_days: int = 400
) -> dict[str, ChannelLine]:
    """Attribute everything, and return the channels."""
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 3 * DAY_S * NS_PER_S)
    return {each.name: each for each in channels(config, store, WINDOW, kept_days).channels}


def test_acquisition_and_conversion_by_hand(store: Connections) -> None:
    """40 clicks for 30.00 USD and 8.00 EUR at 1.25; 4 of 10 decisions sell for 25.05 in all."""
    decided(store, {"search": 10, "app": 5})
    sold(
        store,
        ("search00", "10.01", 0), ("search10", "10.02", 1), ("search20", "5.02", 2),
        ("search30", "20", 40), ("app00", "3.33", 0), ("app10", "4.44", 60),
        ("app20", "5.55", 120),
    )  # fmt: skip
    spent(store, "search,2033-05-18,30,30,USD,8\n")
    spent(store, "search,2033-05-18,10,8,EUR,4\n", "other")
    rate = b"day,currency,rate\n2033-05-18,EUR,1.25\n"
    import_dated(store.client(), RATES, "r.csv", rate, BASE_NS)
    found = lines(store)
    search, app = found["search"], found["app"]
    assert (search.kind, search.decisions, search.clicks) == ("paid", 10, 40)
    assert (search.acquisition_usd, search.acquisition_basis) == (Decimal("40.00"), "imported")
    assert (search.cost_per_click, search.quality_score) == (Decimal("1.0000"), Decimal("7.00"))
    assert (search.acquisition_per_decision_usd, search.acquisition_per_sale_usd) == (
        Decimal("4.0000"), Decimal("13.3333"),
    )  # fmt: skip
    assert [
        (each.days, each.is_own, each.sold, each.conversion, each.earned_usd,
         each.after_acquisition_usd)
        for each in search.horizons
    ] == [
        (30, True, 3, 0.3, Decimal("25.05"), Decimal("-14.95")),
        (90, False, 4, 0.4, Decimal("45.05"), Decimal("5.05")),
        (365, False, 4, 0.4, Decimal("45.05"), Decimal("5.05")),
    ]  # fmt: skip
    # Nobody pays for a visitor of a channel that is owned.
    assert (app.acquisition_usd, app.clicks, app.cost_per_click) == (Decimal("0.00"), None, None)
    assert [(each.days, each.is_own, each.earned_usd) for each in app.horizons] == [
        (30, False, Decimal("3.33")), (90, True, Decimal("7.77")), (365, False, Decimal("13.32")),
    ]  # fmt: skip
    assert search.horizons[0].final_from == "2033-06-19"


def test_channel_that_sold_nothing_brought_less_than_nothing(store: Connections) -> None:
    """Beside one that sells, and where it is told: 2 days of 30.00 USD are lost."""
    decided(store, {"search": 4, "app": 2})
    sold(store, ("app00", "3.33", 0))
    refused = outcome("n", decision_id=trace_id("search00"), kind="none", converted=False)
    put_outcomes(store, [refused])
    spent(store, "search,2033-05-18,30,30,USD,\nsearch,2033-05-19,30,30,USD,\n")
    own = lines(store)["search"].horizons[0]
    assert (own.known, own.sold, own.conversion, own.basis) == (4, 0, 0.0, "margin")
    assert (own.earned_usd, own.after_acquisition_usd) == (Decimal("0.00"), Decimal("-60.00"))


@pytest.mark.parametrize(
    ("imported", "paid", "basis"),
    [
        ("", None, "no cost was imported; millworth import channels"),
        ("search,2033-05-18,30,30,USD,\n", None, "days without a cost: 2033-05-19; millworth"),
        (
            "search,2033-05-18,30,30,USD,\nsearch,2033-05-19,1,1,EUR,\n", None, "no rate of EUR",
        ),
        (
            "search,2033-05-18,30,30,USD,\nsearch,2033-05-19,1,,,\n", None,
            "days without a cost: 2033-05-19",
        ),
        (
            "search,2033-05-18,30,30,USD,\nsearch,2033-05-19,1,0,USD,\n", Decimal("30.00"),
            "imported",
        ),
    ],
    ids=["nothing", "one day of two", "no rate", "clicks without a cost", "a day for nothing"],
)  # fmt: skip
def test_cost_of_a_part_of_the_days_is_unknown(
    store: Connections, imported: str, paid: Decimal | None, basis: str
) -> None:
    """A missing day would be a cheap channel."""
    decided(store, {"search": 2})
    decided(store, {"search": 2}, start_s=DAY_S)
    sold(store, ("search00", "10", 0))
    if imported:
        spent(store, imported)
    search = lines(store)["search"]
    assert (search.acquisition_usd, search.acquisition_basis[: len(basis)]) == (paid, basis)
    own = search.horizons[0]
    if paid is None:
        assert (own.after_acquisition_usd, own.why_unknown) == (None, "what was paid is unknown")
    else:
        assert own.after_acquisition_usd == Decimal("-20.00")


def test_revenue_is_no_margin(store: Connections) -> None:
    """What a sale brought less what its click cost is not what is left."""
    decided(store, {"search": 3})
    put_outcomes(store, [outcome("o", decision_id=trace_id("search00"), revenue="100")])
    spent(store, "search,2033-05-18,3,3,USD,\n")
    own = lines(store)["search"].horizons[0]
    assert (own.basis, own.earned_usd, own.after_acquisition_usd) == (
        "revenue", Decimal("100.00"), None,
    )  # fmt: skip
    assert own.why_unknown == "what was earned is revenue, not margin"


def test_known_are_all_decisions_whose_outcome_is_known(store: Connections) -> None:
    """Ten sold for what is known, ten for what is not, five for nothing: 20 of 10 had sold."""
    put_spans(
        store,
        [
            each
            for at in range(25)
            for each in decision(
                f"d{at}", at * 1_000, 50, decision__channel="search",
                decision__action="offer" if at < 10 else "other",
            )
        ],
    )  # fmt: skip
    put_spans(store, decision("silent", 60_000, 50, decision__channel="app"))
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(f"d{at}"), kind="sale" if at < 20 else "none",
                    converted=at < 20, margin="1" if at < 10 else None)
            for at in range(25)
        ],
    )  # fmt: skip
    for of_all in (False, True):
        outcomes = OutcomesConfig(complete="all" if of_all else "sales")
        found = lines(store, AttributionConfig().reading(outcomes, {}))
        for each in found["search"].horizons:
            assert (each.known, each.sold, each.conversion) == (25, 20, 0.8)
            # What ten of them sold for is known, and no sum of the channel.
            assert (each.earned_usd, each.unknown_amounts) == (None, 10)
        # Of a channel without any outcome it is not known whether one is ever sent.
        silent = found["app"].horizons[0]
        assert (silent.known, silent.sold, silent.conversion) == (0, 0, None)
        assert (silent.basis, silent.earned_usd) == ("unknown", None)


@pytest.mark.parametrize(
    ("no_amount", "region", "earned", "left", "why"),
    [
        ((8, 9), "eu", None, None, "the amount of 2 of 10 decisions that earned something is"),
        ((9,), "", "20.00", None, "the amount of 1 of 10 decisions that earned something is"),
        ((), "", "20.00", "17.00", ""),
    ],
    ids=["of a region of its own", "one in ten", "all known"],
)
def test_sale_of_unknown_amount_leaves_what_is_left_unknown(
    store: Connections,
    no_amount: tuple[int, ...],
    region: str,
    earned: str | None,
    left: str | None,
    why: str,
) -> None:
    """Ten sales for 2.00, of which some have no rate: they were in no sum, and nothing said so."""
    spans = [
        each
        for at in range(10)
        for each in decision(
            f"d{at}", at * 1_000, 50, decision__channel="search",
            decision__region=region if region and at in no_amount else "us",
        )
    ]  # fmt: skip
    put_spans(store, spans)
    put_outcomes(
        store,
        [
            outcome(f"o{at}", decision_id=trace_id(f"d{at}"), margin="2",
                    currency="NOK" if at in no_amount else "USD")
            for at in range(10)
        ],
    )  # fmt: skip
    spent(store, "search,2033-05-18,3,3,USD,\n")
    own = lines(store)["search"].horizons[0]
    assert (own.sold, own.basis, own.unknown_amounts) == (10, "margin", len(no_amount))
    assert (own.earned_usd, own.after_acquisition_usd) == (
        None if earned is None else Decimal(earned),
        None if left is None else Decimal(left),
    )
    assert own.why_unknown[: len(why)] == why
    assert bool(own.why_unknown) == bool(why)


def test_channels_of_no_config_and_of_no_name(store: Connections) -> None:
    """They are there, and what nobody says of them is unknown, never nothing."""
    decided(store, {"": 2, "Müller, 日本 [b]": 1})
    spent(store, "ghost,2033-05-18,0,7,USD,\n")
    found = lines(store)
    assert sorted(found) == ["", "Müller, 日本 [b]", "app", "declared", "ghost", "search"]
    for name in ("", "Müller, 日本 [b]"):
        each = found[name]
        assert (each.kind, each.acquisition_usd, each.clicks) == ("", None, None)
        assert (each.horizons[0].conversion, each.horizons[0].earned_usd) == (None, None)
    ghost = found["ghost"]
    assert (ghost.decisions, ghost.clicks, ghost.cost_per_click, ghost.acquisition_usd) == (
        0, 0, None, Decimal("7.00"),
    )  # fmt: skip
    assert ghost.acquisition_per_decision_usd is ghost.acquisition_per_sale_usd is None
    assert ghost.horizons[0].after_acquisition_usd is None
    assert [each.is_kept for each in found[""].horizons] == [True, True, True]
    assert not lines(store, kept_days=30)[""].horizons[1].is_kept


def test_empty_store_has_the_declared_channels_alone(store: Connections) -> None:
    """And no figure of them but what the declaration says."""
    found = channels(AttributionConfig(), store, WINDOW, 30)
    assert (found.channels, found.from_ns, found.to_ns) == ([], WINDOW.from_ns, WINDOW.to_ns)
    declared = lines(store)["declared"]
    assert (declared.decisions, declared.horizons[0].earned_usd) == (0, None)
