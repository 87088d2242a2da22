"""`millworth import` of outcomes and costs, on a store that nobody holds."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.dashboard.fixtures import Run

HEAD = "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd\n"
LINE = "{0},{0},USD,2026-05-{1}T00:00:00Z,2026-05-{1}T12:00:00Z\n"
SUM = "SELECT toString(sum(billed)) AS billed FROM costs"


def bill(path: Path, *lines: tuple[str, int]) -> str:
    """Write a bill of amounts and days."""
    path.write_text(HEAD + "".join(LINE.format(*each) for each in lines))
    return str(path)


def test_bill_of_an_open_month_is_restated(run: Run, tmp_path: Path) -> None:
    """Both files of it are the whole; with a bad line in one nothing is dropped."""
    first = bill(tmp_path / "first.csv", ("1.00", 10), ("2.00", 11))
    anew = bill(tmp_path / "anew.csv", ("1.20", 10)), bill(tmp_path / "more.csv", ("2.00", 11))
    broken = bill(tmp_path / "broken.csv", ("1.30", 10), ("many", 11))
    assert run("import", "costs", first, "--source", "a&b").exit_code == 0

    refused = run("import", "costs", broken, "--source", "a&b", "--replace")
    assert (refused.exit_code, "dropped" in refused.stdout) == (1, False)
    assert json.loads(run("query", SUM).stdout) == {"billed": "4.3"}

    shown = run("import", "costs", *anew, "--source", "a&b", "--replace")
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (
        0, "2 lines of a&b from before were dropped",
    )  # fmt: skip
    assert json.loads(run("query", SUM).stdout) == {"billed": "3.2"}
    (again,) = [
        json.loads(line)
        for line in run(
            "import", "costs", *anew, "--source", "a&b", "--replace", "--json"
        ).stdout.splitlines()
        if "replaced" in line
    ]
    assert again["replaced"]["lines"] == 0


def test_file_of_a_header_alone_says_that_it_has_no_rows(run: Run, tmp_path: Path) -> None:
    """An export that found nothing looks like one that was read."""
    path = tmp_path / "outcomes.csv"
    path.write_text("outcome_id,decision_id,occurred_at\n")

    result = run("import", "outcomes", str(path))

    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0, f"{path}: 0 imported, 0 refused: it has no rows",
    )  # fmt: skip
