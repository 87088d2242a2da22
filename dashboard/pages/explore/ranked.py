"""Pure: what carries the difference of a comparison, in lines that are ranked by dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from dash import dcc, html

from attribution.whatif.answers import CompareAnswer, SegmentDifference, ValueDifference
from collector.core.times import NS_PER_MS
from dashboard.pages.explore.sentence import share, signed_usd
from dashboard.pages.scope.typed_range import length_text
from dashboard.read.decisions.brush import Brush
from dashboard.read.scope import Scope, format_scope
from dashboard.units import UNKNOWN, count, percent, shorten, signed_ms

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
    failed_usd_per_hour: Decimal | None = None  # of the dollars, by failures

    @property
    def is_more(self) -> bool:
        """Return whether it costs more, by its dollars where they are known: it is ranked by."""
        return (self.ms if self.usd_per_hour is None else self.usd_per_hour) >= 0


def rows_of_values(answer: CompareAnswer, other: str) -> list[Row]:
    """Return the values, dearest first; `other` names what is compared with."""
    return [_value_row(each, answer, other) for each in answer.values]


def rows_of_segments(answer: CompareAnswer) -> list[Row]:
    """Return the segments in which any time was spent, dearest first."""
    spent = [each for each in answer.segments if each.before_ms or each.after_ms]
    return [_segment_row(each) for each in spent]


def listed(
    rows: Sequence[Row], scope: Scope, brush: Brush, range_ns: tuple[int, int], label: str
) -> Component:
    """Return the ranked lines; what chance explains is folded away.

    Args:
        rows: in their order.
        scope: of the page, which the links narrow.
        brush: the box, of which the decisions are listed.
        range_ns: [from, to) of the page.
        label: of the list, for a screen reader.
    """
    widest = max([1e-9, *(max(abs(row.low_ms), abs(row.high_ms)) for row in rows)])
    different = [row for row in rows if row.is_different]
    by_chance = [row for row in rows if not row.is_different]
    first, folded = different[:_OPEN_MAX], [*different[_OPEN_MAX:], *by_chance]

    def items(some: Sequence[Row], name: str) -> Component:
        lines = [_item(row, scope, brush, range_ns, widest) for row in some]
        return html.Ol(lines, className="ranked", **{"aria-label": name})

    parts: list[Component] = [items(first, label)] if first else []
    if folded:
        more = (
            f"{count(len(different) - len(first))} more that differ"
            if len(different) > len(first)
            else ""
        )
        chance = f"{count(len(by_chance))} that chance explains" if by_chance else ""
        cut = f"the first {_ROWS_MAX} of them" if len(folded) > _ROWS_MAX else ""
        words = html.Summary(", ".join(part for part in (more, chance, cut) if part))
        lines = items(folded[:_ROWS_MAX], f"{label}, the others")
        parts.append(html.Details([words, lines], className="twin", open=not different))
    return parts or html.P("Nothing to tell apart: all of them have the same value.")


def failed_line(
    answer: CompareAnswer, other: str, scope: Scope, brush: Brush, range_ns: tuple[int, int]
) -> list[Component]:
    """Return a ranked line for those that failed, none where nothing did on either side.

    Args:
        answer: the comparison.
        other: names what is compared with.
        scope: of the page.
        brush: the box.
        range_ns: [from, to) of the page.
    """
    failures = answer.failures
    if failures is None or not (failures.before or failures.after):
        return []
    usd_per_hour = failures.usd_per_hour
    dollars = UNKNOWN if usd_per_hour is None else f"{signed_usd(usd_per_hour)} / h"
    listing = decisions_scope(scope, brush, range_ns)
    listing = replace(listing, filters=(*listing.filters, ("failed", "1")))
    shares = (
        f"{share(failures.after, answer.decisions_after)} of the box (n {count(failures.after)}), "
        f"{share(failures.before, answer.decisions_before)} of {other} "
        f"(n {count(failures.before)})"
    )
    chance = "" if failures.is_different else ", which chance explains"
    ends = f"95 %: {failures.low * 100:+.1f} to {failures.high * 100:+.1f} points"
    line = html.Li(
        [
            html.Div(
                [html.Span("failed", className="ranked-name"), html.Span(shares, className="note")],
                className="ranked-what",
            ),
            html.Div(
                [
                    html.Div(html.B(dollars)),
                    html.Span(f"{ends} · q {_q(failures.q)}{chance}", className="note"),
                ],
                className="ranked-amount",
            ),
            html.Div(
                dcc.Link("Decisions", href=f"/decisions{format_scope(listing)}",
                         title="List the decisions of the box that failed"),
                className="ranked-links",
            ),
        ],
        className="ranked-more" if failures.after else "ranked-less",
    )  # fmt: skip
    return [html.Ol([line], className="ranked", **{"aria-label": "Failures"})]


def narrowed(scope: Scope, dimension: str, value: str) -> Scope:
    """Return a scope with one more filter, or another value of it."""
    others = tuple(each for each in scope.filters if each[0] != dimension)
    if dimension == "action":
        return replace(scope, action=value, filters=others)
    if dimension == "region":
        return replace(scope, region=value, filters=others)
    return replace(scope, filters=(*others, (dimension, value)))


def decisions_scope(scope: Scope, brush: Brush, range_ns: tuple[int, int]) -> Scope:
    """Return the scope of the list of the decisions in the box."""
    from_ns = range_ns[0] if brush.from_ns is None else brush.from_ns
    to_ns = range_ns[1] if brush.to_ns is None else brush.to_ns
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


def _item(
    row: Row, scope: Scope, brush: Brush, range_ns: tuple[int, int], widest: float
) -> Component:
    dollars = UNKNOWN if row.usd_per_hour is None else f"{signed_usd(row.usd_per_hour)} / h"
    of_failures = ""
    if row.failed_usd_per_hour:
        of_failures = f", {signed_usd(row.failed_usd_per_hour)} of it by failures"
    ends = f"95 %: {_ms(row.low_ms)} to {_ms(row.high_ms)}"
    chance = f"q {_q(row.q)}"
    links: list[Component] = []
    if row.value:
        filtered = format_scope(narrowed(scope, row.dimension, row.value))
        listing = format_scope(
            narrowed(decisions_scope(scope, brush, range_ns), row.dimension, row.value)
        )
        links = [
            dcc.Link("Only these", href=f"/explore{filtered}",
                     title=f"Narrow the page to {row.title}"),
            dcc.Link("Decisions", href=f"/decisions{listing}",
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
                    html.Div([html.B(dollars), f"{of_failures} · {_ms(row.ms)}"]),
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
    low, high, middle = (50 + each / widest * 50 for each in (row.low_ms, row.high_ms, row.ms))
    return html.Div(
        [
            html.Span(className="ranked-zero"),
            html.Span(
                className="interval-range",
                style={"left": f"{low:.1f}%", "width": f"{high - low:.1f}%"},
            ),
            html.Span(className="interval-at", style={"left": f"{middle:.1f}%"}),
        ],
        className="interval",
        role="img",
        **{"aria-label": ends},
    )


def _value_row(difference: ValueDifference, answer: CompareAnswer, other: str) -> Row:
    inside = percent(difference.decisions_after / max(answer.decisions_after, 1))
    outside = percent(difference.decisions_before / max(answer.decisions_before, 1))
    failed = ""
    if difference.failed_before or difference.failed_after:
        usual = share(difference.failed_before, difference.decisions_before)
        now = share(difference.failed_after, difference.decisions_after)
        failed = f"; {now} failed, {usual} of {other} (q {_q(difference.failed_q)})"
    return Row(
        difference.dimension,
        difference.value,
        f"{difference.dimension} {difference.value or '(empty)'}",
        difference.excess_ms,
        difference.low_ms,
        difference.high_ms,
        difference.usd_per_hour,
        difference.q,
        difference.is_different,
        f"{inside} of the box (n {count(difference.decisions_after)}), {outside} of {other} "
        f"(n {count(difference.decisions_before)}){failed}",
        difference.failed_usd_per_hour,
    )


def _segment_row(difference: SegmentDifference) -> Row:
    return Row(
        "segment",
        difference.segment,
        difference.segment,
        difference.change_ms,
        difference.low_ms,
        difference.high_ms,
        difference.usd_per_hour,
        difference.q,
        difference.is_different,
        f"{difference.before_ms:,.1f} → {difference.after_ms:,.1f} ms a decision",
    )


def _q(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else "< 0.001"


def _ms(value: float) -> str:
    return signed_ms(value * NS_PER_MS)
