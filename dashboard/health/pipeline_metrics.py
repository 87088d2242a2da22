"""I/O: the stages as Prometheus metrics, read when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.core.times import NS_PER_S
from dashboard.health.pipeline import Stages

_BEHIND: Final = (
    "millworth_stage_behind_seconds",
    "Age of the instant up to which everything has passed the stage",
)
_LOST: Final = (
    "millworth_stage_lost",
    "Items that did not pass the stage and are not to come again, by reason",
)
_WATERMARK: Final = (
    "millworth_watermark_timestamp_seconds",
    "Event time of which what is older is final, Unix time",
)
_LAST: Final = (
    "millworth_last_request_timestamp_seconds",
    "When the last request arrived, Unix time",
)
_QUEUE: Final = ("millworth_queue_bytes", "Bytes that wait to be written to the log")
_SEGMENT: Final = ("millworth_segment_age_seconds", "Age of the open segment of the log")
_UNSTORED: Final = (
    "millworth_unstored_age_seconds",
    "Age of the oldest request that is not in the store",
)
_SEGMENTS: Final = (
    "millworth_unstored_segments",
    "Segments of the log that are not in the store; one or two at rest, a backlog above",
)


class StageMetrics(Collector):
    """What is known of the stages at the time of a scrape; what is unknown is left out."""

    def __init__(self, stages: Stages, now_ns: Callable[[], int]) -> None:
        self._stages = stages
        self._now_ns = now_ns

    def describe(self) -> Iterator[Metric]:
        """Yield the families without samples."""
        yield GaugeMetricFamily(*_BEHIND, labels=["stage"])
        yield CounterMetricFamily(*_LOST, labels=["stage", "reason"])
        for name in (_WATERMARK, _LAST, _QUEUE, _SEGMENT, _UNSTORED, _SEGMENTS):
            yield GaugeMetricFamily(*name, labels=["signal"])

    def collect(self) -> Iterator[Metric]:
        """Yield the families as they are now."""
        behind = GaugeMetricFamily(*_BEHIND, labels=["stage"])
        lost = CounterMetricFamily(*_LOST, labels=["stage", "reason"])
        for stage in self._stages.read():
            if stage.behind_s is not None:
                behind.add_metric([stage.name], stage.behind_s)
            for reason, count in stage.lost.items():
                lost.add_metric([stage.name, reason], count)
        yield behind
        yield lost
        yield from self._signals()

    def _signals(self) -> Iterator[Metric]:
        now_ns = self._now_ns()
        watermark = GaugeMetricFamily(*_WATERMARK, labels=["signal"])
        for signal, ns in self._stages.watermarks().items():
            watermark.add_metric([signal], ns / NS_PER_S)
        yield watermark
        last = GaugeMetricFamily(*_LAST, labels=["signal"])
        queue = GaugeMetricFamily(*_QUEUE, labels=["signal"])
        segment = GaugeMetricFamily(*_SEGMENT, labels=["signal"])
        unstored = GaugeMetricFamily(*_UNSTORED, labels=["signal"])
        segments = GaugeMetricFamily(*_SEGMENTS, labels=["signal"])
        for signal, flow in self._stages.flows().items():
            segments.add_metric([signal], flow.unstored_segments)
            queue.add_metric([signal], flow.waiting_bytes)
            # Where nothing waits, nothing is old: that is known, and it is zero.
            segment.add_metric([signal], (flow.open_segment_ns or 0) / NS_PER_S)
            waiting_ns = 0 if flow.unstored_ns is None else now_ns - flow.unstored_ns
            unstored.add_metric([signal], max(waiting_ns, 0) / NS_PER_S)
            if flow.newest_ns is not None:
                last.add_metric([signal], flow.newest_ns / NS_PER_S)
        yield from (last, queue, segment, unstored, segments)
