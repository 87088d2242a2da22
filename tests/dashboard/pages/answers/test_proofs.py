"""What the Trust page says of seals, clocks, losses and the audit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dashboard.health.items import HealthItem
from dashboard.pages.answers.proofs import (
    answer_sentence,
    counts_lines,
    findings_lines,
    losses_lines,
    lost_of,
    unsigned_is_bad,
    withdrawn_words,
)
from dashboard.read.network.rows import ClockPair
from dashboard.read.rows import Rejected
from dashboard.read.sealed.verdicts import VerdictCount, VerdictFinding, Verdicts, Withdrawn
from tests.support.dashboard.seed import TODAY_NS

NONE = Withdrawn(0, Decimal(0), 0)
APART = ClockPair("a", "b", "packets", TODAY_NS, 900_000, 20_000, None, "unsynchronised", [], 9, 1)


def verdicts(**events: int) -> Verdicts:
    """Return so many events of each verdict."""
    counts = [VerdictCount(name, count, count, TODAY_NS) for name, count in events.items()]
    return Verdicts(0, TODAY_NS, counts, [], NONE)


@pytest.mark.parametrize(
    ("of", "clocks", "lost", "broken", "words"),
    [
        pytest.param(verdicts(ok=90, retried=10), [], [], "",
                     "All 100 sealed decisions are as they were sealed, and the audit holds.",
                     id="all is well"),
        pytest.param(verdicts(ok=90), [], [], None,
                     "All 90 sealed decisions are as they were sealed.", id="audit not read yet"),
        pytest.param(verdicts(ok=90, unsigned=5), [], [], "", "(5 more have no seal)",
                     id="some have no seal"),
        pytest.param(verdicts(), [], [], "", "nothing is proven either", id="nothing is sealed"),
        pytest.param(verdicts(ok=90, tampered=2), [], [], "", "2 sealed events are tampered.",
                     id="tampered"),
        pytest.param(verdicts(ok=90), [], [("stored", "4 unparsable")], "",
                     "stored lost 4 unparsable.", id="lost"),
        pytest.param(verdicts(ok=90), [APART], [], "row 7, it was changed",
                     "does not hold: row 7, it was changed, and 1 more.", id="audit, clocks"),
    ],
)  # fmt: skip
def test_sentence_names_what_speaks_against_the_figures(
    of: Verdicts, clocks: list[ClockPair], lost: list[tuple[str, str]], broken: str, words: str
) -> None:
    """What is not sealed is not proven, and what was not checked is not said to hold."""
    assert words in answer_sentence(of, clocks, lost, broken, is_required=False)


def test_a_missing_seal_is_a_finding_where_one_is_required() -> None:
    """The service says which it is; the page does not guess."""
    items = [HealthItem("provenance.unsigned", 5, "events", "bad", "which ones")]
    assert unsigned_is_bad(items)
    of = verdicts(unsigned=5)
    assert "5 sealed events are unsigned" in answer_sentence(of, [], [], "", is_required=True)
    rows = counts_lines(of.counts, is_required=True)
    assert rows[0]["means"] == "without a seal: a finding"


def test_finding_leads_to_its_decision_and_a_hole_to_none() -> None:
    """A run of numbers that never came has no trace."""
    found = [
        VerdictFinding(
            "tampered", "edge", "1", 4, 4, "ab" * 16, "k1", "the seal differs", TODAY_NS
        ),
        VerdictFinding("missing", "edge", "1", 5, 9, "", "", "", TODAY_NS),
    ]
    first, second = findings_lines(found)
    assert (first["href"], first["numbers"]) == (f"/decisions?q={'ab' * 16}", "no. 4")
    assert (second["href"], second["numbers"], second["what"]) == ("", "no. 5 to 9", "missing")


def test_losses_are_those_of_the_stages_and_of_what_was_rejected() -> None:
    """A stage that lost nothing is not in the list."""
    items = [
        HealthItem("stage.received", 1.0, "s ago", "ok", "lost: 3 too_old"),
        HealthItem(
            "stage.stored", 1.0, "s behind", "warn", "the store is slow; lost: 4 unparsable"
        ),
        HealthItem("stage.alerted", 1.0, "s behind", "ok"),
    ]
    assert lost_of(items) == [("received", "3 too_old"), ("stored", "4 unparsable")]
    rejected = Rejected(
        "no_outcome_id", "outcomes", 1, 2, TODAY_NS, "log-1", "outcome.id is missing"
    )
    rows: list[dict[str, Any]] = losses_lines(lost_of(items), [rejected])
    assert [row["what"] for row in rows] == ["3 too_old", "4 unparsable", "2 no_outcome_id"]


def test_what_left_the_sums_is_said_with_its_dollars() -> None:
    """Unknown dollars are not none."""
    taken = Verdicts(0, 1, [], [], Withdrawn(3, Decimal("12.5"), 1))
    assert withdrawn_words(taken) == "taken out of every sum: 3 decisions ($12.50) and 1 outcome"
    unknown = Verdicts(0, 1, [], [], Withdrawn(3, Decimal(0), 0))
    assert "of unknown value" in withdrawn_words(unknown)
    assert withdrawn_words(verdicts(ok=1)) == ""
