from __future__ import annotations

import pytest

from packet.bench.capture import run_capture


@pytest.mark.integration
@pytest.mark.alone
def test_benchmark_of_capture_loses_nothing_and_has_every_figure() -> None:
    """Its figures are a machine's, and not asserted; what the recorder lost would be a fault."""
    lines: list[str] = []
    figures = run_capture(1, lines.append, seconds=0.05)
    assert set(figures) == {
        "added_p50_us",
        "added_p50_us_recorder_alone",
        "added_p99_us",
        "base_p50_us",
        "cpu_share",
        "analysis_cpu_share",
        "search_cpu_share",
        "lost",
        "unfound",
        "packets_per_s",
    }
    assert figures["lost"] == figures["unfound"] == 0
    assert figures["base_p50_us"] > 0
    assert figures["cpu_share"] > 0
    assert lines[0].startswith("run 1: analysis p50 ")
