"""What `bench growth` does to a service is what an operator does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.bench.growth.acts import acts, changed_retention, pages
from dashboard.bench.served import NO_PACKETS, served


@pytest.mark.integration
@pytest.mark.alone
def test_pages_an_hour_anew_a_hold_and_fewer_days_are_measured(disk_path: Path) -> None:
    """A figure of what was refused, or of a page that did not load, would look splendid."""
    said: list[str] = []
    with served(disk_path, NO_PACKETS) as service:
        seen = pages(service, said.append)
        done = acts(service, said.append)
    later = changed_retention(disk_path, said.append)
    assert not [line for line in said if "no pages" in line or ": 4" in line], said
    assert seen["page_cpu_s_overview"] > 0
    assert seen["page_rows_decisions"] >= 0
    assert {"recompute_rows", "hold_cpu_s", "hold_s"} <= set(done)
    assert later["retention_ready_s"] > 0
