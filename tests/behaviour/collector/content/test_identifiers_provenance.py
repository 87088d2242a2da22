"""A seal holds before and after identifiers are replaced, and nothing else may change unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.event_schema import HEX_DIGITS, SIGNED
from collector.core.key_files import Key
from collector.otlp.check import Signal
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.redact import Identifiers
from collector.privacy.rules import JOINED, IdentifiersConfig
from collector.provenance.event import Event, MacKey, Sealer, event_of
from collector.provenance.records import seal_attributes
from collector.provenance.verify import Verdict, Verifier
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, key_values, trace_request

SECRET = MacKey("k1", b"s" * 32)
RULES = IdentifiersConfig.model_validate(
    {
        "rules": [
            {"attribute": "decision.id", "action": "tokenise"},
            {"attribute": "outcome.key", "action": "hash"},
            {"attribute": "loyalty.no", "action": "drop"},
        ]
    }
)
IDENTIFIERS = Identifiers(
    RULES, Tokeniser((Key("a1", b"k" * 32),), 30), {name: name for name in JOINED}
)


def said(span: Span) -> dict[str, str]:
    """Return what a stored span says of itself, as text."""
    attributes = {
        pair.key: pair.value.string_value or str(pair.value.int_value) for pair in span.attributes
    }
    of_span = {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "start_ns": str(span.start_time_unix_nano),
        "end_ns": str(span.end_time_unix_nano),
        "status": "Unset",
    }
    return {**attributes, **of_span}


def sealed(count: int) -> list[Span]:
    """Return sealed decisions that carry personal data in every way."""
    sealer = Sealer(SECRET, "shop/1")
    spans = []
    for number in range(count):
        attributes: Mapping[str, object] = {
            "decision.schema": "1",
            "outcome.key": f"alice{number}@example.com",
            "loyalty.no": f"L{number}",
            "user.id": f"u{number}",
            "note": f"for alice{number}@example.com",
        }
        span = decision_span(decision_id=f"order-{number}", attributes=attributes)
        fields = said(span)
        event = sealer.seal([fields.get(name, "") for name in SIGNED])
        span.attributes.extend(key_values(seal_attributes(event)))
        spans.append(span)
    return spans


def verdicts(spans: Sequence[Span]) -> dict[Verdict, int]:
    """Return the verdicts on spans, by their number."""
    verifier = Verifier({SECRET.kid: SECRET}, lambda _: "")
    events: list[Event] = [event_of(said(span)) for span in spans]
    verifier.take(events)
    return {verdict: n for verdict, n in verifier.finish().verdicts.items() if n}


def test_verdict_is_the_same_before_and_after() -> None:
    """The store has no identifier any more, and an auditor finds every seal intact in it."""
    request = trace_request(*sealed(20))
    assert verdicts(request.resource_spans[0].scope_spans[0].spans) == {Verdict.OK: 20}

    body = IDENTIFIERS.rewrite(Signal.TRACES, request.SerializeToString(), NOW_NS)

    assert b"alice" not in body
    assert b"order-" not in body
    after = type(request).FromString(body).resource_spans[0].scope_spans[0].spans
    assert said(after[3])["decision.id"].startswith("key_a1_")
    assert verdicts(after) == {Verdict.OK: 20}


def test_change_is_found_in_what_was_replaced_too() -> None:
    """Leaving identifiers out must not leave a door open to the rest."""
    request = trace_request(*sealed(5))
    body = IDENTIFIERS.rewrite(Signal.TRACES, request.SerializeToString(), NOW_NS)
    after = type(request).FromString(body).resource_spans[0].scope_spans[0].spans
    after[2].end_time_unix_nano += 1
    assert verdicts(after) == {Verdict.OK: 4, Verdict.TAMPERED: 1}


def test_card_in_the_digits_of_a_seal_is_none() -> None:
    """One tag in some thousands holds a run that passes for a card; a seal must not break by it."""
    card = "4111111111111111"
    digits = {name: (card + "a" + "0" * size)[:size] for name, size in HEX_DIGITS.items()}
    request = trace_request(decision_span(attributes={**digits, "note": f"paid with {card}"}))
    body = IDENTIFIERS.rewrite(Signal.TRACES, request.SerializeToString(), NOW_NS)
    after = said(type(request).FromString(body).resource_spans[0].scope_spans[0].spans[0])
    assert {name: after[name] for name in digits} == digits
    assert card not in after["note"]


def test_name_of_a_seal_hides_nothing_that_is_no_seal() -> None:
    """Whoever puts personal data under such a name has them replaced as anywhere."""
    hidden = {"provenance.tag": "alice@example.com", "provenance.prev": "4111 1111 1111 1111"}
    request = trace_request(decision_span(attributes=hidden))
    body = IDENTIFIERS.rewrite(Signal.TRACES, request.SerializeToString(), NOW_NS)
    assert b"alice" not in body
    assert b"4111 1111" not in body
