from __future__ import annotations

import pytest

from dashboard.bench.pipeline import one_run


@pytest.mark.integration
@pytest.mark.alone
def test_bench_measures_a_real_service_at_two_rates() -> None:
    """A figure of a service that stored nothing would look splendid."""
    # Longer than the interval of attribution, so that a run of it ends in each.
    figures = one_run([20, 40], 8.0, lambda _: None)

    assert figures["idle_cores"] < 2
    for rate in (20, 40):
        assert figures[f"sent_per_s_{rate}"] == pytest.approx(rate, rel=0.4)
        assert figures[f"cpu_us_per_decision_{rate}"] > 0
        assert figures[f"peak_rss_mib_{rate}"] > 50
        assert 0 < figures[f"drain_s_{rate}"] < 90
        assert figures[f"behind_s_attributed_{rate}"] > 0
        assert figures[f"busy_attribution_{rate}"] > 0
