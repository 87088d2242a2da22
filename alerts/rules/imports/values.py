"""Pure: the parts of an expression: rates of requests, shares of them, conditions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.outcomes import FLAG, HTTP, bad_settings, ranges
from alerts.rules.imports.selection import Selection


@dataclass(frozen=True, slots=True)
class Number:
    """A number that the expression holds."""

    value: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests, as a rate or as a count; `less` are taken off them."""

    of: Selection
    less: Selection | None = None
    per_s: float = 1.0  # what one request a second is


@dataclass(frozen=True, slots=True)
class Share:
    """`offset + scale * part / whole`."""

    part: Selection
    whole: Selection
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Quantile:
    """The duration that a share of requests stays below, in units of `scale_ms`."""

    q: float
    of: Selection
    scale_ms: float


@dataclass(frozen=True, slots=True)
class Criterion:
    """Which spans count and which of them are bad, as settings of a rule of kind `slo`."""

    settings: tuple[tuple[str, Any], ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TooManyBad:
    """A condition: the share of bad spans is above a limit in one window."""

    criterion: Criterion
    window_s: int | None
    bad_share_max: float


@dataclass(frozen=True, slots=True)
class EnoughRequests:
    """A condition: there are more requests than so many a second; of none it is always true."""

    of: Selection
    per_s: float


Atom = TooManyBad | EnoughRequests


@dataclass(frozen=True, slots=True)
class Conditions:
    """A condition as alternatives, each of conditions that hold together."""

    alternatives: tuple[tuple[Atom, ...], ...]


Value = Number | Rate | Share | Quantile | Conditions


def divided(part: Rate, whole: Rate) -> Share:
    """Return one rate over another as a share."""
    if whole.less is not None:
        raise UnmappableError("it divides by something else than all requests")
    if part.less is None:
        return Share(part.of, whole.of, part.per_s / whole.per_s)
    # (all - some) / all
    if part.of != whole.of:
        raise UnmappableError("it takes requests off others than those that it divides by")
    scale = part.per_s / whole.per_s
    return Share(part.less, whole.of, -scale, scale)


def too_many(share: Share, limit: float, *, above: bool) -> TooManyBad:
    """Return the condition that a share is above or below a limit."""
    at = (limit - share.offset) / share.scale  # of part over whole
    part_is_bad = above == (share.scale > 0)
    part, counts_errors = share.part, share.part.counts_errors and not share.whole.counts_errors
    if part_is_bad:
        if (_went(part, 0) or part.target_ms is not None) and not counts_errors:
            raise UnmappableError("it fires where many requests go well")
    elif counts_errors or _went(part, 1):
        raise UnmappableError("it fires where few requests fail")
    limit_share = _in_range(at if part_is_bad else 1 - at)
    criterion = _criterion(share, part_is_bad=part_is_bad)
    return TooManyBad(criterion, share.whole.window_s, limit_share)


def reached(above: TooManyBad) -> TooManyBad:
    """Return the condition that a limit is reached, where it was that the limit is passed.

    No window has so many spans that a share lies between the two.
    """
    limit = round(above.bad_share_max - 1e-9, 12)
    if limit < 0:
        raise UnmappableError("it fires always: no share is below 0")
    return replace(above, bad_share_max=limit)


def too_slow(quantile: Quantile, limit: float) -> TooManyBad:
    """Return the condition that a quantile is above a limit."""
    target_ms = limit * quantile.scale_ms
    if not 0 < target_ms < 1e9:
        raise UnmappableError(f"{limit:g} is not a duration that a target can be")
    if not 0 < quantile.q < 1:
        raise UnmappableError(f"a quantile of {quantile.q:g} is not a share of requests")
    of = quantile.of
    settings = {**_which(of), "target_ms": target_ms}
    remarks = of.remarks
    if of.outcomes != of.universe.all:
        settings["counted_statuses"], more = _counted(of)
        remarks += more
    criterion = Criterion(_frozen(settings), remarks)
    return TooManyBad(criterion, of.window_s, round(1 - quantile.q, 12))


def _went(of: Selection, bound: int) -> bool:
    """Return whether a selection holds only what went well (bound 0), or only what failed (1)."""
    if of.outcomes == of.universe.all:
        return False
    if of.universe is HTTP:
        return of.outcomes <= frozenset(range(400, 600) if bound else range(100, 400))
    good = {0}
    return not of.outcomes & good if bound else of.outcomes == good


def _criterion(share: Share, *, part_is_bad: bool) -> Criterion:
    part, whole = share.part, share.whole
    remarks = tuple(dict.fromkeys((*whole.remarks, *part.remarks)))
    if part.window_s != whole.window_s:
        raise UnmappableError("its two rates are of windows of different lengths")
    for name, of_part, of_whole in (
        ("service", part.service, whole.service),
        ("span", part.span, whole.span),
        ("method", part.method, whole.method),
    ):
        if of_part != of_whole:
            raise UnmappableError(
                f"the {name} of what it divides is {of_part or 'any'!r} and of what it divides by "
                f"{of_whole or 'any'!r}"
            )
    if not whole.service and part.per_service != whole.per_service:
        raise UnmappableError("it divides requests of each service by those of all")
    if whole.target_ms is not None or (whole.is_bucket and not part.is_bucket):
        raise UnmappableError("it divides by the requests below a duration")
    settings = _which(whole)
    if part.target_ms is not None:
        settings["target_ms"] = part.target_ms
    bad, more = _bad_outcomes(part, whole, part_is_bad=part_is_bad)
    settings |= bad
    if whole.outcomes != whole.universe.all:
        settings["counted_statuses"], counted = _counted(whole)
        more += counted
    if not any(settings.get(key) for key in ("failed", "bad_statuses", "target_ms")):
        raise UnmappableError("the labels of its two rates select the same requests: none is bad")
    return Criterion(_frozen(settings), (*remarks, *more))


def _bad_outcomes(
    part: Selection, whole: Selection, *, part_is_bad: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if part.metric != whole.metric and part.outcomes == part.universe.all:
        if part_is_bad and part.counts_errors:
            remark = f"{part.metric} counts what failed: here it is the status of the span"
            return {"failed": True}, (remark,)
        if part.target_ms is None:
            raise UnmappableError(f"{part.metric} is not a part of {whole.metric} that is known")
    universe = part.universe
    if whole.universe is universe:
        within = whole.outcomes
    elif whole.outcomes == whole.universe.all:
        within = universe.all
    else:
        raise UnmappableError("its two rates are narrowed by different labels")
    if not part.outcomes <= within:
        raise UnmappableError("what it divides has outcomes that it does not divide by")
    bad = part.outcomes if part_is_bad else within - part.outcomes
    if part_is_bad and part.outcomes == within:
        raise UnmappableError("the labels of its two rates select the same requests: none is bad")
    found, remark = bad_settings(universe, bad)
    return found, (remark,) if remark else ()


def _counted(of: Selection) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    if of.universe is HTTP:
        return ranges(of.outcomes), ()
    if of.universe is FLAG or 0 in of.outcomes:
        return (), ("spans that failed count too",)
    raise UnmappableError("only requests that failed would count")


def _which(of: Selection) -> dict[str, Any]:
    together = not of.service and not of.per_service
    found = {"service": of.service, "together": together, "span": of.span, "method": of.method}
    return {key: value for key, value in found.items() if value}


def _frozen(settings: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, value) for key, value in settings.items() if value))


def _in_range(share: float) -> float:
    found = round(share, 12)
    if not 0 <= found < 1:
        raise UnmappableError(
            f"its limit is a share of {found:g}, which no share of requests passes"
        )
    return found


def scaled(value: Value, factor: float) -> Value:
    """Return a value times a number."""
    if isinstance(value, Number):
        return Number(value.value * factor)
    if factor == 0:
        raise UnmappableError("it multiplies by nothing")
    if isinstance(value, Share):
        return replace(value, scale=value.scale * factor, offset=value.offset * factor)
    if isinstance(value, Rate):
        return replace(value, per_s=value.per_s * factor)
    if isinstance(value, Quantile) and factor > 0:
        return replace(value, scale_ms=value.scale_ms / factor)
    raise UnmappableError("it multiplies something that is neither a share nor a rate")
