"""Pure: SLOs of Sloth, as a file (prometheus/v1) and as a resource (PrometheusServiceLevel)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from alerts.rules.base import Severity
from alerts.rules.imports.documents import Table
from alerts.rules.imports.expression import Reading
from alerts.rules.imports.found import Found, Mapped, Origin, Refused, UnmappableError
from alerts.rules.imports.prometheus import table
from alerts.rules.imports.rule import Meta, from_burns, link, plain_text, workbook

_PERIOD_S: Final = 30 * 86_400
_WINDOW: Final = "5m"  # stands for each of its windows: only which requests are meant is asked


def is_sloth(document: object) -> bool:
    """Return whether a document is a file or a resource of Sloth."""
    return isinstance(document, Mapping) and (
        document.get("version") == "prometheus/v1"
        or document.get("kind") == "PrometheusServiceLevel"
    )


def slos_of(file: str, document: Mapping[str, Any], reading: Reading) -> Iterator[Found]:
    """Yield each SLO, mapped or refused."""
    spec = document.get("spec") if document.get("kind") else document
    slos = spec.get("slos") if isinstance(spec, Mapping) else None
    service = plain_text(spec.get("service") if isinstance(spec, Mapping) else "", 100)
    for slo in slos if isinstance(slos, list) else []:
        if not isinstance(slo, Mapping):
            continue
        name = f"{service} {plain_text(slo.get('name'), 100)}".strip()
        line = slo.line if isinstance(slo, Table) else 0
        says = ""
        try:
            says, good = _indicator(slo)
            yield _mapped(Origin(file, line, name, says), slo, reading, says, good=good)
        except UnmappableError as error:
            yield Refused(Origin(file, line, name, says), str(error))


def _mapped(
    origin: Origin, slo: Mapping[str, Any], reading: Reading, says: str, *, good: bool
) -> Mapped:
    objective = slo.get("objective")
    if not isinstance(objective, int | float) or not 0 < objective < 100:
        raise UnmappableError(
            f"its objective {plain_text(objective, 40)!r} is not between 0 and 100"
        )
    alerting = table(slo, "alerting")
    off = {
        severity
        for severity, keys in _ALERTS.items()
        if any(table(alerting, key).get("disable") is True for key in keys)
    }
    burns = [
        burn
        for burn in workbook(objective / 100, _PERIOD_S, sloth=True)
        if burn.severity not in off
    ]
    if not burns:
        raise UnmappableError("its alerts are disabled")
    annotations = table(alerting, "annotations")
    meta = Meta(
        name=origin.name,
        runbook_url=link(annotations.get("runbook") or annotations.get("runbook_url")),
        note=plain_text(annotations.get("summary") or slo.get("description")),
    )
    rules, remarks = from_burns(reading.value(says), burns, meta, good=good)
    return Mapped(origin, rules, remarks)


_ALERTS: Final[Mapping[Severity, tuple[str, str]]] = {
    "page": ("page_alert", "pageAlert"),
    "ticket": ("ticket_alert", "ticketAlert"),
}


def _indicator(slo: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the share of bad requests that an SLO states."""
    sli = table(slo, "sli")
    events, raw = table(sli, "events"), table(sli, "raw")
    if "plugin" in sli:
        name = plain_text(table(sli, "plugin").get("id"), 80)
        raise UnmappableError(f"its indicator is the plugin {name!r}, whose code is elsewhere")
    error = events.get("error_query", events.get("errorQuery"))
    total = events.get("total_query", events.get("totalQuery"))
    if isinstance(error, str) and isinstance(total, str):
        return f"({in_window(error)}) / ({in_window(total)})", False
    ratio = raw.get("error_ratio_query", raw.get("errorRatioQuery"))
    if isinstance(ratio, str):
        return in_window(ratio), False
    raise UnmappableError("it states neither events nor a raw ratio")


def in_window(text: str) -> str:
    """Return a query with a window in place of `{{ .window }}`, in one line."""
    parts, rest = [], text
    while "{{" in rest:
        before, _, behind = rest.partition("{{")
        word, closed, after = behind.partition("}}")
        if not closed or word.strip(" -") != ".window":
            raise UnmappableError(
                f"it holds the template {{{{{word[:40]}}}}}; only .window is known"
            )
        parts += [before, _WINDOW]
        rest = after
    return " ".join("".join([*parts, rest]).split())
