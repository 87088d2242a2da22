"""Amounts as people read them, in whichever currency they are."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from attribution.core.money import (
    amount,
    currency,
    exact,
    many,
    mark,
    rounded,
    state_all_in,
    state_in,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("USD", ("$12.50", "USD", "$", "dollars")), ("JPY", ("12.50 JPY", "JPY", "JPY", "JPY"))],
)
def test_amount_is_labelled_with_its_currency(given: str, shown: tuple[str, str, str, str]) -> None:
    """Dollars as they always were; and what one context states says nothing of another."""

    def read() -> tuple[str, str, str, str]:
        state_in(given)
        return amount("12.50"), currency(), mark(), many()

    assert contextvars.copy_context().run(read) == shown
    assert amount("1") == "$1"


@pytest.mark.parametrize(
    ("given", "shown"),
    [("USD", "$1,234.57"), ("EUR", "1,234.57 EUR"), ("JPY", "1,235 JPY"), ("KWD", "1,234.567 KWD")],
)
def test_amount_is_exact_to_the_smallest_unit_of_its_currency(given: str, shown: str) -> None:
    """A loss of yen stood with two decimals, which no yen has, and one of dinars lost its third."""

    def read() -> list[str]:
        state_in(given)
        return [exact(value) for value in ("1234.567", Decimal("1234.567"), 1234.567)]

    assert contextvars.copy_context().run(read) == [shown] * 3


def test_thread_that_nobody_told_states_what_its_process_does() -> None:
    """A thread of its own has an empty context; what a context says goes before."""
    state_all_in("EUR")
    try:
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(amount, "1").result() == "1 EUR"
            assert thread.submit(state_in, "JPY").result() is None
            assert thread.submit(amount, "1").result() == "1 JPY"
    finally:
        state_all_in("USD")


@pytest.mark.parametrize(
    ("code", "kept"), [("USD", "1234.66"), ("KWD", "1234.662"), ("JPY", "1234.66")]
)
def test_dinars_are_kept_to_the_thousandth(code: str, kept: str) -> None:
    """Rounded to the hundredth, a third digit that was shown was none of theirs."""

    def told() -> Decimal:
        state_in(code)
        return rounded(Decimal("1234.662"))

    assert contextvars.copy_context().run(told) == Decimal(kept)
