"""I/O: the sentence of a page that answers one question, and the states of what it rests on.

A reading has five: it loads, it found nothing and says what to do next, it is partial, it failed
and what is shown is of an instant before, or it is whole. How old data are stands beside the scope,
as on every page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from dash import Dash, Input, State, dcc, html, no_update

from collector.core.errors import InputError, MillworthError
from collector.core.log import get_logger
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component
from dashboard.read.adhoc.sql import engine_error
from dashboard.units import utc_clock

_TEXT_MAX: Final = 300
SAID: Final = "-said.children"  # the output that is the sentence of a page
_log = get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class Found:
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
    read: Callable[..., Found],
    *,
    tick: str = "",
    is_long: bool = False,
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
    """

    def attempt(*values: Any) -> dict[str, object]:  # noqa: ANN401  what the browser sent
        *asked, _retries, kept = values
        try:
            found = read(*asked)
        except InputError as error:
            return dict.fromkeys(outputs, no_update) | _refused(key, error)
        except (MillworthError, ClickHouseError) as error:
            return _kept(outputs, is_first=not kept) | _failed(key, error, kept)
        return {**found.shown, **_read(key, found.partial, context.clock.now_ns())}

    context.reading(
        app,
        (*outputs, *state_outputs(key)),
        [*inputs, Input(f"{key}-retry", "n_clicks"), State(f"{key}-kept", "data")],
        attempt,
        tick=tick,
        is_long=is_long,
    )


def _kept(outputs: Sequence[str], *, is_first: bool) -> dict[str, object]:
    """Return what is shown already; before anything is, the sentence says that there is none."""
    none = {each: "Not known yet." for each in outputs if is_first and each.endswith(SAID)}
    return dict.fromkeys(outputs, no_update) | none


def _states(key: str, *values: object) -> dict[str, object]:
    return dict(zip(state_outputs(key), values, strict=True))


def _read(key: str, partial: str, now_ns: int) -> dict[str, object]:
    said = f"Partial: {partial}" if partial else ""
    return _states(key, said, "partial" if partial else "", True, utc_clock(now_ns))


def _refused(key: str, error: InputError) -> dict[str, object]:
    """Return the state after an address that asks for what there is not: no retry mends that."""
    return _states(key, f"Not shown: {str(error)[:_TEXT_MAX]}", "failed", True, no_update)


def _failed(key: str, error: Exception, kept: object) -> dict[str, object]:
    mark = secrets.token_hex(4)
    said = engine_error(error) if isinstance(error, ClickHouseError) else str(error)
    said = said.splitlines()[0][:_TEXT_MAX]
    _log.error("panel_read_failed", panel=key, question=mark, error=said)
    old = f"What is shown is of {kept} UTC." if isinstance(kept, str) else "Nothing is shown yet."
    text = f"Could not be read: {said}. {old} (question {mark} in the log)"
    return _states(key, text, "failed", False, no_update)
