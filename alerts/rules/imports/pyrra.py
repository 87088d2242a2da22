"""Pure: SLOs of Pyrra: the resource ServiceLevelObjective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import promql_parser

from alerts.rules.imports.documents import Table, prometheus_ns
from alerts.rules.imports.expression import Reading
from alerts.rules.imports.found import Found, Mapped, Origin, Refused, UnmappableError
from alerts.rules.imports.prometheus import table
from alerts.rules.imports.promql import parse_expression
from alerts.rules.imports.rule import Burn, Meta, from_burns, link, plain_text, seconds
from alerts.rules.imports.values import Rate, Share, Value
from collector.core.times import NS_PER_MS

_MINUTE_S: Final = 60
# Of a period of 28 days: waits for, long and short window in minutes, factor, severity.
_WINDOWS: Final = (
    (2, 60, 5, 14, "page"),
    (15, 360, 30, 7, "page"),
    (60, 1_440, 120, 2, "ticket"),
    (180, 5_760, 360, 1, "ticket"),
)


def is_pyrra(document: object) -> bool:
    """Return whether a document is an SLO of Pyrra."""
    return (
        isinstance(document, Mapping)
        and document.get("kind") == "ServiceLevelObjective"
        and str(document.get("apiVersion", "")).startswith("pyrra.dev/")
    )


def slo_of(file: str, document: Mapping[str, Any], reading: Reading) -> Found:
    """Return an SLO, mapped or refused."""
    line = document.line if isinstance(document, Table) else 0
    metadata, says = document.get("metadata"), ""
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    try:
        spec = table(document, "spec")
        says = _says(table(spec, "indicator"))
        origin = Origin(file, line, plain_text(name, 200), says)
        return _mapped(origin, spec, reading)
    except UnmappableError as error:
        return Refused(Origin(file, line, plain_text(name, 200), says), str(error))


def _mapped(origin: Origin, spec: Mapping[str, Any], reading: Reading) -> Mapped:
    alerting = table(spec, "alerting")
    if alerting.get("disabled") is True or alerting.get("burnrates") is False:
        raise UnmappableError("its alerts are switched off")
    try:
        target = float(str(spec.get("target")))
        period_s = seconds(prometheus_ns(spec.get("window")))
    except ValueError as error:
        raise UnmappableError(f"its target or its window: {error}") from error
    if not 0 < target < 100:
        raise UnmappableError(f"its target {target:g} is not between 0 and 100")
    burns = [
        Burn(
            long_s=_rounded(long, period_s),
            short_s=_rounded(short, period_s),
            bad_share_max=round(factor * (1 - target / 100), 12),
            severity="page" if severity == "page" else "ticket",
            for_s=_rounded(waits, period_s),
        )
        for waits, long, short, factor, severity in _WINDOWS
    ]
    if any(not burn.short_s or burn.short_s >= burn.long_s for burn in burns):
        raise UnmappableError("its window is so short that those of its alerts are no minute")
    meta = Meta(
        name=plain_text(alerting.get("name")) or origin.name,
        runbook_url=link(table(spec, "annotations").get("pyrra.dev/runbook")),
        note=plain_text(spec.get("description")),
    )
    value, good = _value(table(spec, "indicator"), origin.says, reading)
    rules, remarks = from_burns(value, burns, meta, good=good)
    return Mapped(origin, rules, remarks)


def _value(indicator: Mapping[str, Any], says: str, reading: Reading) -> tuple[Value, bool]:
    """Return the share that an indicator states, and whether it is the good one."""
    found = reading.value(says)
    if "latencyNative" not in indicator:
        return found, "latency" in indicator
    try:
        target_ns = prometheus_ns(table(indicator, "latencyNative").get("latency"))
    except ValueError as error:
        raise UnmappableError(f"its latency: {error}") from error
    if not isinstance(found, Rate) or target_ns == 0:
        raise UnmappableError("its latency is not a target of the durations of requests")
    fast = replace(found.of, is_bucket=True, target_ms=target_ns / NS_PER_MS)
    return Share(fast, found.of), True


def _rounded(minutes: int, period_s: int) -> int:
    """Return a window of 28 days' for another period, to whole minutes, as Pyrra does."""
    found = minutes * _MINUTE_S * period_s / (28 * 86_400)
    return int(found / _MINUTE_S + 0.5) * _MINUTE_S


def _says(indicator: Mapping[str, Any]) -> str:
    """Return the share that an indicator states, as an expression."""
    for kind in ("bool_gauge", "boolGauge"):
        if kind in indicator:
            raise UnmappableError("its indicator is a gauge of yes and no: spans have none")
    if "latencyNative" in indicator:
        native = table(indicator, "latencyNative")
        return _sum(table(native, "total").get("metric"), _grouping(native))
    for kind, part in (("ratio", "errors"), ("latency", "success")):
        if kind in indicator:
            found = table(indicator, kind)
            by = _grouping(found)
            some, all_of = (_sum(table(found, key).get("metric"), by) for key in (part, "total"))
            return f"{some} / {all_of}"
    raise UnmappableError("its indicator is neither a ratio nor a latency")


def _grouping(indicator: Mapping[str, Any]) -> str:
    found = indicator.get("grouping") or []
    if not isinstance(found, list):
        raise UnmappableError("its grouping is not a list")
    return ", ".join(plain_text(each, 100) for each in found)


def _sum(metric: object, by: str) -> str:
    try:
        selector = parse_expression(str(metric))
    except ValueError as error:
        raise UnmappableError(f"its metric {plain_text(metric, 60)!r}: {error}") from error
    if not isinstance(selector, promql_parser.VectorSelector):
        raise UnmappableError(f"its metric {plain_text(metric, 60)!r} is not a selector")
    return f"sum by ({by}) (rate({plain_text(metric, 4_000)}[5m]))"
