"""What `bench dashboard` says of pages is what a browser and a real service did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_MEASURE: Final = """
import json, sys
from pathlib import Path
from dashboard.bench.pages.run import run_pages
pages = {"overview": "/", "explore": "/explore"}
figures = run_pages(1, lambda _: None, spans=8_192, pages=pages, directory=Path(sys.argv[1]),
                    soak_s=2.0, watched_s=6.0, settle_s=1.0)
sys.__stdout__.write(json.dumps(figures))
"""


@pytest.mark.integration
@pytest.mark.alone
def test_pages_and_operators_are_measured_over_a_store(disk_path: Path) -> None:
    """A figure of a page that did not load, or of an empty store, would look splendid."""
    left = disk_path / "8_192-1d" / "store" / "left"  # by a build that was ended
    left.mkdir(parents=True)
    # In a process of its own: this one has a store, and may have one.
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, disk_path], stdout=subprocess.PIPE, check=True
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    for name in ("overview", "explore"):
        assert figures[f"panel_p95_ms_{name}"] > 0
        assert figures[f"lcp_s_{name}"] > 0
        assert figures[f"requests_{name}"] > 10
        assert figures[f"kib_{name}"] > 500
    assert figures["rows_overview"] > 8_192
    assert figures["mib_read_overview"] > 0
    assert figures["panel_p95_ms"] > 0
    assert figures["decision_8_interactive_s"] > 0
    assert figures["external_requests"] == 0
    assert figures["eight_p95_ms"] > 0
    assert figures["cores_eight"] > 0
    assert figures["dom_growth_nodes"] < 10_000
    assert not left.exists()
