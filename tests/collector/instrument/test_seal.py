from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.instrument import DecisionInstrument, DecisionSeal, MacKey
from collector.provenance.checkpoint import EVENTS_MAX, Checkpoint, Sign
from collector.provenance.event import Event, event_of
from collector.provenance.keyring import CheckpointKey, KeyRing, public_of, signer
from collector.provenance.records import checkpoint_of
from collector.provenance.verify import Report, Verdict, Verifier

PRIVATE = random.Random(7).randbytes(32)
KEYS = {kid: MacKey(kid, kid.encode() * 16) for kid in ("k1", "k2")}
RING = KeyRing(KEYS, {"audit": CheckpointKey("audit", public_of(PRIVATE))})


class Sealed:
    """An instrument that seals, and what it exported."""

    def __init__(self, sign: Sign | None = None) -> None:
        self.spans = InMemorySpanExporter()
        self.logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # of OpenTelemetry
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        self.seal = DecisionSeal(
            KEYS["k1"],
            "shop/1",
            sign=sign or signer(PRIVATE),
            sign_kid="audit",
            logger=provider.get_logger("shop"),
        )
        self.instrument = DecisionInstrument(
            self.spans, Resource({}), export_every_s=3600, kernel=lambda: None, seal=self.seal
        )

    def events(self) -> list[Event]:
        """Return the exported events, as the store has them: everything is text."""
        return [event_of(as_stored(span)) for span in self.spans.get_finished_spans()]

    def checkpoints(self) -> list[Checkpoint]:
        """Return the exported checkpoints."""
        records = [item.log_record for item in self.logs.get_finished_logs()]
        assert {record.event_name for record in records} <= {"provenance.checkpoint"}
        return [checkpoint_of(texts(record.attributes or {})) for record in records]

    def report(self) -> Report:
        """Verify what was exported."""
        verifier = Verifier(RING.macs, RING.check)
        verifier.take(self.events())
        for checkpoint in self.checkpoints():
            verifier.take_checkpoint(checkpoint)
        return verifier.finish()


def texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Render attributes."""
    return {name: str(value) for name, value in attributes.items()}


def as_stored(span: ReadableSpan) -> dict[str, str]:
    """Render a span as the store does."""
    context = span.get_span_context()
    assert context is not None
    return {
        **texts(span.attributes or {}),
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "start_ns": str(span.start_time),
        "end_ns": str(span.end_time),
        "status": span.status.status_code.name.capitalize(),
    }


def test_exported_decisions_verify_from_first_to_last() -> None:
    """What a service seals is what a verifier finds, with a closing checkpoint at its end."""
    sealed = Sealed()
    for number in range(20):
        with sealed.instrument.begin("offer", region="eu-west") as decision:
            decision.stage("decision")
            decision.set(value_usd=Decimal(number), outcome_key=f"order-{number}")
    sealed.instrument.shutdown()
    report = sealed.report()
    assert report.verdicts == {Verdict.OK: 20}
    assert (report.unproven, report.open_chains) == (0, 0)


def test_failed_decision_is_sealed_as_failed() -> None:
    """Its status is part of what is sealed."""
    sealed = Sealed()
    with pytest.raises(KeyError), sealed.instrument.begin("offer"):
        raise KeyError("x")
    sealed.instrument.shutdown()
    assert sealed.events()[0].fields[4] == "Error"
    assert sealed.report().findings == ()


@pytest.mark.parametrize("value", [0.1, 1e22, True, None, ["a"]])
def test_signed_value_of_any_type_is_stored_as_it_was_signed(value: object) -> None:
    """A store may render a fraction in another way than Python does."""
    sealed = Sealed()
    with sealed.instrument.begin("offer") as decision:
        decision.set_attribute("decision.vendor", value)  # type: ignore[arg-type]  # of any type
    sealed.instrument.shutdown()
    (span,) = sealed.spans.get_finished_spans()
    assert isinstance((span.attributes or {}).get("decision.vendor", ""), str)
    assert sealed.report().findings == ()


def test_decision_that_is_not_kept_is_not_missed() -> None:
    """Sampling is no attack: numbers are given to what is exported."""
    sealed = Sealed()
    for flags in ("01", "00", "01"):
        header = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flags}"}
        sealed.instrument.begin("offer", headers=header).end()
    sealed.instrument.shutdown()
    assert [event.seq for event in sealed.events()] == [0, 1]
    assert sealed.report().findings == ()


def test_key_is_rotated_while_the_service_runs() -> None:
    """Nobody stops a service to change a key."""
    sealed = Sealed()
    sealed.instrument.begin("offer").end()
    assert sealed.instrument.flush()
    sealed.seal.rotate(KEYS["k2"])
    sealed.instrument.begin("offer").end()
    sealed.instrument.shutdown()
    assert [event.kid for event in sealed.events()] == ["k1", "k2"]
    assert sealed.report().findings == ()


def test_forked_worker_has_a_chain_of_its_own() -> None:
    """Two workers with one epoch would look like a replay."""
    sealed = Sealed()
    sealed.instrument.begin("offer").end()
    assert sealed.instrument.flush()
    sealed.seal.restart()
    sealed.instrument.begin("offer").end()
    sealed.instrument.shutdown()
    parent, child = sealed.events()
    assert parent.epoch != child.epoch
    assert (parent.seq, child.seq) == (0, 0)
    assert sealed.report().findings == ()


def test_signing_key_that_is_away_does_not_stop_the_export() -> None:
    """A key that is kept elsewhere may not answer; the run is then named as unsigned."""

    def away(statement: bytes) -> bytes:
        raise ConnectionError("the key is away")

    sealed = Sealed(sign=away)
    for _ in range(EVENTS_MAX + 1):
        sealed.instrument.begin("offer").end()
    sealed.instrument.shutdown()
    report = sealed.report()
    assert report.verdicts == {Verdict.OK: EVENTS_MAX + 1}
    assert report.unproven == EVENTS_MAX + 1


def test_checkpoints_need_all_their_parts() -> None:
    """Half a configuration must not read as protection."""
    with pytest.raises(ValueError, match="all of sign"):
        DecisionSeal(KEYS["k1"], "shop/1", sign=signer(PRIVATE))
