from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

from collector.instrument import outcome
from tests.conftest import NOW_NS

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class KeepingExporter(LogRecordExporter):
    """An exporter that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[ReadableLogRecord] = []

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Keep them."""
        self.records.extend(batch)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        """Nothing waits here."""
        return True

    def shutdown(self) -> None:
        """Nothing to close."""


def test_outcome_is_a_log_record_of_its_own_name() -> None:
    """Its names are the wire contract; what is unknown is left out."""
    exporter = KeepingExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    outcome(
        provider.get_logger("shop"),
        outcome_id="order-1",
        decision_id=UUID(TRACE_ID),
        converted=True,
        revenue=Decimal("20.00"),
        currency="USD",
        at_ns=NOW_NS,
    )
    (record,) = exporter.records
    assert record.log_record.event_name == "decision.outcome"
    assert record.log_record.timestamp == NOW_NS
    assert dict(record.log_record.attributes or {}) == {
        "outcome.id": "order-1",
        "outcome.kind": "sale",
        "decision.id": str(UUID(TRACE_ID)),
        "outcome.converted": True,
        "outcome.revenue": "20.00",
        "outcome.currency": "USD",
    }


def test_outcome_that_cannot_be_joined_is_refused() -> None:
    """It would only be quarantined."""
    logger = LoggerProvider(shutdown_on_exit=False).get_logger("shop")
    with pytest.raises(ValueError, match="decision_id or outcome_key"):
        outcome(logger, outcome_id="order-1", converted=True)
