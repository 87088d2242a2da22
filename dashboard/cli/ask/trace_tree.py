"""Pure: one trace as text for a terminal: a tree of spans with bars on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from attribution.core.segments import SEGMENTS
from attribution.path.evidence import OUTSIDE_SPAN, PACKETS, TCP_INFO
from dashboard.read.decision.link_wording import (
    burst_line,
    evidence_totals,
    linked_by,
    unseen_part,
)
from dashboard.read.decision.outcome_wording import outcome_words, stated_words
from dashboard.read.decision.revision_wording import revision_line
from dashboard.read.decision.tree import TreeNode, tree_order
from dashboard.read.packet_rows import Burst, SpanFlow, by_exchange
from dashboard.read.rows import Outcome, Revision
from dashboard.units import counted

BAR_WIDTH = 40
BAR_WIDTH_MIN = 10
NAME_WIDTH_MIN = 20
_MISSING_MAX = 5
_FAILED_MAX = 5
_FAILED_ROWS = 3  # of a terminal, for one message
_GAP = "  "
_HEADINGS = ("span", "service", "kind", "start", "duration")
_RIGHT = (3, 4)


def render_trace(
    out: Console, trace: dict[str, Any], decisions: Sequence[dict[str, Any]] = ()
) -> None:
    """Print the answer of `/api/v1/traces/ID`, and of `/api/v1/decisions/ID` for each in it.

    On a terminal a line of the tree stays one line: names are cut where it is too narrow. In a
    pipe nothing is cut, so that it can be searched.
    """
    linked = _linked(trace["trace_id"], decisions)
    spans = [*trace["spans"], *linked]
    first_ns = min(span["start_ns"] for span in spans)
    total_ns = max(span["start_ns"] + span["duration_ns"] for span in spans) - first_ns
    others = f" and {len(linked)} of other traces, linked to it" if linked else ""
    number = counted(len(trace["spans"]), "span")
    out.print(f"trace {trace['trace_id']}: {number}{others}, {_ms(total_ns)}")
    for decision in decisions:
        out.print(_decision_line(decision))
        out.print(_worth_line(decision))
        if decision["attribution"] and (flags := decision["attribution"]["flags"]):
            out.print("flags: " + ", ".join(flags))
        if decision["flows"] or decision["evidence"]:
            out.print(_packets_line(decision))
        if bursts := [Burst(**burst) for burst in decision.get("bursts", ())]:
            out.print("wire: " + burst_line(bursts))
        for line in _missing_lines(decision.get("missing", ())):
            out.print(line)
        names = {span["span_id"]: span["span_name"] for span in decision.get("spans", ())}
        for revision in decision.get("revisions", ()):
            out.print("revision " + _visible(revision_line(Revision(**revision), names)))
    for line in _failed_lines(spans):
        shown = min(cell_len(line), _FAILED_ROWS * out.width) if out.is_terminal else cell_len(line)
        out.print(_fit(line, shown, right=False))
    tree = tree_order(spans, _node)
    rows = [_HEADINGS, *(_cells(depth, span, first_ns) for depth, span in tree)]
    widths = [max(cell_len(row[place]) for row in rows) for place in range(len(_HEADINGS))]
    bar_width = BAR_WIDTH
    if out.is_terminal:
        left = out.width - sum(widths[1:]) - len(_GAP) * len(widths)
        widths[0] = min(widths[0], max(NAME_WIDTH_MIN, left - BAR_WIDTH_MIN))
        bar_width = min(BAR_WIDTH, max(BAR_WIDTH_MIN, left - widths[0]))
    out.print(Text(_line(rows[0], widths).rstrip(), style="bold"))
    for row, (_, span) in zip(rows[1:], tree, strict=True):
        bar = _bar(span, first_ns, max(total_ns, 1), bar_width)
        out.print(Text(_line(row, widths) + _GAP) + bar)


def _decision_line(decision: dict[str, Any]) -> str:
    """Return what one decision was and how its time was spent, the largest parts first."""
    facts, split = decision["facts"], decision["attribution"]
    scope = " ".join(part for part in (facts["action"], facts["region"]) if part)
    line = f"decision {_visible(facts['decision_id'])}: {_visible(scope)}"
    if facts.get("replaced"):  # a service of an earlier release does not say
        line += f", replaced as personal: {_visible(facts['replaced'])}"
    if split is None:
        return line + (", failed" if facts["is_error"] else "") + ", not attributed yet"
    parts = sorted(zip(split["segments_ns"], SEGMENTS, strict=True), reverse=True)
    spent = ", ".join(
        f"{stage}/{latency_class} {_ms(ns)}" for ns, (stage, latency_class) in parts if ns
    )
    failed = "failed after " if facts["is_error"] else ""
    return f"{line}, {failed}{_ms(split['total_ns'])} = {spent or _ms(0)}"


def _worth_line(decision: dict[str, Any]) -> str:
    """Return what the sender of one decision stated that it is worth, and what it earned."""
    value = decision["facts"]["value_usd"]
    outcomes = [
        Outcome(**{**each, **{name: _decimal(each[name]) for name in ("revenue", "margin")}})
        for each in decision["outcomes"]
    ]
    return f"{stated_words(_decimal(value))}; outcome: {_visible(outcome_words(outcomes))}"


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _linked(trace_id: str, decisions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the spans of other traces that decisions of this one have by a link, as it has its."""
    spans = {
        (span["trace_id"], span["span_id"]): {
            **span,
            "name": span["span_name"],
            "kind": span["span_kind"],
            "status": "",
        }
        for decision in decisions
        for span in decision["spans"]
        if span["trace_id"] != trace_id
    }
    return list(spans.values())


def _packets_line(decision: dict[str, Any]) -> str:
    """Return what links packets to one decision, and what they prove of its time."""
    evidence = decision["evidence"]
    flows = [SpanFlow(**flow) for flow in decision["flows"]]
    exchanges = [same[0] for same in by_exchange(flows)]
    links = [(each.method, each.confidence) for each in exchanges]
    line = f"packets: {linked_by(links) if links else 'none are kept'}"
    parts = {
        method: evidence_totals([each for each in evidence if each["method"] == method])
        for method in (PACKETS, TCP_INFO)
    }
    if evidence and decision["attribution"]:  # what is linked is weighed seconds later
        parts[PACKETS] += unseen_part(decision["attribution"]["segments_ns"], evidence)
    by_method = {
        method: ", ".join(f"{name} {_ms(ns)}" for name, ns in told)
        for method, told in parts.items()
    }
    odd = [each for each in evidence if each["finding"] == OUTSIDE_SPAN]
    if by_method[PACKETS]:
        line += f"; of network and store: {by_method[PACKETS]}"
    if by_method[TCP_INFO]:
        line += f"; without packets, by the kernel, at the least: {by_method[TCP_INFO]}"
    if odd:
        apart = max(each["outside_ns"] for each in odd)
        line += f"; {counted(len(odd), 'span')} and packets disagree by {_ms(apart)} at most"
    return line


def _missing_lines(gaps: Sequence[dict[str, Any]]) -> list[str]:
    """Return which spans are not there and why, a line each; of many how many more there are."""
    lines = [
        f"missing: {gap['what']} {gap['span_id']}, {gap['reason']}; {gap['detail']}"
        for gap in gaps[:_MISSING_MAX]
    ]
    if len(gaps) > _MISSING_MAX:
        lines.append(f"missing: {len(gaps) - _MISSING_MAX} more")
    return lines


def _failed_lines(spans: Sequence[dict[str, Any]]) -> list[str]:
    """Return which spans failed and with what message, the earliest first, where they say one."""
    failed = sorted(filter(_is_failed, spans), key=lambda span: span["start_ns"])
    told = [span for span in failed if span.get("status_message")]
    lines = [
        f"failed: {_visible(span['name'])} of {_visible(span['service_name'])}, "
        + _visible(span["status_message"])
        for span in told[:_FAILED_MAX]
    ]
    if len(told) > _FAILED_MAX:
        lines.append(f"failed: {len(told) - _FAILED_MAX} more with a message")
    return lines


def _is_failed(span: dict[str, Any]) -> bool:
    return bool(span["status"] == "Error")


def _cells(depth: int, span: dict[str, Any], first_ns: int) -> tuple[str, ...]:
    return (
        "  " * depth + _visible(span["name"]),
        _visible(span["service_name"]),
        span["kind"] + (", failed" if _is_failed(span) else ""),
        _ms(span["start_ns"] - first_ns),
        _ms(span["duration_ns"]),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(
        _fit(text, width, right=place in _RIGHT)
        for place, (text, width) in enumerate(zip(row, widths, strict=True))
    )


def _fit(text: str, width: int, *, right: bool) -> str:
    missing = width - cell_len(text)
    if missing < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * missing + text if right else text + " " * missing


def _visible(text: str) -> str:
    """Return text whose control characters are spelled out: they would steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _node(span: dict[str, Any]) -> TreeNode:
    return TreeNode(span["span_id"], span["parent_span_id"], span["start_ns"], span["duration_ns"])


def _bar(span: dict[str, Any], first_ns: int, total_ns: int, width: int) -> Text:
    left = min((span["start_ns"] - first_ns) * width // total_ns, width - 1)
    length = max(1, min(round(span["duration_ns"] * width / total_ns), width - left))
    return Text(" " * left + "█" * length, style="red" if _is_failed(span) else "cyan")


def _ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"
