"""Pure: SLOs of OpenSLO v1, with the indicators and alert policies that they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from alerts.rules.imports.documents import Table, prometheus_ns
from alerts.rules.imports.expression import Reading
from alerts.rules.imports.found import Found, Mapped, Origin, Refused, UnmappableError
from alerts.rules.imports.prometheus import table
from alerts.rules.imports.rule import (
    Burn,
    Meta,
    from_burns,
    from_conditions,
    plain_text,
    seconds,
    severity_of,
    workbook,
)
from alerts.rules.imports.sloth import in_window
from alerts.rules.imports.values import Conditions, Quantile, too_slow

_DAY_S: Final = 86_400
_LONG: Final = {"M": 30 * _DAY_S, "Q": 90 * _DAY_S, "Y": 365 * _DAY_S}
_OBJECTIVES_MAX: Final = 50
Named = Mapping[tuple[str, str], Mapping[str, Any]]  # by kind and name


def is_openslo(document: object) -> bool:
    """Return whether a document is an object of OpenSLO, of any version."""
    return isinstance(document, Mapping) and str(document.get("apiVersion", "")).startswith(
        "openslo"
    )


def named_objects(documents: Iterable[object]) -> Named:
    """Return the objects that others may refer to."""
    found = {}
    for document in documents:
        if isinstance(document, Mapping) and is_openslo(document):
            metadata = document.get("metadata")
            name = metadata.get("name") if isinstance(metadata, Mapping) else None
            found[str(document.get("kind")), str(name)] = document
    return found


def slos_of(
    file: str, document: Mapping[str, Any], reading: Reading, named: Named
) -> Iterator[Found]:
    """Yield each objective of an SLO, mapped or refused; nothing of any other object."""
    if document.get("kind") != "SLO":
        return
    line = document.line if isinstance(document, Table) else 0
    metadata = document.get("metadata")
    name = plain_text(metadata.get("name") if isinstance(metadata, Mapping) else "", 200)
    try:
        if document.get("apiVersion") != "openslo/v1":
            version = plain_text(document.get("apiVersion"), 40)
            raise UnmappableError(f"its version is {version!r}; only openslo/v1 is read")
        spec = table(document, "spec")
        objectives = spec.get("objectives")
        if not isinstance(objectives, list) or not objectives:
            raise UnmappableError("it has no objectives")
    except UnmappableError as error:
        yield Refused(Origin(file, line, name, ""), str(error))
        return
    for number, objective in enumerate(objectives[:_OBJECTIVES_MAX], 1):
        own = name if len(objectives) == 1 else f"{name} {number}"
        says = ""
        try:
            indicator = _indicator(spec, objective, named)
            says = _says(indicator)
            origin = Origin(file, line, own, says)
            yield _mapped(origin, spec, objective, indicator, reading, named)
        except UnmappableError as error:
            yield Refused(Origin(file, line, own, says), str(error))


def _mapped(
    origin: Origin,
    spec: Mapping[str, Any],
    objective: Mapping[str, Any],
    indicator: Mapping[str, Any],
    reading: Reading,
    named: Named,
) -> Mapped:
    meta = Meta(origin.name, note=plain_text(spec.get("description")))
    value = reading.value(origin.says)
    if "thresholdMetric" in indicator:
        limit, op = objective.get("value"), objective.get("op")
        if not isinstance(limit, int | float) or op not in ("lt", "lte"):
            raise UnmappableError("its objective is not to stay below a value")
        if not isinstance(value, Quantile):
            raise UnmappableError("its metric is not a quantile of durations")
        condition = too_slow(value, float(limit))
        rule, remarks = from_conditions(Conditions(((condition,),)), meta)
        remark = "it fires while the quantile is too high: slices of time are not counted"
        return Mapped(origin, (rule,), (*remarks, remark))
    target = objective.get("target", objective.get("targetPercent"))
    if not isinstance(target, int | float):
        raise UnmappableError("its objective states no target")
    share = float(target) if "target" in objective else float(target) / 100
    if not 0 < share < 1:
        raise UnmappableError(f"its target {target} is not between 0 and 1")
    ratio = table(indicator, "ratioMetric")
    burns, remarks = _burns(spec, share, named)
    rules, more = from_burns(value, burns, meta, good="bad" not in ratio and _is_good(ratio))
    if spec.get("budgetingMethod") in ("Timeslices", "RatioTimeslices"):
        remarks = (*remarks, "slices of time are not counted: each request counts once")
    return Mapped(origin, rules, (*more, *remarks))


def _is_good(ratio: Mapping[str, Any]) -> bool:
    return "good" in ratio or ratio.get("rawType") == "success"


def _indicator(spec: Mapping[str, Any], objective: object, named: Named) -> Mapping[str, Any]:
    if not isinstance(objective, Mapping):
        raise UnmappableError("its objective is not a mapping")
    for of in (objective, spec):
        if "indicatorRef" in of:
            name = plain_text(of["indicatorRef"], 100)
            if ("SLI", name) not in named:
                raise UnmappableError(f"its indicator {name!r} is in none of the files")
            return table(named["SLI", name], "spec")
        if "indicator" in of:
            return table(table(of, "indicator"), "spec")
    raise UnmappableError("it has no indicator")


def _says(indicator: Mapping[str, Any]) -> str:
    if "thresholdMetric" in indicator:
        return _query(table(indicator, "thresholdMetric"))
    ratio = table(indicator, "ratioMetric")
    if "raw" in ratio:
        return _query(table(ratio, "raw"))
    part = "bad" if "bad" in ratio else "good"
    return f"({_query(table(ratio, part))}) / ({_query(table(ratio, 'total'))})"


def _query(metric: Mapping[str, Any]) -> str:
    source = table(metric, "metricSource")
    kind = plain_text(source.get("type"), 40)
    if kind and kind.lower() not in ("prometheus", "victoriametrics", "mimir", "thanos", "cortex"):
        raise UnmappableError(f"its metrics are of {kind!r}, whose queries are not PromQL")
    spec = table(source, "spec")
    for key in ("query", "promql", "expr"):
        if isinstance(spec.get(key), str):
            return in_window(spec[key])
    raise UnmappableError("its metric source holds no query")


def _burns(
    spec: Mapping[str, Any], target: float, named: Named
) -> tuple[list[Burn], tuple[str, ...]]:
    """Return the windows of the alert policies, or the usual ones where there are none."""
    policies = spec.get("alertPolicies") or []
    if not isinstance(policies, list):
        raise UnmappableError("its alertPolicies are not a list")
    burns = [
        burn for policy in policies for burn in _policy(policy, target, named)
    ]  # fmt: skip
    if burns:
        return burns, ()
    windows = spec.get("timeWindow")
    first = windows[0] if isinstance(windows, list) and windows else {}
    period_s = _period_s(first.get("duration") if isinstance(first, Mapping) else None)
    remark = "it has no alert of its own: windows are those of the SRE Workbook"
    return list(workbook(target, period_s)), (remark,)


def _policy(policy: object, target: float, named: Named) -> Iterator[Burn]:
    if isinstance(policy, str):
        policy = {"alertPolicyRef": policy}
    if not isinstance(policy, Mapping):
        raise UnmappableError("an alert policy is not a mapping")
    policy = _resolved(policy, "alertPolicyRef", "AlertPolicy", named)
    conditions = table(policy, "spec").get("conditions")
    for condition in conditions if isinstance(conditions, list) else []:
        if not isinstance(condition, Mapping):
            raise UnmappableError("a condition is not a mapping")
        found = table(_resolved(condition, "conditionRef", "AlertCondition", named), "spec")
        inner = table(found, "condition")
        threshold = inner.get("threshold")
        if inner.get("kind") != "burnrate" or not isinstance(threshold, int | float):
            raise UnmappableError("a condition is not a burn rate with a threshold")
        if inner.get("op", "gt") not in ("gt", "gte"):
            raise UnmappableError("a condition is not that a burn rate is above a threshold")
        try:
            window_s = seconds(prometheus_ns(inner.get("lookbackWindow")))
            wait_s = seconds(prometheus_ns(inner.get("alertAfter") or 0))
        except ValueError as error:
            raise UnmappableError(f"a condition: {error}") from error
        limit = round(float(threshold) * (1 - target), 12)
        severity, _ = severity_of(found)
        if window_s < 1 or limit < 0:
            raise UnmappableError("a condition has no window, or a threshold below nothing")
        yield Burn(window_s, None, limit, severity, wait_s)


def _resolved(of: Mapping[str, Any], key: str, kind: str, named: Named) -> Mapping[str, Any]:
    if key not in of:
        return of
    name = plain_text(of[key], 100)
    if (kind, name) not in named:
        raise UnmappableError(f"the {kind} {name!r} is in none of the files")
    return named[kind, name]


def _period_s(text: object) -> float:
    """Return the length of a time window, 30 days where none is stated."""
    if text is None:
        return 30 * _DAY_S
    duration = str(text)
    count = duration[:-1]
    if duration[-1:] in _LONG and count.isascii() and count.isdigit() and len(duration) < 5:
        return int(count) * _LONG[duration[-1]]
    try:
        return seconds(prometheus_ns(duration))
    except ValueError as error:
        raise UnmappableError(f"its time window: {error}") from error
