"""What a decision earned within its horizon, by the statement of values and by the job of cells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from attribution.books.group_values import read_group_values
from attribution.core.config import AttributionConfig, ChannelConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    cells,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

DAY_S = 86_400
HOUR = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
CONFIG = AttributionConfig().reading(
    OutcomesConfig(), {"tv": ChannelConfig(horizon_days=90), "app": ChannelConfig(horizon_days=365)}
)

Told = tuple[str, float, str]  # kind, day on which it happens, USD
FIXTURES: dict[str, tuple[str, list[Told], str, int]] = {
    # channel, outcomes, USD earned by hand (where nothing was, it is unknown), that sold
    "within": ("web", [("sale", 29, "10.01")], "10.01", 1),
    "on the last day": ("web", [("sale", 30, "10.01")], "10.01", 1),
    "after it": ("web", [("sale", 30.01, "10.01")], "nan", 0),
    "after that of others, within its own": ("tv", [("sale", 89, "10.01")], "10.01", 1),
    "of a year": ("app", [("sale", 364, "10.01"), ("sale", 366, "5")], "10.01", 1),
    "taken back after the horizon": (
        "web", [("sale", 1, "10.01"), ("refund", 40, "10.01")], "0.00", 1,
    ),
    "what was sold late is taken back late": (
        "web", [("sale", 1, "10.01"), ("sale", 40, "7"), ("refund", 41, "7")], "10.01", 1,
    ),
    "more is taken back than was sold late": (
        "web", [("sale", 1, "10.01"), ("sale", 40, "7"), ("refund", 41, "9.50")], "7.51", 1,
    ),
    "sold and taken back late": ("web", [("sale", 40, "7"), ("refund", 41, "9.50")], "nan", 0),
    "corrected after it": ("web", [("correction", 50, "3.33")], "3.33", 1),
}  # fmt: skip


@pytest.mark.parametrize("by_key", [False, True], ids=["by id", "by key"])
@pytest.mark.parametrize("name", FIXTURES)
def test_what_is_earned_within_the_horizon(store: Connections, name: str, *, by_key: bool) -> None:
    """To the cent, and the same in both: a sale that comes late would make old decisions rich."""
    channel, told, usd, sold = FIXTURES[name]
    named: dict[str, Any] = {"key": "order"} if by_key else {"decision_id": trace_id("d0")}
    mine: dict[str, Any] = {"outcome__key": "order"} if by_key else {}
    put_spans(store, decision("d0", 0, 50, decision__channel=channel, **mine))
    put_spans(store, decision("d1", 10, 50, decision__channel=channel))
    put_outcomes(
        store,
        [
            outcome(f"o{at}", kind=kind, margin=amount, event_s=day * DAY_S, received_s=20, **named)
            for at, (kind, day, amount) in enumerate(told)
        ],
    )
    AttributionJob(CONFIG, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    (value,) = read_group_values(store, CONFIG, HOUR, "channel")
    assert f"{value.earned_usd:.2f}" == usd
    assert (value.decisions, value.known, value.sold) == (2, 2, sold)
    counted = sum(each["margin_usd"] for each in cells(store))
    assert counted == (Decimal(0) if usd == "nan" else Decimal(usd))


def test_sale_that_is_received_late_amends(store: Connections) -> None:
    """It happened on day 20 and comes on day 35: the decision is worth more from then on."""
    put_spans(store, decision("d0", 0, 50, decision__channel="web"))
    job = AttributionJob(CONFIG, AttributesConfig(), store)
    job.drain(BASE_NS + 100 * NS_PER_S)
    before = read_group_values(store, CONFIG, HOUR, "channel")[0]
    put_outcomes(
        store,
        [outcome("o", decision_id=trace_id("d0"), margin="10.01", event_s=20 * DAY_S,
                 received_s=35 * DAY_S)],
    )  # fmt: skip
    job.drain(BASE_NS + 36 * DAY_S * NS_PER_S)
    after = read_group_values(store, CONFIG, HOUR, "channel")[0]
    assert (before.basis, f"{after.earned_usd:.2f}") == ("unknown", "10.01")
    assert sum(each["margin_usd"] for each in cells(store)) == Decimal("10.01")
