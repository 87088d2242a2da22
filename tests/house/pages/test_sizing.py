"""docs/operate/sizing.md: its table of disks follows from its measurement."""

from __future__ import annotations

import re

from tests.support.tree import text

PAGE = "docs/operate/sizing.md"


def test_disks_follow_from_the_measurement() -> None:
    """A reader multiplies by the same number."""
    page = " ".join(text(PAGE).split())
    decisions = int(re.findall(r"\(([\d,]+) decisions of", page)[0].replace(",", ""))
    stored_mb = float(re.findall(r"had ([\d.]+) MB in its tables", page)[0])
    rows = re.findall(r"\| (\d+) \| ([\d.]+) GB \| ([\d,]+) GB \|", page)
    assert len(rows) == 3
    for rate, day, month in rows:
        gb_a_day = int(rate) * 86_400 * stored_mb / decisions / 1_000
        assert float(day) == round(gb_a_day, 0 if gb_a_day > 10 else 1)
        assert int(month.replace(",", "")) == round(gb_a_day * 30)
