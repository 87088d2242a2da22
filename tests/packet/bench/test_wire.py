from __future__ import annotations

import pytest

from packet.bench.wire import run_wire


@pytest.mark.integration
@pytest.mark.alone
def test_benchmark_of_wire_times_keeps_its_bound() -> None:
    """How near it comes is a machine's matter; that the truth is within the bound is a promise."""
    lines: list[str] = []
    # Beside ten others that compute a path carries ten packets a second.
    figures = run_wire(1, lines.append, seconds=6.0)
    assert set(figures) == {
        "error_p50_us",
        "error_p99_us",
        "packets",
        "offset_error_us",
        "offset_bound_us",
        "drift_error_ppm",
        "drift_bound_ppm",
        "outside_bound",
    }
    assert figures["outside_bound"] == 0
    assert figures["packets"] > 50
    assert len(lines) == 1
