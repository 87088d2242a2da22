"""Decisions as lines, and their sum in words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dashboard.pages.decisions.lines import csv_words, listed_lines, totals_line
from dashboard.read.decisions.listing import DecisionRow, Totals
from dashboard.units import Zone

ROW = DecisionRow(
    decision_id="2172fde49301047270b2897085e4319d",
    ingress_ns=1_795_805_154_884_886_481,
    action="offer",
    region="eu-west",
    channel="web",
    cohort="",
    service_name="edge",
    total_ns=160_000_000,
    target_ns=80_000_000,
    worst="decision/store",
    worst_ns=120_000_000,
    is_error=False,
    packets=True,
    value_usd=Decimal("0.42"),
    is_stated=False,
    loss_usd=Decimal("0.05"),
    loss_low_usd=Decimal("0.01"),
    loss_high_usd=Decimal("0.2"),
    earned=Decimal("12.3"),
    converted=True,
    currency="EUR",
)
SUM = Totals(1482, 1400, 0, Decimal(9000), Decimal(212), Decimal(64), Decimal(720))


EXPECTED = " · worth $9,000"


def test_line_has_its_bar_its_tick_and_a_short_id_last() -> None:
    """A wall of hex was what one saw first."""
    slow, fast = listed_lines([ROW, replace(ROW, total_ns=40_000_000)], Zone())
    assert (slow["bar"], slow["tick"], slow["isLate"]) == (100.0, 50.0, True)
    assert (fast["bar"], fast["isLate"]) == (25.0, False)
    assert (slow["short"], slow["at"], slow["of"]) == ("2172fde4", "18:45:54", "web")
    assert (slow["lost"], slow["interval"]) == ("$0.0500", "90 %: $0.0100 to $0.20")
    assert (slow["worst"], slow["worst_ms"]) == ("store", "120.0 ms · decision")
    assert (slow["outcome"], slow["earned"]) == ("sold", "12.30 EUR")


def test_what_it_earned_is_said_as_all_amounts_are() -> None:
    """`12.30 USD` stood beside `$0.42`."""
    (line,) = listed_lines([replace(ROW, currency="USD")], Zone())
    assert (line["value"], line["earned"]) == ("$0.42", "$12.30")


def test_what_is_not_known_is_said_so() -> None:
    """No outcome yet is not nothing sold, and no value is not zero dollars."""
    unknown = replace(ROW, value_usd=None, loss_usd=None, loss_low_usd=None, converted=None)
    (line,) = listed_lines([unknown], Zone())
    assert (line["lost"], line["value"], line["interval"]) == ("unknown", "unknown", "")
    assert (line["outcome"], line["earned"]) == ("none yet", "")
    (line,) = listed_lines([replace(ROW, converted=False, is_error=True)], Zone())
    assert (line["outcome"], line["earned"]) == ("nothing sold", "error")
    (line,) = listed_lines([replace(ROW, is_error=True)], Zone())
    assert (line["outcome"], line["earned"]) == ("sold", "12.30 EUR · error")


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        (
            SUM,
            "1,482 decisions, $212.00 lost (90 %: $64.00 to $720.00), 1,400 late · worth $9,000",
        ),
        (replace(SUM, loss_usd=None), "1,482 decisions, what they lost is unknown"),
        (replace(SUM, decisions=0, loss_usd=None), "No decision"),
    ],
)
def test_sum_is_a_sentence(totals: Totals, said: str) -> None:
    """How many, how dear, and between which bounds."""
    assert totals_line(totals) == said


def test_a_file_that_will_be_cut_is_announced() -> None:
    """Nobody takes the first hundred thousand for all of them."""
    assert csv_words(100_000) == "CSV of all that the filter holds"
    assert csv_words(250_000) == "CSV of the first 100,000 of 250,000 in this order"
