from __future__ import annotations

from alerts.bench.approaches import dollar_rule, workbook
from alerts.bench.score import score
from alerts.bench.world import make_world


def test_dollar_rule_beats_counting_in_a_world_it_was_not_made_for() -> None:
    """The claim of the bench on one seed; the bench itself has twenty, with intervals."""
    money = make_world(1_977)

    dollars, counts = score(money, dollar_rule(money)), score(money, workbook(money)["workbook_6"])

    assert dollars["precision"] > counts["precision"] + 0.1
    assert dollars["recall"] > counts["recall"] + 0.1
    assert dollars["reset_p50_min"] < 15.0
