"""Pure: the page docs/reference/metrics.md, from the registry itself; a test holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, cast

from prometheus_client.metrics import MetricWrapperBase

from alerts.metrics import families
from collector.core.counters import Counters
from dashboard.docs.table import table
from dashboard.health.pipeline import Stages
from dashboard.health.pipeline_metrics import StageMetrics

_HEAD: Final = """# Metrics

`GET /metrics` on the dashboard's port answers in the Prometheus text format, and in OpenMetrics
where the scraper asks for it with `Accept: application/openmetrics-text`, which Prometheus does.
In OpenMetrics the latency histograms carry exemplars: the id of a trace that was in the request or
in the segment. Start Prometheus with `--enable-feature=exemplar-storage` to keep them.

Counters begin at zero with each start of the process; each counter and histogram has a series
`..._created` beside it, the Unix time at which it began. What is unknown has no sample: before the
first request there is no `millworth_last_request_timestamp_seconds`, and while the store is away
no watermark. With one role a process each exports what it knows itself, and `serve` how far the
stages of all others are: [what to watch](../operate/clickhouse.md#what-to-watch).

Lag of a stage (`received`, `logged`, `stored`, `attributed`, `late`, `alerted`) is the age of the
point in time up to which everything has passed it. That includes what it waits for on purpose:
`attribution.settle_s`, `alerts.lateness_s`. The same figures are on the Health page, at
`/api/v1/health` (`stage.*`), and at `/readyz`, which answers 503 while data cannot be received,
logged or stored, and says of every stage how it is, and which jobs fail.

This page is written by `make example`.

"""

_TAIL: Final = """\
`millworth_quarantined_total` counts what the writer puts into `rejected`. Decisions and outcomes
that a view finds unusable are in that table alone, and in no counter:
`SELECT reason_code, count() FROM rejected GROUP BY reason_code`.

Worth an alert of your own: `time() - millworth_alerts_last_evaluation_timestamp_seconds > 60`,
`millworth_alerts_evaluation_lag_seconds > 120`, `millworth_alerts_rules_failed > 0`,
`millworth_alerts_outbox{status="dead"} > 0`, `millworth_stage_behind_seconds{stage="stored"} > 60`,
`increase(millworth_stage_lost_total[5m]) > 0`, `increase(millworth_worker_deaths_total[5m]) > 0`,
`millworth_provenance_events_total{verdict=~"tampered|missing|rechained"}` growing, and
`histogram_quantile(0.99, rate(millworth_ack_seconds_bucket[5m])) > 0.015`.

## Data that stop

Where data were received and none came for `alerts.dead_man_seconds` (300; 0 is never), the alert
`dead-man` fires, goes out over the webhooks like any other, and ends with the next arrival, of
whatever signal. Each service in `alerts.dead_man_services` is watched by itself as well; in the
alert it stands where a rule has its action. After a restart the timer begins anew. Without any data
ever, no alert fires. An alert that is firing goes on over a restart. What was received and waits
for the store has arrived. What silence costs is unknown: the webhook says null, and the pages say
so; in `alert_events`, where columns have no null, the basis is `unknown`. A silence with a limit, a
severity or a runbook of its own is an entry of `[[alerts.rules]]` with `kind = "dead_man"`,
`silence_s` and `services`. Millworth cannot report that it is gone itself: let Prometheus watch
`up`.
"""


def metrics_page() -> str:
    """Return the page."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), meaning)
        for name, kind, labels, meaning in sorted({*_own(Counters()), *_staged()})
    ]
    return _HEAD + table(("metric", "type", "labels", "meaning"), rows) + _TAIL


def _own(counters: Counters) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for metric in vars(counters).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = tuple(metric._labelnames)
            yield _metric_name(family.name, family.type), family.type, labels, family.documentation


def _staged() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    # Described, not read: there is no service.
    described = StageMetrics(cast("Stages", None), cast("Callable[[], int]", None)).describe()
    for family in (*described, *families()):
        labels = tuple(family._labelnames)  # type: ignore[attr-defined]  # every family has them
        yield _metric_name(family.name, family.type), family.type, labels, family.documentation


def _metric_name(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name
