"""I/O: what a customer's service imports to stamp its decisions; needs OpenTelemetry alone.

    exporter = DecisionExporter("http://127.0.0.1:4318/v1/traces")
    instrument = DecisionInstrument(exporter, resource)
    with instrument.begin("offer", scope=scope, region="eu-west") as decision:
        decision.stage("transform")
        ...
        decision.set(value_usd=Decimal("4.20"))

A decision is the root span of its trace, or a child of the caller's. While it runs it is the
current span, so that stock instrumentation hangs its spans under it and passes `traceparent` on.
In the request itself there are a few readings of a clock and one append: encoding a batch of spans
holds the interpreter for milliseconds, so a background thread does it in small slices.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context, attach, get_value, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_S
from collector.instrument.clock_error import KernelClock, kernel_clock
from collector.instrument.current import DECISION_KEY
from collector.instrument.decision import Anchor, Base, Decision, DecisionPool
from collector.instrument.export import DecisionExporter
from collector.instrument.forks import after_fork, at_exit
from collector.instrument.seal import DecisionSeal, OutcomeSeal

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

# A customer imports from here alone; where each is defined is ours to change.

# Encoding 16 spans stalls the service for 0.3 ms, 512 for 8 to 15 ms. An exporter may say what is
# right for it as `slice_spans`.
SLICE_SPANS: Final = 16
SLICE_PAUSE_S: Final = 0.002
# A queue that fills is emptied in larger slices: a pause after each would bound the rate.
SLICES_PER_DRAIN: Final = 64
EXPORT_EVERY_S: Final = 0.25
ANCHOR_EVERY_NS: Final = NS_PER_S

_LOG: Final = logging.getLogger(__name__)


class DecisionInstrument(DecisionPool):
    """Makes decisions and exports them from a thread of its own.

    Args:
        exporter: any span exporter of OpenTelemetry; `DecisionExporter` stalls the service least.
        resource: the service's; `clock.*` is added to it.
        queue_max: decisions held for export; what comes on top is dropped and counted.
        anchor: makes the clock of the decisions of one second.
        kernel: reads the kernel's bound on the clock's error; None is unknown.
        seal: seals what is exported, so that a later change of it can be found.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        resource: Resource,
        *,
        queue_max: int = 8192,
        export_every_s: float = EXPORT_EVERY_S,
        anchor: Callable[[], Anchor] = AnchoredClock,
        kernel: Callable[[], KernelClock | None] = kernel_clock,
        seal: DecisionSeal | None = None,
    ) -> None:
        self.exported = 0
        self.failed = 0  # handed to the exporter, which gave up on them
        self.dropped = 0  # refused because the queue was full, or after shutdown
        self.unsampled = 0  # the caller's traceparent said that the trace is not kept
        self._exporter = exporter
        self._slice_spans = getattr(exporter, "slice_spans", SLICE_SPANS)
        self._encoded: list[bytes] = []  # slices of a request that is still to be sent
        self._encoded_spans = 0
        self._resource = resource
        self._queue_max = queue_max
        self._export_every_s = export_every_s
        self._make_anchor = anchor
        self._kernel = kernel
        self._seal = seal
        self.queue: deque[Decision] = deque()
        self._flushes: deque[threading.Event] = deque()
        self._counting = threading.Lock()
        self.reanchor()
        self._start()
        after_fork(self._restart)

    def drop(self) -> None:
        """Count a decision that ended when the queue was full, or after shutdown."""
        with self._counting:
            self.dropped += 1

    def reanchor(self) -> None:
        """Take a new anchor for the decisions that begin from now on; running ones keep theirs."""
        self.base = Base(self._make_anchor(), self._kernel(), self._resource)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Export what is queued now; return False where that took longer than the timeout."""
        if not self._thread.is_alive():
            return not self.queue
        flushed = threading.Event()
        self._flushes.append(flushed)
        self._wake.set()
        return flushed.wait(timeout_s)

    def shutdown(self, timeout_s: float = 10.0) -> None:
        """Export what is queued and end the thread; a decision that ends later is dropped."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.room = 0
        self._wake.set()
        self._thread.join(timeout_s)
        self._exporter.shutdown()
        atexit.unregister(self.shutdown)

    def _start(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.room = self._queue_max
        at_exit(self.shutdown)
        self._thread = threading.Thread(target=self._run, name="decision-export", daemon=True)
        self._thread.start()

    def _restart(self) -> None:
        """Begin anew in a forked child: threads stay behind; queue and counts are the parent's."""
        self.queue.clear()
        self._encoded.clear()
        self._encoded_spans = 0
        self._flushes.clear()
        self._counting = threading.Lock()
        self.exported = self.failed = self.dropped = self.unsampled = 0
        if self._seal is not None:
            self._seal.restart()
        self._start()

    def _run(self) -> None:
        """Export a slice at a time, and take a new anchor once a second, until shutdown."""
        # The exporter's own requests must not become spans.
        attach(set_value("suppress_instrumentation", True))
        clock = AnchoredClock()
        anchored_ns = clock.monotonic_ns()
        while not self._stopping.is_set():
            self._wake.wait(self._export_every_s)
            self._wake.clear()
            if clock.monotonic_ns() - anchored_ns >= ANCHOR_EVERY_NS:
                anchored_ns = clock.monotonic_ns()
                self.reanchor()
                if self._seal is not None:
                    self._seal.cut()
            self._drain()
        self._drain()
        if self._seal is not None:
            self._seal.cut(closing=True)

    def _drain(self) -> None:
        # Taken before the queue is read: what was queued before a flush is exported before it.
        flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
        while self.queue:
            waiting = len(self.queue)
            count = min(waiting, max(self._slice_spans, waiting // SLICES_PER_DRAIN))
            self._export([self.queue.popleft() for _ in range(count)])
            if not flushes:
                self._stopping.wait(SLICE_PAUSE_S)
        self._send()
        for flushed in flushes:
            flushed.set()

    def _export(self, decisions: list[Decision]) -> None:
        """Hand a slice to the exporter, or encode it for a request of many slices."""
        seal = None if self._seal is None else self._seal.seal
        sampled = [decision for decision in decisions if decision.is_sampled()]
        self.unsampled += len(decisions) - len(sampled)
        spans = []
        for decision in sampled:
            with self._outliving(1):  # a value that nothing can render, or that no seal can sign
                spans.append(decision.readable(seal))
        if not spans:
            return
        with self._outliving(len(spans)):
            if not isinstance(self._exporter, DecisionExporter):
                self._count(self._exporter.export(spans), len(spans))
                return
            self._encoded.append(self._exporter.encode(spans))
            self._encoded_spans += len(spans)
            if self._encoded_spans >= self._exporter.request_spans:
                self._send()

    def _send(self) -> None:
        """Send what was encoded."""
        body, count = b"".join(self._encoded), self._encoded_spans
        self._encoded.clear()
        self._encoded_spans = 0
        if count and isinstance(self._exporter, DecisionExporter):
            with self._outliving(count):
                self._count(self._exporter.send(body, count), count)

    @contextmanager
    def _outliving(self, spans: int) -> Iterator[None]:
        """Count spans as failed at whatever is raised, which the thread outlives."""
        try:
            yield
        except Exception:  # noqa: BLE001  see above
            _LOG.exception("decisions could not be exported")
            self.failed += spans

    def _count(self, result: SpanExportResult, spans: int) -> None:
        if result is SpanExportResult.SUCCESS:
            self.exported += spans
        else:
            self.failed += spans


class StageProcessor(SpanProcessor):
    """Puts `decision.stage` on every span that is started inside a decision.

    Add it to the service's tracer provider; spans of stock instrumentation then carry the stage
    that the decision had reached.
    """

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """Name the stage; one that the span was started with wins."""
        decision = get_value(DECISION_KEY, parent_context)
        if (
            isinstance(decision, Decision)
            and decision.is_recording()
            and "decision.stage" not in (span.attributes or {})
        ):
            span.set_attribute("decision.stage", decision.stage_name)


def outcome(
    logger: Logger,
    *,
    outcome_id: str | UUID,
    converted: bool,
    decision_id: str | UUID = "",
    outcome_key: str | UUID = "",
    kind: str = "sale",
    revenue: Decimal | None = None,
    margin: Decimal | None = None,
    currency: str = "",
    channel: str = "",
    at_ns: int | None = None,
    seal: OutcomeSeal | None = None,
) -> None:
    """Send what a decision earned, as a log record named `decision.outcome`.

    Args:
        logger: of any OpenTelemetry logger provider that exports over OTLP.
        outcome_id: the idempotency key, such as the order id: the latest record of an id counts.
        converted: whether the customer bought.
        decision_id: of the decision; or else
        outcome_key: the order or session id that the decision carries too.
        kind: `sale`, `refund` or `correction`.
        revenue: None is unknown, which is not zero; the same for the margin.
        margin: contribution margin.
        currency: ISO 4217; empty takes the one that the service is configured with.
        channel: where it was earned, if not where it was decided.
        at_ns: Unix ns of the event, by default now.
        seal: seals it, so that a later change of it can be found.

    Raises:
        ValueError: without an id, or without a decision or key to join by.
    """
    # A UUID is an id too, and no attribute of OpenTelemetry.
    outcome_id, decision_id, outcome_key = map(str, (outcome_id, decision_id, outcome_key))
    if not outcome_id or not (decision_id or outcome_key):
        raise ValueError("an outcome needs outcome_id, and decision_id or outcome_key to join by")
    fields: dict[str, AttributeValue] = {
        "outcome.id": outcome_id,
        "outcome.kind": kind,
        "decision.id": decision_id,
        "outcome.key": outcome_key,
        "outcome.converted": converted,
        "outcome.revenue": "" if revenue is None else format(revenue, "f"),
        "outcome.margin": "" if margin is None else format(margin, "f"),
        "outcome.currency": currency,
        "outcome.channel": channel,
    }
    fields = {key: value for key, value in fields.items() if value != ""}
    at_ns = AnchoredClock().now_ns() if at_ns is None else at_ns
    logger.emit(
        timestamp=at_ns,
        severity_number=SeverityNumber.INFO,
        event_name="decision.outcome",
        attributes=fields if seal is None else {**fields, **seal.seal_outcome(fields, at_ns)},
    )
