"""What a decision lost, is worth and earned, as pages and commands say it."""

from __future__ import annotations

import contextvars
from dataclasses import replace
from decimal import Decimal

from attribution.core.money import state_in
from dashboard.read.decision.outcome_wording import (
    money_words,
    outcome_words,
    priced_words,
    stated_words,
)
from dashboard.read.decisions.listing import DecisionRow
from dashboard.read.rows import Outcome
from tests.support.dashboard.seed import TODAY_NS


def test_outcomes_are_said_as_a_merchant_says_them() -> None:
    """`sale: not converted $0.00 margin` is a row of a table, not an answer."""
    sale = Outcome("o-1", "sale", 1, True, Decimal("49.9"), Decimal("12.3"), "USD", TODAY_NS)
    refund = replace(sale, kind="refund", margin=None, currency="EUR")
    assert outcome_words([]) == "none known yet"
    assert outcome_words([sale, refund]) == "sold, $12.30 margin; refund, 49.90 EUR revenue"
    assert money_words(Decimal("1206.125000"), "KWD") == "1,206.125 KWD"
    assert outcome_words([replace(sale, margin=None, revenue=None)]) == "sold"
    none = replace(sale, converted=0, is_sale=False, margin=Decimal(0), revenue=Decimal(0))
    assert outcome_words([none]) == "nothing sold"
    # As README has it: one that names an amount need not say that it converted.
    assert outcome_words([replace(sale, converted=0)]) == "sold, $12.30 margin"


def test_outcome_in_another_currency_is_named_in_that() -> None:
    """Of a service in EUR one in USD is not in EUR, and is not what `$` stands for there."""
    sale = Outcome("o-1", "sale", 1, True, None, Decimal("12.3"), "USD", TODAY_NS)

    def said() -> list[str]:
        state_in("EUR")
        return [outcome_words([each]) for each in (sale, replace(sale, currency="EUR"))]

    told = contextvars.copy_context().run(said)
    assert told == ["sold, 12.30 USD margin", "sold, 12.30 EUR margin"]


def test_what_a_decision_is_worth_says_by_what() -> None:
    """One word for one amount: what its sender stated is never called what it is worth."""
    failed = DecisionRow(
        decision_id="d-1", ingress_ns=TODAY_NS, action="offer", region="eu", channel="", cohort="",
        service_name="edge", total_ns=1, target_ns=2, worst="decision/store", worst_ns=1,
        is_error=True, packets=False, value_usd=Decimal("3.43"), is_stated=False,
        loss_usd=Decimal("3.43"), loss_low_usd=Decimal("1.2"), loss_high_usd=Decimal(4),
        earned=None, converted=None, currency="",
    )  # fmt: skip
    assert priced_words(failed) == "lost $3.43 (90 %: $1.20 to $4.00), worth $3.43 by its class"
    none = Decimal(0)
    stated = replace(failed, is_stated=True, loss_usd=none, loss_low_usd=none, loss_high_usd=none)
    assert priced_words(stated) == "lost nothing, worth $3.43 by what its sender stated"
    assert priced_words(replace(failed, value_usd=None)) == "what it lost and is worth: unknown"
    assert priced_words(None) == "what it lost and is worth: not known yet"
    assert stated_words(Decimal("1.86")) == "stated by the sender: $1.86"
    assert stated_words(None) == "stated by the sender: nothing"
