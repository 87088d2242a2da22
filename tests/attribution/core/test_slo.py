from __future__ import annotations

import pytest

from attribution.core.slo import Measured, Verdict, promises, worst

MS = 1_000_000


@pytest.mark.parametrize(
    ("measured", "verdicts"),
    [
        pytest.param(Measured(0, 0, 0, 0, 0), ["no decisions"] * 2, id="silence is not health"),
        pytest.param(Measured(5, 200 * MS, 300 * MS, 4, 4), ["unclear", "missed"], id="a handful"),
        pytest.param(Measured(3, 9 * MS, 9 * MS, 0, 0), ["unclear"] * 2, id="three prove nothing"),
        pytest.param(Measured(1_000, 60 * MS, 90 * MS, 100, 20), ["met", "met"], id="well inside"),
        pytest.param(
            Measured(1_000, 80 * MS, 100 * MS, 495, 50), ["unclear", "unclear"], id="on the line"
        ),
        pytest.param(
            Measured(1_000, 60 * MS, 150 * MS, 100, 200), ["met", "missed"], id="a slow tail"
        ),
    ],
)
def test_promises_are_judged_by_the_share_over_them(
    measured: Measured, verdicts: list[str]
) -> None:
    """A median of 80 ms and a 95th percentile of 100 ms, as the default budget promises."""
    assert [str(each.verdict) for each in promises(80.0, 100.0, measured)] == verdicts


def test_a_budget_that_promises_one_thing_is_judged_by_that() -> None:
    """And its verdict is that of the worst promise; unclear is not met."""
    measured = Measured(1_000, 60 * MS, 150 * MS, 100, 200)
    assert [each.quantile for each in promises(None, 100.0, measured)] == [0.95]
    assert worst(promises(80.0, 100.0, measured)) is Verdict.MISSED
    assert worst([]) is Verdict.NO_DATA
    unclear = promises(80.0, 100.0, Measured(1_000, 60 * MS, 100 * MS, 100, 50))
    assert worst(unclear) is Verdict.UNCLEAR
