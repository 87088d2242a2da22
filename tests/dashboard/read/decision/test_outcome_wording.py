"""What a decision earned, as pages and commands say it."""

from __future__ import annotations

import contextvars
from dataclasses import replace
from decimal import Decimal

from attribution.core.money import state_in
from dashboard.read.decision.outcome_wording import outcome_words
from dashboard.read.rows import Outcome
from tests.support.dashboard.seed import TODAY_NS


def test_outcomes_are_said_as_a_merchant_says_them() -> None:
    """`sale: not converted $0.00 margin` is a row of a table, not an answer."""
    sale = Outcome("o-1", "sale", 1, True, Decimal("49.9"), Decimal("12.3"), "USD", TODAY_NS)
    refund = replace(sale, kind="refund", margin=None, currency="EUR")
    assert outcome_words([]) == "none known yet"
    assert outcome_words([sale, refund]) == "sold, $12.30 margin; refund, 49.90 EUR revenue"
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
