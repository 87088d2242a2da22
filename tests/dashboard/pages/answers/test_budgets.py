"""What the Budgets page says of what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from attribution.core.slo import Measured, Verdict, promises, worst
from attribution.whatif.answers import BudgetStanding
from dashboard.pages.answers.budgets import answer_sentence, lines
from dashboard.read.scope import Scope
from tests.support.dashboard.seed import TODAY_NS


def standing(
    name: str, decisions: int, over_p95: int, *, segment: str = "all", p95_ms: float = 212.0
) -> BudgetStanding:
    """Return a budget of 80 and 150 ms as so many decisions over 150 ms leave it.

    They are spread over twenty minutes alike.
    """
    each, none = [decisions // 20] * 20, [0] * 20
    over = [over_p95 * (at + 1) // 20 - over_p95 * at // 20 for at in range(20)]
    measured = Measured(decisions, 41_000_000, round(p95_ms * 1e6), 0, over_p95, each, none, over)
    judged = promises(80.0, 150.0, measured)
    return BudgetStanding(
        name, "offer", "eu-west", "web", segment, 3600, decisions, worst(judged), judged, None, 31.0
    )


MISSED = standing("checkout", 1000, 80)
MET = standing("quote", 1000, 10, p95_ms=120.0)
UNCLEAR = standing("few", 20, 1, p95_ms=140.0)
SILENT = standing("night", 0, 0)


@pytest.mark.parametrize(
    ("every", "words"),
    [
        pytest.param([], "No latency budget is set", id="nothing is promised"),
        pytest.param([MET], "The latency budget is kept.", id="kept"),
        pytest.param(
            [MET, MISSED],
            "1 of 2 latency budgets is missed: checkout took 212.0 ms at p95, 150 ms are promised.",
            id="missed",
        ),
        pytest.param([MET, UNCLEAR], "1 cannot be told from chance yet", id="too few"),
        pytest.param([SILENT], "Nothing can be judged", id="no decision"),
    ],
)
def test_sentence_is_the_worst_that_can_be_said(every: list[BudgetStanding], words: str) -> None:
    """It is read at night, by somebody who reads nothing else."""
    assert words in answer_sentence(every, every)


def test_promise_is_shown_with_its_interval_and_its_decisions() -> None:
    """Worst first; a promise without a decision is unknown, and not zero."""
    scope = Scope(window="15m", region="us-east", filters=(("late", "1"),))
    shown = lines([MET, MISSED, SILENT], scope, TODAY_NS)
    first: dict[str, Any] = shown[0]
    assert (first["verdict"], first["over"]) == (Verdict.MISSED, "8.0 %, 5 % allowed")
    assert first["interval"] == "95 %: 6.5 to 9.8 %"
    assert first["reference"] == "31.0 ms"
    behind = parse_qs(urlsplit(first["href"]).query)
    assert behind == {
        "window": ["3600s"], "action": ["offer"], "region": ["eu-west"], "channel": ["web"],
        "low_ms": ["150"], "sort": ["slowest"],
    }  # fmt: skip
    assert [row["over"] for row in shown[-2:]] == ["unknown", "unknown"]


def test_budget_of_a_segment_leads_to_decisions_that_were_longest_in_it() -> None:
    """The latency of a whole decision says nothing of the time in one part of it."""
    row = lines([standing("store", 1000, 80, segment="decision/store")], Scope(), TODAY_NS)[0]
    assert "segment=decision%2Fstore" in str(row["href"])
    assert "low_ms" not in str(row["href"])
    assert row["of"] == "offer / eu-west / web · time in decision/store"


def test_sentence_of_another_scope_judges_nothing() -> None:
    """A filter that no budget is of is not a kept promise."""
    shown: Sequence[BudgetStanding] = []
    assert answer_sentence([MET], shown) == "No latency budget is of this action and region."
