"""`millworth import rates|ledger` and `millworth reconcile`, on a store that nobody holds."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.dashboard.fixtures import Run

UNTIL = ("--window", "2d", "--until", "2026-05-20")


def test_ledger_without_a_rate_ends_with_1_and_says_so(run: Run, tmp_path: Path) -> None:
    """A nightly check must not take it for a day without a ledger; with the rate it is one more."""
    ledger, rates = tmp_path / "ledger.csv", tmp_path / "rates.csv"
    ledger.write_text("day,currency,amount\n2026-05-19,EUR,121626.613636\n")
    rates.write_text("day,currency,rate\n2026-05-19,EUR,1.1\n")
    assert run("import", "ledger", str(ledger)).exit_code == 0

    shown = run("reconcile", *UNTIL)
    assert shown.exit_code == 1
    assert "no rate: the ledger is in a currency without one" in shown.stdout
    assert run("import", "rates", str(rates)).exit_code == 0
    told = run("reconcile", *UNTIL, "--json")
    assert told.exit_code == 1
    (day,) = json.loads(told.stdout)["days"]
    assert (day["ledger"], day["unconverted"]) == ("133789.275000", 0)
    shown = run("reconcile", *UNTIL)
    assert "no rate" not in shown.stdout
    assert "133,789.28" in shown.stdout, "a binary fraction is a little less"


def test_window_without_anything_ends_with_0(run: Run) -> None:
    """There is nothing to differ."""
    shown = run("reconcile", *UNTIL)
    assert (shown.exit_code, shown.stdout) == (0, "no outcome and no ledger in this window\n")
