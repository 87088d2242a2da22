"""Pure: what an expression says of requests, made into rules of kind `slo`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from alerts.rules.base import Severity
from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.values import (
    Conditions,
    Criterion,
    EnoughRequests,
    Share,
    TooManyBad,
    Value,
    too_many,
)
from alerts.rules.slo import SloConfig
from collector.core.errors import complaint
from collector.core.times import NS_PER_S

_NAME_MAX: Final = 50  # leaves room for `-ticket`, and for a number
_TEXT_MAX: Final = 500
_PAGES: Final = frozenset({
    "page", "critical", "crit", "error", "high", "emergency", "fatal", "major", "sev1",
    "p1", "pager",
})  # fmt: skip
_TICKETS: Final = frozenset({
    "ticket", "warning", "warn", "info", "low", "medium", "minor", "notice", "slack", "email",
    "none", "sev2", "sev3", "p2", "p3", "p4", "notify",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meta:
    """What a rule of another tool says beside its expression."""

    name: str
    severity: Severity = "page"
    for_s: float = 0.0
    keep_firing_s: float = 0.0
    runbook_url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows and the share of bad requests that is too much in both."""

    long_s: int
    short_s: int | None
    bad_share_max: float
    severity: Severity
    for_s: float = 0.0


def from_conditions(value: Value, meta: Meta) -> tuple[SloConfig, tuple[str, ...]]:
    """Return the rule that an expression of alerts states, and in what it differs.

    Raises:
        UnmappableError: it states none.
    """
    if not isinstance(value, Conditions):
        raise UnmappableError("it compares nothing: it fires where there is a series at all")
    found = [_tier(atoms) for atoms in value.alternatives]
    criteria = {criterion for criterion, _, _ in found}
    if len(criteria) != 1:
        raise UnmappableError("its alternatives are about different requests; split it in two")
    spans_min = {least for _, _, least in found}
    if len(spans_min) != 1:
        raise UnmappableError("its alternatives ask for different numbers of requests")
    [criterion], [least] = criteria, spans_min
    tiers = [{"bad_share_max": burn.bad_share_max, **_windows(burn)} for _, burn, _ in found]
    settings = {"tiers": tiers, **({"spans_min": least} if least > 1 else {})}
    return _config(criterion, meta, settings), criterion.remarks


def from_burns(
    value: Value, burns: Iterable[Burn], meta: Meta, *, good: bool
) -> tuple[tuple[SloConfig, ...], tuple[str, ...]]:
    """Return the rules of an SLO: one for all windows that wait equally long.

    Args:
        value: the share of requests that is good, or that is bad.
        burns: windows and limits.
        meta: remarks of the document.
        good: which of the two shares it is.

    Raises:
        UnmappableError: it is not such a share, or no limit can be passed.
    """
    if not isinstance(value, Share):
        raise UnmappableError("its indicator is not one rate of requests divided by another")
    # Any limit: only which requests are bad is asked for here.
    criterion = too_many(value, 0.5, above=not good).criterion
    by_wait: dict[float, list[Burn]] = {}
    remarks = criterion.remarks
    for burn in burns:
        if burn.bad_share_max >= 1:
            remarks += (f"a burn of {burn.bad_share_max:g} of all requests is left out: never",)
        else:
            by_wait.setdefault(burn.for_s, []).append(burn)
    if not by_wait:
        raise UnmappableError("its objective is so low that no share of bad requests burns it")
    rules = []
    for number, (for_s, some) in enumerate(by_wait.items(), 1):
        tiers = [
            {"bad_share_max": each.bad_share_max, "severity": each.severity, **_windows(each)}
            for each in some
        ]
        name = meta.name if len(by_wait) == 1 else f"{meta.name} {number}"
        own = Meta(name, some[0].severity, for_s, meta.keep_firing_s, meta.runbook_url, meta.note)
        rules.append(_config(criterion, own, {"tiers": tiers}))
    return tuple(rules), remarks


def severity_of(labels: Mapping[str, Any], default: Severity = "page") -> tuple[Severity, str]:
    """Return the severity that labels state, and a remark where it is a guess."""
    severity = str(labels.get("severity", "")).strip()
    word = severity.lower()
    if not word:
        return default, ""
    if word in _PAGES:
        return "page", ""
    if word in _TICKETS:
        return "ticket", ""
    return default, f"severity {severity[:40]!r} is taken for a {default}"


def slug(text: str) -> str:
    """Return a name as those of rules are: `HighErrorRate (5xx)` is high-error-rate-5xx."""
    plain = unicodedata.normalize("NFKD", text)
    words: list[str] = []
    for before, each in zip(" " + plain, plain, strict=False):
        if not (each.isascii() and each.isalnum()):
            if not unicodedata.combining(each):
                words.append(" ")
            continue
        words.append(f" {each}" if each.isupper() and before.islower() else each)
    found = "-".join("".join(words).lower().split())
    return found[:_NAME_MAX].strip("-") or "rule"


def plain_text(value: object, most: int = _TEXT_MAX) -> str:
    """Return a text in one line, at most so long."""
    return " ".join(str(value or "").split())[:most]


def link(value: object) -> str:
    """Return an address of a runbook, "" for what is not one."""
    found = plain_text(value, 2_000)
    return found if found.startswith(("http://", "https://")) and " " not in found else ""


def _windows(burn: Burn) -> dict[str, int]:
    found = {"long_window_s": burn.long_s}
    return found if burn.short_s is None else {**found, "short_window_s": burn.short_s}


def _tier(atoms: Iterable[object]) -> tuple[Criterion, Burn, int]:
    """Return what conditions that hold together say, and the least number of requests."""
    shares = [each for each in atoms if isinstance(each, TooManyBad)]
    floors = [each for each in atoms if isinstance(each, EnoughRequests)]
    if not shares:
        raise UnmappableError("it counts requests; a rule of kind slo compares a share of them")
    criteria = {each.criterion for each in shares}
    if len(criteria) != 1 or len({each.bad_share_max for each in shares}) != 1:
        raise UnmappableError("it asks two different shares at once; split it in two rules")
    windows = sorted({each.window_s or 0 for each in shares}, reverse=True)
    if len(windows) > 2:
        raise UnmappableError(
            f"it has {len(windows)} windows that all have to burn, at most two can"
        )
    [criterion] = criteria
    least = 1
    for floor in floors:
        if floor.of.service not in ("", dict(criterion.settings).get("service", "")):
            raise UnmappableError("it asks how many requests another service has")
        if floor.of.window_s is None or not 0 <= floor.per_s < 1e6:
            raise UnmappableError("it asks for a number of requests that no window has")
        least = max(least, int(floor.per_s * floor.of.window_s) + 1)
    burn = Burn(
        windows[0], windows[1] if len(windows) == 2 else None, shares[0].bad_share_max, "page"
    )
    return criterion, burn, least


def _config(criterion: Criterion, meta: Meta, settings: Mapping[str, Any]) -> SloConfig:
    fields = {
        "name": slug(meta.name),
        "severity": meta.severity,
        "for_s": meta.for_s,
        "keep_firing_s": meta.keep_firing_s,
        "runbook_url": meta.runbook_url,
        "note": meta.note,
        **dict(criterion.settings),
        **settings,
    }
    try:
        return SloConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UnmappableError(f"{place}: {complaint(first)}") from error


def workbook(objective: float, period_s: float, *, sloth: bool = False) -> tuple[Burn, ...]:
    """Return the windows that an SLO without any of its own is watched by.

    Source: Google SRE Workbook, ch. 5, table 5-8; Sloth adds a window of a day.
    """
    page: Severity = "page"
    ticket: Severity = "ticket"
    rows = [
        (0.02, 3_600, 300, page),
        (0.05, 21_600, 1_800, page),
        *([(0.10, 86_400, 7_200, ticket)] if sloth else []),
        (0.10, 259_200, 21_600, ticket),
    ]  # fmt: skip
    return tuple(
        Burn(long, short, round(share * period_s / long * (1 - objective), 12), severity)
        for share, long, short, severity in rows
    )


def seconds(ns: int) -> int:
    """Return a duration in whole seconds."""
    return round(ns / NS_PER_S)
