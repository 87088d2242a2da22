"""Pure: rule files of Prometheus: groups of alerting rules, with recording rules among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from alerts.rules.imports.documents import Table, prometheus_ns
from alerts.rules.imports.expression import Reading, Record
from alerts.rules.imports.found import Found, Mapped, Origin, Refused, UnmappableError
from alerts.rules.imports.rule import (
    Meta,
    from_conditions,
    link,
    plain_text,
    seconds,
    severity_of,
)

RULES_MAX: Final = 5_000


def groups_of(document: object) -> list[Any] | None:
    """Return the groups of a rule file or of a PrometheusRule, None where it is neither."""
    if not isinstance(document, Mapping):
        return None
    if document.get("kind") == "PrometheusRule":
        document = document.get("spec")
    found = document.get("groups") if isinstance(document, Mapping) else None
    return found if isinstance(found, list) else None


def records_of(document: object) -> Iterator[Record]:
    """Yield the recording rules of a file."""
    for rule in _rules(document):
        name, says, labels = rule.get("record"), rule.get("expr"), rule.get("labels")
        if isinstance(name, str) and isinstance(says, str | int | float):
            texts = labels if isinstance(labels, Mapping) else {}
            yield Record(name, {str(key): str(value) for key, value in texts.items()}, str(says))


def alerts_of(file: str, document: object, reading: Reading) -> Iterator[Found]:
    """Yield each alerting rule of a file, mapped or refused."""
    for rule in _rules(document):
        if "alert" not in rule:
            continue
        name, says = plain_text(rule["alert"], 200), plain_text(rule.get("expr"), 4_000)
        origin = Origin(file, rule.line if isinstance(rule, Table) else 0, name, says)
        try:
            yield _mapped(origin, rule, reading)
        except UnmappableError as error:
            yield Refused(origin, str(error))


def _rules(document: object) -> Iterator[Mapping[str, Any]]:
    count = 0
    for group in groups_of(document) or []:
        rules = group.get("rules") if isinstance(group, Mapping) else None
        for rule in rules if isinstance(rules, list) else []:
            if isinstance(rule, Mapping):
                count += 1
                if count > RULES_MAX:
                    return
                yield rule


def _mapped(origin: Origin, rule: Mapping[str, Any], reading: Reading) -> Mapped:
    says = rule.get("expr")
    if not isinstance(says, str) or not says.strip():
        raise UnmappableError("its expr is not a text")
    labels, annotations = (table(rule, key) for key in ("labels", "annotations"))
    severity, guess = severity_of(labels)
    meta = Meta(
        name=origin.name,
        severity=severity,
        for_s=_length(rule, "for"),
        keep_firing_s=_length(rule, "keep_firing_for"),
        runbook_url=link(annotations.get("runbook_url") or annotations.get("runbook")),
        note=plain_text(annotations.get("summary") or annotations.get("description")),
    )
    config, remarks = from_conditions(reading.value(says), meta)
    return Mapped(origin, (config,), (*remarks, *([guess] if guess else [])))


def table(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a mapping of a mapping, an empty one where it has none.

    Raises:
        UnmappableError: there is something else.
    """
    found = of.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UnmappableError(f"its {key} are not a mapping")
    return found


def _length(rule: Mapping[str, Any], key: str) -> int:
    try:
        return seconds(prometheus_ns(rule[key])) if rule.get(key) is not None else 0
    except ValueError as error:
        raise UnmappableError(f"its {key}: {error}") from error
