"""I/O: the sentence of a page that answers one question, and the states of what a page reads.

A reading has five: it loads, it found nothing and says what to do next, it is partial, it failed
and what is shown is of an instant before, or it is whole. How old data are stands beside the scope,
as on every page. What never was read does not look as if it were still loading.

What a reading found again is not drawn again: what somebody marks in it, to copy it, stays marked.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from dash import Dash, Input, State, dcc, html, no_update

from collector.core.errors import InputError, MillworthError
from collector.core.log import get_logger
from dashboard.pages.ahead import AHEAD_S
from dashboard.pages.charts.theme import message
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component
from dashboard.read.adhoc.sql import engine_error
from dashboard.units import UNKNOWN, utc_clock

_TEXT_MAX: Final = 300
# How long what one viewer was shown is what the next one is shown; a page reads anew after 5 s.
SHARED_S: Final = 2.0
# ... of what takes seconds to read, and is read anew after minutes.
SHARED_LONG_S: Final = 30.0
_NOT_YET: Final = "Not known yet."
# What stands in place of "it loads" where the first reading failed, by the end of the output.
_UNREAD: Final[Mapping[str, object]] = {
    **dict.fromkeys(("-said.children", "-totals.children"), _NOT_YET),
    **dict.fromkeys((f"-{part}.children" for part in ("cost", "wrong", "wire", "audit")), _NOT_YET),
    "-value.children": UNKNOWN,
    ".rowData": [],
    ".figure": message("Not read yet"),
}
_log = get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found: a value for each of its outputs, and what is missing of it."""

    shown: Mapping[str, object]
    partial: str = ""  # in words; "" where nothing is


def sentence(name: str) -> Component:
    """Return the answer of a page, the largest thing on it, in a space that is kept for it."""
    return html.P("…", id=f"{name}-said", className="answer-said", role="status")


def unbroken(text: str) -> str:
    """Return a sentence in which no line ends between a figure and its unit."""
    return text.replace(" %", "\u00a0%").replace(" ms", "\u00a0ms")


def state(key: str) -> Component:
    """Return where a reading says that it is partial or could not be read, and its button."""
    return html.Div(
        [
            html.Span("", id=f"{key}-state", role="status"),
            html.Button("Try again", id=f"{key}-retry", hidden=True),
            dcc.Store(id=f"{key}-kept"),
        ],
        className="answer-state",
    )


def state_outputs(key: str) -> tuple[str, ...]:
    """Return what of `state` a reading updates."""
    return (
        f"{key}-state.children",
        f"{key}-state.className",
        f"{key}-retry.hidden",
        f"{key}-kept.data",
    )


def answering(
    app: Dash,
    context: PageContext,
    key: str,
    outputs: Sequence[str],
    inputs: Sequence[Input | State],
    read: Callable[..., Reading],
    *,
    tick: str = "",
    is_long: bool = False,
    keep_s: float = 0.0,
    path: str = "",
    unread: Callable[[], Mapping[str, object]] = dict,
) -> None:
    """Attach a reading that says in its own panel what is missing, or why it failed.

    Args:
        app: where to attach.
        context: of the page.
        key: of its `state` in the layout.
        outputs: what is updated, beside those of `state_outputs`, which are not among them.
        inputs: what `read` takes.
        read: a plain function.
        tick: the page's dcc.Interval.
        is_long: in a thread for long questions.
        keep_s: how long what was found is handed out to whoever asks the same, 0 for never; only
            of what does not depend on who asks.
        path: where what the page shows first is read as soon as somebody opens it.
        unread: values of outputs where the first reading failed, for what follows from them.
    """

    question = partial(
        _question, outputs[0], [each.component_property == "n_intervals" for each in inputs]
    )

    def shared(*values: object) -> Reading:
        if not keep_s:
            return read(*values)
        return context.shared.read(question(values), keep_s, partial(read, *values))

    def ahead(*values: object) -> Mapping[str, object]:
        # Until the page reads anew, and in any case until its browser has asked.
        ahead_s = min(AHEAD_S, context.config.refresh_s)
        reading, kept_s = partial(read, *values), max(keep_s, ahead_s)
        return context.shared.read(question(values), kept_s, reading, lasting_s=ahead_s / 2).shown

    def attempt(*values: Any) -> dict[str, object]:  # noqa: ANN401  what the browser sent
        *question_values, _retries, kept = values
        before: dict[str, object] = dict.fromkeys(outputs, no_update)
        if not kept:
            before |= {**_unread(outputs), **unread()}
        try:
            reading = shared(*question_values)
        except InputError as error:
            return before | _refused(key, error, kept)
        except (MillworthError, ClickHouseError) as error:
            return before | _failed(key, error, kept)
        return _read(key, reading, kept, context.clock.now_ns())

    context.reading(
        app,
        (*outputs, *state_outputs(key)),
        [*inputs, Input(f"{key}-retry", "n_clicks"), State(f"{key}-kept", "data")],
        attempt,
        tick=tick,
        is_long=is_long,
    )
    if path:
        names = [f"{each.component_id}.{each.component_property}" for each in inputs]
        context.first.add(path, names, ahead, is_long=is_long)


def _question(output: str, ticks: Sequence[bool], values: Sequence[object]) -> tuple[str, ...]:
    """Return what names a reading: what it shows, and what it is asked but for ticks of a clock."""
    texts = (
        "" if is_tick else json.dumps(value, sort_keys=True)
        for is_tick, value in zip(ticks, values, strict=True)
    )
    return (output, *texts)


def _unread(outputs: Sequence[str]) -> dict[str, object]:
    """Return what is shown before anything was read: no sentence, no figure and no row."""
    return {each: value for each in outputs for end, value in _UNREAD.items() if each.endswith(end)}


def _states(key: str, *values: object) -> dict[str, object]:
    return dict(zip(state_outputs(key), values, strict=True))


def _marks(shown: Mapping[str, object]) -> dict[str, str]:
    """Return a digest of what is drawn as elements, by output; a text alone is cheap to draw."""
    return {
        output: hashlib.blake2b(_drawn(value).encode(), digest_size=8).hexdigest()
        for output, value in shown.items()
        if output.endswith(".children") and not isinstance(value, str)
    }


def _drawn(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=lambda part: part.to_plotly_json())


def _read(key: str, reading: Reading, kept: object, now_ns: int) -> dict[str, object]:
    """Return what was found, but for what is drawn already, and its state."""
    marks = _marks(reading.shown)
    old = kept.get("marks") if isinstance(kept, dict) else None
    drawn = old if isinstance(old, dict) else {}
    undrawn = {each: no_update for each, mark in marks.items() if drawn.get(each) == mark}
    partial_words, fresh = f"Partial: {reading.partial}", {"at": utc_clock(now_ns), "marks": marks}
    if reading.partial:
        return {**reading.shown, **undrawn, **_states(key, partial_words, "partial", True, fresh)}
    return {**reading.shown, **undrawn, **_states(key, "", "", True, fresh)}


def _refused(key: str, error: InputError, kept: object) -> dict[str, object]:
    """Return the state after an address that asks for what there is not: no retry mends that."""
    refusal = f"Not shown: {str(error)[:_TEXT_MAX]}"
    return _states(key, refusal, _failure(kept), True, no_update)


def _failed(key: str, error: Exception, kept: object) -> dict[str, object]:
    mark = secrets.token_hex(4)
    error_text = engine_error(error) if isinstance(error, ClickHouseError) else str(error)
    error_text = error_text.splitlines()[0][:_TEXT_MAX].rstrip(".")
    _log.error("panel_read_failed", panel=key, question=mark, error=error_text)
    read_at = kept.get("at") if isinstance(kept, dict) else None
    old = f"What is shown is of {read_at} UTC." if read_at else "Nothing is shown yet."
    text = f"Could not be read: {error_text}. {old} (question {mark} in the log)"
    return _states(key, text, _failure(kept), False, no_update)


def _failure(kept: object) -> str:
    """Return the class of a failed reading; of one that never was, no table says it is empty."""
    return "failed" if kept else "failed unread"
