"""A producer that seals, and a store whose events are judged, as a test says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.event_schema import SIGNED
from collector.core.times import NS_PER_S
from collector.instrument import OutcomeSeal, outcome
from collector.provenance.checkpoint import CHECKPOINT_EVENT, Checkpoint, Checkpointer
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import Event, MacKey, Sealer
from collector.provenance.keyring import public_of, signer
from collector.provenance.live.job import ProvenanceJob
from collector.provenance.records import checkpoint_attributes, seal_attributes
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import (
    decision_span,
    key_values,
    logs_request,
    span,
    store_request,
    trace_request,
)

PRIVATE = bytes(range(32))
_CLOCK = SystemClock()
KEY = MacKey("shop-1", bytes(range(32)))
DAY_NS = 86_400 * NS_PER_S
OUTCOMES = 4


class Producer:
    """Seals decisions and stores them, in the order and at the time that a test says."""

    def __init__(self, store: Connections, name: str = "shop/1") -> None:
        self.store = store
        self.sealer = Sealer(KEY, name)
        self.checkpointer = Checkpointer(self.sealer, "audit", signer(PRIVATE))

    def seal(self, count: int, value: str = "") -> list[Event]:
        """Seal the next decisions, each of a value where one is given."""
        events: list[Event] = []
        for _ in range(count):
            made = decision_span(
                region="köln",
                start_ns=NOW_NS + random.randrange(NS_PER_S),
                attributes={"decision.value_usd": value} if value else {},
            )
            events.append(self.sealer.seal(fields_of(made)))
            self.checkpointer.add(self.sealer.leaf)
        return events

    def cut(self) -> Checkpoint:
        """Return the checkpoint of what was sealed since the last one."""
        checkpoint = self.checkpointer.cut()
        assert checkpoint is not None
        return checkpoint

    def store_events(self, events: Sequence[Event], received_ns: int) -> None:
        """Store sealed decisions as one request."""
        request = trace_request(*[span_of(event) for event in events])
        store_request(self.store, request, received_ns=received_ns)

    def store_checkpoint(self, checkpoint: Checkpoint, received_ns: int) -> None:
        """Store one checkpoint."""
        record = LogRecord(
            time_unix_nano=NOW_NS,
            event_name=CHECKPOINT_EVENT,
            attributes=key_values(checkpoint_attributes(checkpoint)),
        )
        store_request(self.store, logs_request(record), received_ns=received_ns)


def fields_of(made: Span) -> list[str]:
    """Return the signed fields of a span as the instrument has them."""
    said = {pair.key: pair.value for pair in made.attributes}
    own = {
        "trace_id": made.trace_id.hex(),
        "span_id": made.span_id.hex(),
        "start_ns": str(made.start_time_unix_nano),
        "end_ns": str(made.end_time_unix_nano),
        "status": "Unset",
    }
    texts = {name: value.string_value or str(value.int_value) for name, value in said.items()}
    return [own.get(name, texts.get(name, "")) for name in SIGNED]


def span_of(event: Event) -> Span:
    """Return the root span that a sealed event was made of."""
    said = dict(zip(SIGNED, event.fields, strict=True))
    start_ns, end_ns = int(said["start_ns"]), int(said["end_ns"])
    attributes = {name: text for name, text in said.items() if name.startswith("decision.")}
    return span(
        trace_id=said["trace_id"],
        span_id=said["span_id"],
        start_ns=start_ns,
        end_ns=end_ns,
        attributes={**{k: v for k, v in attributes.items() if v}, **seal_attributes(event)},
    )


class Scene:
    """A store, a key file, and a job that a test restarts at will."""

    def __init__(self, store: Connections, folder: Path) -> None:
        self.store = store
        self.keys = folder / "keys.toml"
        self.write_keys()
        self.counters = Counters()
        self.producer = Producer(store)
        self.attributes = AttributesConfig()
        self.required = False
        self.outcomes_required = False
        self.stored_ns = 2**62
        self.restart()

    def write_keys(self, mac: str = "", *, checkpoints: bool = True) -> None:
        """Write the key ring."""
        text = f'[[mac]]\nkid = "shop-1"\nsecret = "{KEY.secret.hex()}"\n{mac}\n'
        if checkpoints:
            text += f'[[checkpoint]]\nkid = "audit"\npublic = "{public_of(PRIVATE).hex()}"\n'
        self.keys.touch(mode=0o600)
        self.keys.write_text(text)

    def restart(self) -> None:
        """Begin anew, as a start of the service does."""
        self.job = ProvenanceJob(
            ProvenanceConfig(
                keys_path=self.keys,
                missing_after_s=30.0,
                required=self.required,
                outcomes_required=self.outcomes_required,
            ),
            self.store,
            self.counters,
            self.attributes,
            stored_ns=lambda: self.stored_ns,
        )

    def run(self, at_s: int) -> dict[str, int]:
        """Run once; return what it said."""
        return dict(self.job.run_once(at(at_s)).verdicts)

    def judge(self, at_s: int) -> int:
        """Run once; return an instant by which all that it took out is noted.

        What a pass does late is noted by how late it is, which on a busy machine is seconds.
        """
        began_ns = _CLOCK.monotonic_ns()
        self.run(at_s)
        return at(at_s) + NS_PER_S + _CLOCK.monotonic_ns() - began_ns

    def rows(self) -> list[tuple[int, str, int, str]]:
        """Return what is stored: number, verdict, count, reason."""
        rows = (
            self.store.client()
            .query(
                "SELECT seq, verdict, count, reason FROM provenance_events FINAL"
                " ORDER BY producer, epoch, seq, item_id"
            )
            .result_rows
        )
        return [(int(row[0]), str(row[1]), int(row[2]), str(row[3])) for row in rows]

    def totals(self) -> dict[str, int]:
        """Return the numbers by verdict, as stored."""
        rows = (
            self.store.client()
            .query("SELECT verdict, sum(count) FROM provenance_events FINAL GROUP BY verdict")
            .result_rows
        )
        return {str(verdict): int(count) for verdict, count in rows}


def at(seconds: float) -> int:
    """Return an instant of the test."""
    return NOW_NS + round(seconds * NS_PER_S)


def sealed_records(
    count: int = OUTCOMES, *, closing: bool = True, currency: str = "EUR"
) -> list[LogRecord]:
    """Return outcomes as a service sends them through its logger provider, and a checkpoint."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # of the SDK
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("shop")
    seal = OutcomeSeal(KEY, "orders/1", sign=signer(PRIVATE), sign_kid="audit", logger=logger)
    for number in range(count):
        outcome(
            logger,
            outcome_id=f"order-{number}",
            decision_id=f"d{number}",
            converted=number % 2 == 0,
            revenue=Decimal("20.50"),
            currency=currency,
            at_ns=NOW_NS + number,
            seal=seal,
        )
    if closing:
        seal.close()
    request = encode_logs(exporter.get_finished_logs())
    records = [
        record
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    for record in records:  # the clock of the test is not that of the SDK
        record.observed_time_unix_nano = NOW_NS
    return records


def changed(record: LogRecord, name: str, text: str) -> LogRecord:
    """Return the record with another value of one attribute."""
    other = LogRecord()
    other.CopyFrom(record)
    (pair,) = [pair for pair in other.attributes if pair.key == name]
    pair.value.string_value = text
    return other


def stripped(record: LogRecord) -> LogRecord:
    """Return the record without its seal."""
    other = LogRecord()
    other.CopyFrom(record)
    kept = [pair for pair in record.attributes if not pair.key.startswith("provenance.")]
    del other.attributes[:]
    other.attributes.extend(kept)
    return other
