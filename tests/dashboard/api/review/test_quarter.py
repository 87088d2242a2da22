from __future__ import annotations

import pytest

from collector.core.errors import InputError
from dashboard.api.review.quarter import parse_quarter
from dashboard.units import utc_iso


@pytest.mark.parametrize(
    ("text", "begins", "ends", "days"),
    [
        ("2026Q1", "2026-01-01", "2026-04-01", 90),
        ("2028q1", "2028-01-01", "2028-04-01", 91),
        ("2026-Q3", "2026-07-01", "2026-10-01", 92),
        ("2026Q4", "2026-10-01", "2027-01-01", 92),
        ("2099Q4", "2099-10-01", "2100-01-01", 92),
    ],
)
def test_quarter_is_its_days(text: str, begins: str, ends: str, days: int) -> None:
    """UTC, the last day included and the next quarter not."""
    found = parse_quarter(text)
    assert (utc_iso(found.from_ns)[:10], utc_iso(found.to_ns)[:10]) == (begins, ends)
    assert found.days == days


@pytest.mark.parametrize("text", ["", "2026", "2026Q5", "2026Q0", "1969Q4", "2100Q1", "Q3 2026"])
def test_what_is_no_quarter_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(InputError, match="is none; write it like 2026Q3"):
        parse_quarter(text)
