"""Pure: a comparison as a page says it: one sentence, and what carries it, ranked by dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from dash import dcc, html

from attribution.whatif.answers import CompareAnswer, SegmentDifference, ValueDifference
from attribution.whatif.compare import DECISIONS_MIN
from collector.core.clock import NS_PER_MS
from dashboard.read.decisions.brush import Brush
from dashboard.read.scope import Scope, format_scope
from dashboard.read.typed_range import length_text
from dashboard.units import UNKNOWN, count, counted, percent, shorten, signed_ms, usd

Component = Any
_OPEN_MAX: Final = 5  # what differs, before the list is folded
_ROWS_MAX: Final = 20
_NAME_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One ranked line: what it is, what it carries, and the filter that it stands for."""

    dimension: str
    value: str
    title: str
    ms: float
    low_ms: float
    high_ms: float
    usd_per_hour: Decimal | None
    q: float
    is_different: bool
    note: str

    @property
    def is_more(self) -> bool:
        """Return whether it costs more, by its dollars where they are known: it is ranked by."""
        return (self.ms if self.usd_per_hour is None else self.usd_per_hour) >= 0


def rows_of_values(found: CompareAnswer, other: str) -> list[Row]:
    """Return the values, dearest first; `other` names what is compared with."""
    return [_value_row(each, found, other) for each in found.values]


def rows_of_segments(found: CompareAnswer) -> list[Row]:
    """Return the segments in which any time was spent, dearest first."""
    spent = [each for each in found.segments if each.before_ms or each.after_ms]
    return [_segment_row(each) for each in spent]


def sentence(found: CompareAnswer) -> str:
    """Return the finding in one sentence."""
    if found.before is None or found.after is None:
        empty = "outside of it" if found.after is not None else "in the box"
        return f"No decision {empty}: make the box larger, or compare with another range."
    if found.verdict == "n too small":
        return (
            f"Too few to tell: {DECISIONS_MIN} decisions on either side are the least. "
            "Make the box or the range larger."
        )
    different = [v for v in found.values if v.is_different]
    dear = (v for v in different if v.usd_per_hour is not None and v.usd_per_hour > 0)
    slow = (v for v in different if v.excess_ms > 0 and not v.usd_per_hour)
    value = next(dear, next(slow, None))
    segment = next((s for s in found.segments if s.is_different and s.change_ms > 0), None)
    if value is None and segment is None:
        return "No difference found that chance does not explain."
    who = "" if value is None else f"{value.dimension} {value.value or '(empty)'}"
    where = "" if segment is None else segment.segment
    what = f"{who}, in {where}" if who and where else who or f"all of them alike, in {where}"
    dollars = value.usd_per_hour if value is not None else None
    if value is None and segment is not None:
        dollars = segment.usd_per_hour
    cost = f"{_signed_usd(dollars)} / h" if dollars is not None else f"money {UNKNOWN}"
    return f"{what}: {cost}"


def populations(found: CompareAnswer, other: str) -> str:
    """Return both sides in words, with n and means."""
    if found.before is None or found.after is None:
        return ""
    said = (
        f"In the box: {_decisions(found.decisions_after, found.one_in_after)}, mean "
        f"{found.after.mean_ms:,.1f} ms. {other}: "
        f"{_decisions(found.decisions_before, found.one_in_before)}, mean "
        f"{found.before.mean_ms:,.1f} ms."
    )
    new = (
        f" In no segment: {count(found.uncompared)} of an action and region that "
        f"{other.lower()} has not twice."
    )
    return said + (new if found.uncompared else "")


def listed(
    rows: Sequence[Row], scope: Scope, brush: Brush, seen: tuple[int, int], label: str
) -> Component:
    """Return the ranked lines; what chance explains is folded away.

    Args:
        rows: in their order.
        scope: of the page, which the links narrow.
        brush: the box, of which the decisions are listed.
        seen: [from, to) of the page.
        label: of the list, for a screen reader.
    """
    widest = max([1e-9, *(max(abs(row.low_ms), abs(row.high_ms)) for row in rows)])
    told = [row for row in rows if row.is_different]
    rest = [row for row in rows if not row.is_different]
    first, folded = told[:_OPEN_MAX], [*told[_OPEN_MAX:], *rest]

    def items(some: Sequence[Row], name: str) -> Component:
        lines = [_item(row, scope, brush, seen, widest) for row in some]
        return html.Ol(lines, className="ranked", **{"aria-label": name})

    parts: list[Component] = [items(first, label)] if first else []
    if folded:
        more = f"{count(len(told) - len(first))} more that differ" if len(told) > len(first) else ""
        chance = f"{count(len(rest))} that chance explains" if rest else ""
        cut = f"the first {_ROWS_MAX} of them" if len(folded) > _ROWS_MAX else ""
        words = html.Summary(", ".join(part for part in (more, chance, cut) if part))
        lines = items(folded[:_ROWS_MAX], f"{label}, the others")
        parts.append(html.Details([words, lines], className="twin", open=not told))
    return parts or html.P("Nothing to tell apart: all of them have the same value.")


def narrowed(scope: Scope, dimension: str, value: str) -> Scope:
    """Return a scope with one more filter, or another value of it."""
    others = tuple(each for each in scope.filters if each[0] != dimension)
    if dimension == "action":
        return replace(scope, action=value, filters=others)
    if dimension == "region":
        return replace(scope, region=value, filters=others)
    return replace(scope, filters=(*others, (dimension, value)))


def decisions_scope(scope: Scope, brush: Brush, seen: tuple[int, int]) -> Scope:
    """Return the scope of the list of the decisions in the box."""
    from_ns = seen[0] if brush.from_ns is None else brush.from_ns
    to_ns = seen[1] if brush.to_ns is None else brush.to_ns
    kept = ("channel", "service", "cohort", "segment")
    return replace(
        scope,
        # To the millisecond, as an address has it.
        window=length_text(max((to_ns - from_ns) // NS_PER_MS, 1) * NS_PER_MS),
        until_ns=to_ns,
        low_ms=scope.low_ms if brush.low_ms is None else brush.low_ms,
        high_ms=scope.high_ms if brush.high_ms is None else brush.high_ms,
        filters=(*(each for each in scope.filters if each[0] in kept), ("sort", "lost")),
    )


def _item(row: Row, scope: Scope, brush: Brush, seen: tuple[int, int], widest: float) -> Component:
    dollars = UNKNOWN if row.usd_per_hour is None else f"{_signed_usd(row.usd_per_hour)} / h"
    ends = f"95 %: {_ms(row.low_ms)} to {_ms(row.high_ms)}"
    chance = f"q {row.q:.2g}" if row.q >= 0.001 else "q < 0.001"
    links: list[Component] = []
    if row.value:
        filtered = format_scope(narrowed(scope, row.dimension, row.value))
        listing = format_scope(
            narrowed(decisions_scope(scope, brush, seen), row.dimension, row.value)
        )
        links = [
            dcc.Link("Only these", href=f"/explore{filtered}",
                     title=f"Narrow the page to {row.title}"),
            dcc.Link("Decisions", href=f"/decision{listing}",
                     title=f"List the decisions of {row.title} in the box"),
        ]  # fmt: skip
    return html.Li(
        [
            html.Div(
                [
                    html.Span(
                        shorten(row.title, _NAME_MAX), title=row.title, className="ranked-name"
                    ),
                    html.Span(row.note, className="note"),
                ],
                className="ranked-what",
            ),
            html.Div(
                [
                    html.Div([html.B(dollars), f" · {_ms(row.ms)}"]),
                    _bar(row, widest, ends),
                    html.Span(f"{ends} · {chance}", className="note"),
                ],
                className="ranked-amount",
            ),
            html.Div(links, className="ranked-links"),
        ],
        className="ranked-more" if row.is_more else "ranked-less",
    )


def _bar(row: Row, widest: float, ends: str) -> Component:
    """Return the interval as a bar around zero in the middle."""
    low, high, at = (50 + each / widest * 50 for each in (row.low_ms, row.high_ms, row.ms))
    return html.Div(
        [
            html.Span(className="ranked-zero"),
            html.Span(
                className="interval-range",
                style={"left": f"{low:.1f}%", "width": f"{high - low:.1f}%"},
            ),
            html.Span(className="interval-at", style={"left": f"{at:.1f}%"}),
        ],
        className="interval",
        role="img",
        **{"aria-label": ends},
    )


def _value_row(each: ValueDifference, found: CompareAnswer, other: str) -> Row:
    inside = percent(each.decisions_after / max(found.decisions_after, 1))
    outside = percent(each.decisions_before / max(found.decisions_before, 1))
    return Row(
        each.dimension,
        each.value,
        f"{each.dimension} {each.value or '(empty)'}",
        each.excess_ms,
        each.low_ms,
        each.high_ms,
        each.usd_per_hour,
        each.q,
        each.is_different,
        f"{inside} of the box (n {count(each.decisions_after)}), {outside} of {other} "
        f"(n {count(each.decisions_before)})",
    )


def _segment_row(each: SegmentDifference) -> Row:
    return Row(
        "segment",
        each.segment,
        each.segment,
        each.change_ms,
        each.low_ms,
        each.high_ms,
        each.usd_per_hour,
        each.q,
        each.is_different,
        f"{each.before_ms:,.1f} → {each.after_ms:,.1f} ms a decision",
    )


def _decisions(number: int, one_in: int) -> str:
    words = counted(number, "decision")
    return words if one_in == 1 else f"{words} (one in {one_in})"


def _ms(value: float) -> str:
    return signed_ms(value * NS_PER_MS)


def _signed_usd(value: Decimal) -> str:
    if value == 0:
        return "under a cent"
    return f"+{usd(value)}" if value > 0 else usd(value)
