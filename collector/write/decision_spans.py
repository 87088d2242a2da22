"""Pure: which spans the views of decisions are asked about."""

from __future__ import annotations

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.event_schema import names_of
from collector.otlp.native.spans import SpanSelection

_ACTION = "decision.action"
_OF_SKELETONS = ("latency.class", "decision.stage", "latency.blocking", "decision.id")

_ROOT_KINDS = (b"Server", b"Consumer")


def wanted_spans(
    attributes: AttributesConfig, decisions: DecisionsConfig, *, has_roots: bool = False
) -> SpanSelection:
    """Return every span that `decisions_mv` may take, and some more: the view has the last word.

    With `has_roots` it is asked about roots too, which nobody declared. Of a rule that names
    attributes one is enough; an empty value is what a span without it has too.
    """
    keys = [*names_of(_ACTION, attributes.name(_ACTION))]
    rules: list[tuple[bytes, bytes, bytes]] = []
    for rule in decisions.match:
        named = [name for name, value in sorted(rule.attributes.items()) if value]
        if named:
            keys.append(named[0])
        else:
            kind = rule.kind.capitalize()
            rules.append((rule.service.encode(), rule.span_name.encode(), kind.encode()))
    if has_roots:
        rules += [(b"", b"", kind) for kind in _ROOT_KINDS]
    names = (attributes.name(name).encode() for name in _OF_SKELETONS)
    latency_class, stage, blocking, decision_id = names
    return SpanSelection(
        tuple(dict.fromkeys(key.encode() for key in keys)),
        tuple(rules),
        (latency_class, stage, blocking, decision_id),
    )
