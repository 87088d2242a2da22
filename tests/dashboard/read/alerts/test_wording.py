"""What an alert is about, in a sentence that a tired reader takes in at once."""

from __future__ import annotations

from dataclasses import replace

from dashboard.read.alerts.wording import cause_of
from tests.support.alerts.builders import event


def test_cause_names_class_part_and_excess() -> None:
    """`revenue-burn-demo` said which rule fired, and nothing of what is wrong."""
    fired = event(action="offer")
    assert cause_of(fired) == "offer / eu-west: store slower by 120 ms than normal"
    assert cause_of(replace(fired, region="*")).startswith("offer / all: store")
    few = replace(fired, blamed_class="compute", blamed_excess_ns=1_500_000)
    assert cause_of(few) == "offer / eu-west: own code slower by 1.5 ms than normal"


def test_cause_of_what_blames_nothing_is_its_reason() -> None:
    """A service that fell silent has no segment; what its rule says is all that there is."""
    silent = event(action="shop", region="", blamed_stage="", blamed_class="", reason="no data")
    assert cause_of(silent) == "shop: no data"
    assert cause_of(replace(silent, action="", reason="")) == "all data: no reason was given"
    assert len(cause_of(replace(silent, action="a" * 9_000, reason="r" * 9_000))) < 300
