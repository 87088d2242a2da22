"""Every test that docs/reference/threat-model.md names exists."""

from __future__ import annotations

import re

from tests.support.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "threat-model.md"
# Of these nothing can be tested here, which the page says.
WITHOUT_TEST_MAX = 3


def test_each_claim_names_a_test_that_exists() -> None:
    """A page of promises that nothing holds is worse than none."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 25
    assert named - there == set()


def test_a_claim_without_a_test_is_rare() -> None:
    """A row ends in its test; where there is none, the row says why."""
    rows = [
        line
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ") and "|---" not in line
    ]
    bare = [row for row in rows if "`test_" not in row and not row.startswith("| |")]
    assert len(bare) <= WITHOUT_TEST_MAX, bare
