"""When the slope is estimated again."""

from __future__ import annotations

from dataclasses import replace

from attribution.core.config import AttributionConfig
from attribution.sensitivity.job import SlopeJob
from collector.core.clock import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS


def test_restart_estimates_no_slope_that_is_younger_than_an_hour(store: Connections) -> None:
    """A service that is killed every minute read four weeks of decisions every minute."""
    config = AttributionConfig()
    assert SlopeJob(config, store).run_due(NOW_NS) is not None
    again = SlopeJob(config, store)
    assert again.run_due(NOW_NS + NS_PER_HOUR - NS_PER_S) is None
    assert again.run_due(NOW_NS + NS_PER_HOUR) is not None
    assert again.run_due(NOW_NS + NS_PER_HOUR + NS_PER_S) is None


def test_other_settings_are_estimated_under_at_once(store: Connections) -> None:
    """Dollars would rest for an hour on a window that was asked for no longer."""
    assert SlopeJob(AttributionConfig(), store).run_due(NOW_NS) is not None
    shorter = SlopeJob(AttributionConfig(slope_window_days=7), store)
    report = shorter.run_due(NOW_NS + NS_PER_S)
    assert report is not None
    assert report.stored is not None
    assert shorter.run_due(NOW_NS + 2 * NS_PER_S) is None


def test_slope_that_its_window_has_left_is_not_forgotten_in_silence(store: Connections) -> None:
    """The prior is back, which one's own experiment may have excluded: the version says why."""
    job = SlopeJob(AttributionConfig(), store)
    prior = job.run_once(NOW_NS).model
    job.store(
        replace(
            prior,
            version=2,
            source="estimate",
            status="identified",
            to_ns=NOW_NS,
            effective_ns=NOW_NS + 1,
            median_per_ns=1e-9,
            low_per_ns=5e-10,
            high_per_ns=2e-9,
        )
    )
    report = job.run_once(NOW_NS + 40 * 24 * NS_PER_HOUR)
    assert (report.model.source, report.stored) == ("prior", 3)
    assert "; version 2 was identified on decisions until 2033-05-18, and the last 28 days" in (
        report.model.reason
    )
