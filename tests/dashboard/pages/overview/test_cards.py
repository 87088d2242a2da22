"""What the five figures of the Overview say beside their number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard.pages.overview.cards import risk_card, warned
from dashboard.read.rows import Revenue


@pytest.mark.parametrize(
    ("source", "badge"),
    [("prior", "article prior"), ("unknown", "failures alone, lateness unknown")],
)
def test_risk_says_what_its_slope_is(source: str, badge: str) -> None:
    """Where the prior is contradicted, what is shown is what failed, and says so."""
    revenue = Revenue(
        decisions=10, late=5, unvalued=0, value_usd=Decimal(100), loss_usd=Decimal(10),
        loss_low_usd=Decimal(10), loss_high_usd=Decimal(10), earned_usd=Decimal(90),
        bases=["margin"], slope_sources=[source], first_ns=0, last_ns=3_600_000_000_000,
        window_ns=7_200_000_000_000,
    )  # fmt: skip
    figure, note = risk_card(revenue, "a paper")
    assert figure == "$10.00 / h"
    assert not isinstance(note, str)
    assert note.children[2].children == badge


def test_dollars_say_what_contradicts_them() -> None:
    """Beside the figure, with the whole of it where the pointer stands."""
    assert warned(("$1.00 / h", "basis margin"), "") == ("$1.00 / h", "basis margin")
    figure, note = warned(("$1.00 / h", "basis margin"), "say all")
    assert (figure, note.children[0], note.children[2].title) == (
        "$1.00 / h",
        "basis margin",
        "say all",
    )
