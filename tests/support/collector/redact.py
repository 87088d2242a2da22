"""What several tests of redact share."""

from __future__ import annotations

from collections.abc import Mapping

from collector.core.key_files import Key
from collector.otlp.check import Signal
from collector.otlp.values import Request
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.redact import REPLACED, Identifiers
from collector.privacy.rules import JOINED, IdentifiersConfig
from tests.conftest import NOW_NS
from tests.support.builders import (
    span,
    trace_request,
)

KEYS = (Key("k2", b"2" * 32), Key("k1", b"1" * 32))


TOKENS = Tokeniser(KEYS, 30)


ALICE = "alice@example.com"


def rules(*own: tuple[str, str], **settings: object) -> Identifiers:
    """Return identifiers with rules of one's own beside the shipped ones."""
    listed = [{"attribute": name, "action": action} for name, action in own]
    config = IdentifiersConfig.model_validate({"rules": listed, **settings})
    return Identifiers(config, TOKENS, {name: f"shop.{name}" for name in JOINED})


SHIPPED = rules()


def signal_of(request: Request) -> Signal:
    """Return the signal that a request is of."""
    return next(signal for signal in Signal if isinstance(request, signal.request_class))


def rewritten(request: Request, by: Identifiers = SHIPPED) -> Request:
    """Return what a request becomes."""
    signal = signal_of(request)
    body = by.rewrite(signal, request.SerializeToString(), NOW_NS)
    return signal.request_class.FromString(body)


def one_span(attributes: Mapping[str, object], by: Identifiers = SHIPPED) -> dict[str, object]:
    """Return what the attributes of a span become, texts as texts."""
    request = rewritten(trace_request(span(attributes=attributes)), by)
    pairs = request.resource_spans[0].scope_spans[0].spans[0].attributes  # type: ignore[union-attr]  # a trace request
    return {pair.key: pair.value.string_value for pair in pairs if pair.key != REPLACED}
