"""I/O: alerting itself as Prometheus metrics, read from the job and its state when scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.people.external import ExternalAlerts
from alerts.people.notes import Notes
from alerts.people.silences import Silences
from alerts.state.routed import open_alerts
from alerts.state.sqlite import AlertStore
from collector.core.times import NS_PER_S

_LAST: Final = (
    "millworth_alerts_last_evaluation_timestamp_seconds",
    "When the rules were evaluated last, Unix time",
)
_LAG: Final = (
    "millworth_alerts_evaluation_lag_seconds",
    "Age of the instant before which all was attributed when the rules were evaluated last",
)
_RULES: Final = ("millworth_alerts_rules", "Rules that are loaded")
_FAILED: Final = (
    "millworth_alerts_rules_failed",
    "Rules that could not be evaluated in the last pass",
)
_OUTBOX: Final = (
    "millworth_alerts_outbox",
    "Webhooks in the outbox by receiver and status: pending, held (by a silence), dead (given up)",
)
_FIRING: Final = ("millworth_alerts_firing", "Alerts that fire, those that fell silent included")
_EXTERNAL: Final = ("millworth_external_alerts_firing", "Alerts of others that fire")

_SILENCES: Final = ("millworth_alerts_silences", "Silences that hold now")
_RATIO: Final = (
    "millworth_alerts_actionable_ratio",
    "Share of the alerts of 30 days of which people said that there was something to do, among "
    "those of which they said either",
)

_DEPTH: Final = """
SELECT endpoint, iif(status = 'disabled', 'dead', status) AS state, count(*) FROM deliveries
WHERE status IN ('pending', 'held', 'dead', 'disabled') GROUP BY endpoint, state
"""


@dataclass(frozen=True, slots=True)
class Pass:
    """The last pass over all rules."""

    now_ns: int
    known_ns: int  # what is older had arrived and was attributed
    failed: int  # rules that could not be read


class RunningAlerts(Protocol):
    """What evaluates the rules; `alerts.job.AlertsJob` is it."""

    alert_state: AlertStore
    last_pass: Pass | None  # None before the first
    rules_loaded: int


class AlertMetrics(Collector):
    """What is known at the time of a scrape; what is unknown is left out."""

    def __init__(self, job: RunningAlerts, now_ns: Callable[[], int]) -> None:
        self._job = job
        self._now_ns = now_ns

    def describe(self) -> Iterator[Metric]:
        """Yield the families without samples."""
        return families()

    def collect(self) -> Iterator[Metric]:
        """Yield the families as they are now."""
        now_ns, last, state = self._now_ns(), self._job.last_pass, self._job.alert_state
        if last is not None:
            yield GaugeMetricFamily(*_LAST, value=last.now_ns / NS_PER_S)
            yield GaugeMetricFamily(*_LAG, value=(now_ns - last.known_ns) / NS_PER_S)
            yield GaugeMetricFamily(*_FAILED, value=last.failed)
        yield GaugeMetricFamily(*_RULES, value=self._job.rules_loaded)
        yield GaugeMetricFamily(*_FIRING, value=len(open_alerts(state)))
        yield GaugeMetricFamily(*_EXTERNAL, value=ExternalAlerts(state).firing(now_ns))
        holding = [s for s in Silences(state).all(now_ns) if s.starts_ns <= now_ns < s.ends_ns]
        yield GaugeMetricFamily(*_SILENCES, value=len(holding))
        ratio = Notes(state).actionable_ratio(now_ns)
        if ratio is not None:
            yield GaugeMetricFamily(*_RATIO, value=ratio)
        outbox = GaugeMetricFamily(*_OUTBOX, labels=["endpoint", "status"])
        for endpoint, status, messages in state.rows(_DEPTH):
            outbox.add_metric([endpoint, status], messages)
        yield outbox


def families() -> Iterator[Metric]:
    """Yield the families without samples."""
    for name in (_LAST, _LAG, _FAILED, _RULES, _FIRING, _EXTERNAL, _SILENCES, _RATIO):
        yield GaugeMetricFamily(*name)
    yield GaugeMetricFamily(*_OUTBOX, labels=["endpoint", "status"])
