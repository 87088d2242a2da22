"""Pure: the rules of `[[decisions.match]]` as expressions over the columns of spans."""

from __future__ import annotations

from collections.abc import Sequence

from collector.core.config import DecisionMatch


def is_matched(rules: Sequence[DecisionMatch]) -> str:
    """Return the condition that a span is a decision by one of the rules."""
    return " OR ".join(f"({_condition(rule)})" for rule in rules) or "false"


def matched_action(rules: Sequence[DecisionMatch]) -> str:
    """Return the expression of the action that the first rule of a span gives it, '' for none."""
    arms = "".join(
        f"{_condition(rule)}, {literal(rule.action) if rule.action else 'toString(SpanName)'}, "
        for rule in rules
    )
    return f"multiIf({arms}'')" if arms else "''"


def _condition(rule: DecisionMatch) -> str:
    parts = []
    if rule.service:
        parts.append(f"ServiceName = {literal(rule.service)}")
    if rule.span_name:
        parts.append(f"SpanName = {literal(rule.span_name)}")
    if rule.kind:
        parts.append(f"SpanKind = {literal(rule.kind.capitalize())}")
    parts += [
        f"SpanAttributes[{literal(name)}] = {literal(value)}"
        for name, value in sorted(rule.attributes.items())
    ]
    return " AND ".join(parts)


def literal(value: str) -> str:
    """Return a text as ClickHouse reads it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
