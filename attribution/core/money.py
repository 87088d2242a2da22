"""Pure: amounts as people read them: `$1,234` in dollars, `1,234 EUR` in any other currency.

Every amount is in `attribution.currency`. A service says at its start which one that is, for all of
its threads, and each answer again; a command as the service that it asks says. So no text in
between has to be handed it. Fields named `_usd` are amounts in that currency.
"""

from __future__ import annotations

from contextvars import ContextVar
from decimal import Decimal
from typing import Final

USD: Final = "USD"
MICROS_PER_USD: Final = 1_000_000
MICRO_USD: Final = Decimal("0.000001")
# ISO 4217, where the smallest unit is no hundredth.
_WHOLE: Final = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_STATED_IN: ContextVar[str] = ContextVar("currency")
_stated_by_all = USD  # where no context says anything


def state_in(currency: str) -> None:
    """State amounts in a currency, ISO 4217, from here on, in this context and its copies."""
    _STATED_IN.set(currency)


def state_all_in(currency: str) -> None:
    """State amounts in a currency, ISO 4217, in whatever this process begins, by itself too."""
    global _stated_by_all
    _stated_by_all = currency


def currency() -> str:
    """Return what amounts are stated in, ISO 4217: beside a number, and over a column."""
    return _STATED_IN.get(_stated_by_all)


def amount(digits: str) -> str:
    """Return an amount whose digits are these: `$12.50`, `12.50 EUR`."""
    return f"${digits}" if currency() == USD else f"{digits} {currency()}"


def digits(value: Decimal | float | str) -> str:
    """Return the digits of an amount to its smallest unit: `1,234.50`, of yen `1,235`."""
    code = currency()
    places = 0 if code in _WHOLE else 3 if code in _THOUSANDTHS else 2
    return f"{Decimal(value):,.{places}f}"


def rounded(value: Decimal) -> Decimal:
    """Return an amount to the hundredth, or the thousandth where its currency has them."""
    return value.quantize(Decimal("0.001" if currency() in _THOUSANDTHS else "0.01"))


def exact(value: Decimal | float | str) -> str:
    """Return an amount to its smallest unit: `$1,234.50`, `1,235 JPY`."""
    return amount(digits(value))


def mark() -> str:
    """Return what stands over a column or an axis: `$`, `EUR`."""
    return "$" if currency() == USD else currency()


def many() -> str:
    """Return what amounts are called in a sentence: `dollars`, `EUR`."""
    return "dollars" if currency() == USD else currency()
