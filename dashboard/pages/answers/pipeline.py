"""Pure: whether the service is well, as the Health page says it: a verdict, boxes, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dash import dcc, html

from collector.core.times import NS_PER_S
from dashboard.health.items import HealthItem, Status
from dashboard.health.pipeline import PUT_OFF
from dashboard.pages.parts import Cell, Component, table
from dashboard.read.rows import Rejected, TableSize
from dashboard.units import UNKNOWN, Zone, count, shorten, size, span_of_time

# In the order of the flow: the stage of `stage.*`, and what a box is called.
STAGES: Final = (
    ("received", "Receive"),
    ("logged", "Log"),
    ("stored", "Store"),
    ("attributed", "Attribute"),
    ("alerted", "Alert"),
)
_LATE: Final = "late"  # beside attributed: what happened long before it was received
_STAGE, _SIGNAL = "stage.", "signal."
_QUIET: Final = "stage.received"
_OURS: Final = "stage.logged"  # is known to who receives alone
_LOST: Final = "lost: "
_AGAIN: Final = "told to come again: "
_DETAIL_MAX: Final = 160
# By the room of a figure: the page that shows what is behind it.
_PAGES: Final = (
    ("budget", "Budgets", "/budgets"),
    ("provenance", "Trust", "/trust"),
    ("sums", "Trust", "/trust"),
    ("audit", "Trust", "/trust"),
    ("clock", "Trust", "/trust"),
    ("packet", "Network", "/network"),
    ("alerts", "Alerts", "/alerts"),
)
# Senders that are silent for longer are said to be.
_SILENT_S: Final = 60.0
# So far behind the stages are at most where all is well; what is further is said.
_PROMPT_S: Final = 10.0
_SIGNALS: Final = (
    ("last_request", "Last request"),
    ("watermark", "Complete up to (event time)"),
    ("queue", "Queue"),
    ("segment_age", "Open log segment"),
    ("unstored_age", "Oldest not stored"),
)


def verdict(items: Sequence[HealthItem]) -> str:
    """Return in a sentence whether all is stored and attributed, or the first thing that is not."""
    stages = stages_of(items)
    put_off = next((each for each in items if each.name == PUT_OFF), None)
    # What was put off is worked off with late data, which may be none of it.
    order = [*(name for name, _ in STAGES), *([] if put_off else [_LATE])]
    quiet = next((each for each in items if each.name == _QUIET and each.status == "warn"), None)
    in_sentence = (put_off, quiet)  # by the sentence itself
    wrong = [each for each in by_urgency(items) if each.status != "ok" and each not in in_sentence]
    known_stages = (stages[name] for name in order if name in stages)
    behind = [each for each in known_stages if each.status != "ok" and each is not quiet]
    if behind:
        first = by_urgency(behind)[0]
        more = len({each.name for each in wrong} - {first.name})
        return f"{_stage_words(first)}{_more(more)}."
    received = stages.get(order[0])
    if received is None or not isinstance(received.value, int | float):
        return f"Nothing was received since the service started{_but(wrong)}."
    age = span_of_time(received.value * NS_PER_S)
    if put_off is not None and isinstance(put_off.value, int | float):
        waits = span_of_time(put_off.value * NS_PER_S)
        return (
            f"{_all_up_to(stages, 'stored')} is stored, the newest data are {age} old; {waits} of "
            f"what came before is still to be attributed{_but(wrong)}."
        )
    if received.value > _SILENT_S:
        return f"All that came is stored and attributed, but nothing came for {age}{_but(wrong)}."
    stored_words = _all_up_to(stages, "stored", "attributed")
    return f"{stored_words} is stored and attributed; the newest data are {age} old{_but(wrong)}."


def _all_up_to(stages: Mapping[str, HealthItem], *names: str) -> str:
    """Return how much has passed these stages: "Everything", or up to when it came."""
    values = (stages[name].value for name in names if name in stages)
    behind_s = max((value for value in values if isinstance(value, int | float)), default=0.0)
    if behind_s <= _PROMPT_S:
        return "Everything"
    return f"What came up to {span_of_time(behind_s * NS_PER_S)} ago"


def stages_of(items: Sequence[HealthItem]) -> dict[str, HealthItem]:
    """Return the figures of the stages by their names."""
    return {item.name.removeprefix(_STAGE): item for item in items if item.name.startswith(_STAGE)}


def boxes(items: Sequence[HealthItem] | None) -> Component:
    """Return the way that data take as connected boxes; None before the first reading."""
    stages = {} if items is None else stages_of(items)
    received = stages.get(STAGES[0][0])
    # Nothing came since the start: the seconds since a job last ran are no delay of anything.
    is_idle = received is not None and not isinstance(received.value, int | float)
    drawn = [
        _box(
            words,
            stages.get(name),
            stages.get(_LATE) if name == "attributed" else None,
            items,
            is_idle=is_idle,
        )
        for name, words in STAGES
    ]
    return html.Ol(drawn, className="flow")


def wrong_list(items: Sequence[HealthItem]) -> Component:
    """Return what is not well, the worst first, each with what to do and the page that shows it."""
    wrong = [item for item in by_urgency(items) if item.status != "ok"]
    if not wrong:
        nothing_words = (
            "Nothing: every figure below is well." if items else "Nothing is known here."
        )
        return html.P(nothing_words, className="note")
    return html.Ul([_wrong_line(item) for item in wrong], className="wrong")


def _wrong_line(item: HealthItem) -> Component:
    room = item.name.partition(".")[0]
    link = [dcc.Link(words, href=href) for prefix, words, href in _PAGES if prefix == room]
    head = [
        html.Span(item.status, className=f"tag tag-{item.status}"),
        html.B(item.name),
        html.Span(value_of(item)),
        *link,
    ]
    return html.Li([html.Div(head, className="wrong-head"), html.Div(item.detail)])


def items_table(
    items: Sequence[HealthItem], cursors: Mapping[str, int], now_ns: int, zone: Zone
) -> Component:
    """Return every figure of the service, the worst first, and how far jobs have read."""
    rows: list[Sequence[str | Cell]] = [
        (tag(item.status), item.name, value_of(item), item.detail)
        for item in by_urgency(items)
        if not item.name.startswith((_STAGE, _SIGNAL))
    ]
    rows += [
        # It stands still while nothing arrives.
        (tag("ok"), f"{job}.cursor", f"{span_of_time(now_ns - at_ns)} ago",
         f"up to date to {zone.second(at_ns)} {zone.mark(at_ns)}")
        for job, at_ns in cursors.items()
    ]  # fmt: skip
    return table(("Status", "Figure", "Value", "What to do"), rows, numeric=(2,))


def signals_table(items: Sequence[HealthItem]) -> Component:
    """Return a row a signal: what came, what waits, and up to when it is final."""
    found: dict[str, dict[str, str]] = {}
    for item in items:
        if item.name.startswith(_SIGNAL):
            _, signal, figure = item.name.split(".", 2)
            found.setdefault(signal, {})[figure] = value_of(item)
    rows = [
        (signal, *(figures.get(name, UNKNOWN) for name, _ in _SIGNALS))
        for signal, figures in found.items()
    ]
    return table(("Signal", *(words for _, words in _SIGNALS)), rows, numeric=range(1, 6))


def rejected_table(rows: Sequence[Rejected], zone: Zone, now_ns: int) -> Component:
    """Return what could not be used, by reason, with the last example."""
    return table(
        ("Reason", "Signal", "Rows", f"Last ({zone.city})", "Last example"),
        [
            (row.reason_code, row.signal, count(row.rows), zone.dated(row.last_ns, now_ns),
             f"{row.item_id}: {row.detail}")
            for row in rows
        ],
        numeric=(2,),
    )  # fmt: skip


def sizes_table(rows: Sequence[TableSize]) -> Component:
    """Return what each table takes, largest first."""
    return table(
        ("Table", "Rows", "On disk", "Parts"),
        [(row.table, count(row.rows), size(row.bytes_on_disk), count(row.parts)) for row in rows],
        numeric=(1, 2, 3),
    )


def by_urgency(items: Sequence[HealthItem]) -> list[HealthItem]:
    """Return the worst first; what is equally well stays in the order of the flow."""
    order = ("bad", "warn", "ok")
    return sorted(items, key=lambda item: order.index(item.status))


def tag(status: Status) -> Cell:
    """Return how a figure is, as a word with its colour."""
    return Cell(status, mark=f"tag tag-{status}")


def value_of(item: HealthItem) -> str:
    """Return the value of a figure with its unit; unknown is written so."""
    if item.value is None:
        return UNKNOWN
    if isinstance(item.value, str):
        return item.value
    if item.unit == "bytes":
        return size(item.value)
    number = f"{item.value:,.1f}" if isinstance(item.value, float) else f"{item.value:,}"
    return f"{number} {item.unit}".strip()


def _box(
    words: str,
    item: HealthItem | None,
    late: HealthItem | None,
    items: Sequence[HealthItem] | None,
    *,
    is_idle: bool,
) -> Component:
    """Return one stage: how far behind it is, what it lost, and how late data stand beside it."""
    if item is None:
        said = "…" if items is None else UNKNOWN
        lines, status = [html.Span(said, className="flow-lag"), html.Span("", className="note")], ""
    else:
        lost = item.detail.partition(_LOST)[2]
        # Where this does not receive, it is another process that counts what is lost.
        is_ours = items is None or any(each.name == _OURS for each in items)
        nothing = "nothing lost" if is_ours else "losses: its own /metrics"
        lines = [
            html.Span(_lag(item, is_idle=is_idle), className="flow-lag"),
            html.Span(f"lost: {lost}" if lost else nothing,
                      className="flow-lost" if lost else "note"),
        ]  # fmt: skip
        # Senders wait meanwhile, though nothing is lost by it.
        waits = (each for each in item.detail.split("; ") if each.startswith(_AGAIN))
        lines += [html.Span(each, className="note") for each in waits]
        status = item.status
    if late is not None:
        lines.append(html.Span(f"late data: {_lag(late, is_idle=is_idle)}", className="note"))
    mark = html.Span(status, className=f"tag tag-{status}") if status else ""
    head = html.Div([html.B(words), mark], className="flow-head")
    return html.Li([head, *lines], className=f"flow-box flow-{status or 'unknown'}")


def _lag(item: HealthItem, *, is_idle: bool = False) -> str:
    is_first = item.name == f"{_STAGE}{STAGES[0][0]}"
    if not isinstance(item.value, int | float):
        return "nothing yet" if is_first else UNKNOWN
    age = span_of_time(item.value * NS_PER_S)
    if is_first:
        return f"{age} ago"
    is_behind = item.value >= 1 and not (is_idle and item.status == "ok")
    return f"{age} behind" if is_behind else "up to date"


def _stage_words(item: HealthItem) -> str:
    """Return what a stage does not manage: `Store is 2.2 min behind: what to do`."""
    name = item.name.removeprefix(_STAGE)
    words = dict(STAGES).get(name, "Attribution of late data")
    # The first of the remedies: all of them stand in the list below.
    detail = "" if item.detail.startswith(_LOST) else item.detail.partition(";")[0]
    detail = shorten(detail, _DETAIL_MAX)
    return f"{words} is {_lag(item)}: {detail}" if detail else f"{words} is {_lag(item)}"


def _but(wrong: Sequence[HealthItem]) -> str:
    """Return what else is not well, as the end of a sentence."""
    if not wrong:
        return ""
    first = wrong[0]
    return f"; look at {first.name}: {value_of(first)}{_more(len(wrong) - 1)}"


def _more(others: int) -> str:
    return f", and {others} more" if others else ""
