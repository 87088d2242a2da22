"""Pure: the pickers of time, action and region in a page's head, and how old what it shows is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from collector.core.clock import Clock
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from dashboard.pages.context import in_browser
from dashboard.pages.parts import choices, picker
from dashboard.pages.scope.chips import chips, way_to_decisions
from dashboard.pages.scope.typed_range import FORMS, typed_range
from dashboard.read.rows import Attributed
from dashboard.read.scope import WINDOWS, Scope, format_scope, parse_scope
from dashboard.units import span_of_time, utc_iso, without_text

# Dash's components are untyped.
Component = Any

# What settles, is stored and is attributed is seconds old; beyond this something does not keep up.
_OLD_NS = 60 * NS_PER_S
_OLD: Final = "old"


def scope_tools(name: str, scope: Scope, *, narrows: bool = True) -> list[Component]:
    """Return a page's pickers of time, action and region; the URL holds what they say.

    Their ids begin with the page's name: a callback of one page must not meet another's pickers.
    Those of action and region are hidden where a page is of all of them.
    """
    return [
        html.Div(
            [
                dmc.SegmentedControl(
                    id=f"{name}-window",
                    data=[{"value": window, "label": window} for window in WINDOWS],
                    value=scope.window,
                    size="xs",
                    **{"aria-label": "Length of the window"},
                ),
                dmc.TextInput(
                    id=f"{name}-range",
                    placeholder="or type a range",
                    size="xs",
                    w=176,
                    # With Enter comes what is in the field then, however fast it was typed.
                    debounce=True,
                    rightSection=_calendar(name),
                    rightSectionPointerEvents="all",
                    attributes={"input": {"title": f"Such as {FORMS}"}},
                    **{"aria-label": f"Range of time, such as {FORMS}"},
                ),
                html.Div(
                    [
                        picker(f"{name}-action", "All actions", [], scope.action),
                        picker(f"{name}-region", "All regions", [], scope.region),
                    ],
                    className="tools",
                    hidden=not narrows,
                ),
                dmc.Switch(
                    id=f"{name}-live",
                    label="Live",
                    checked=scope.until_ns is None,
                    size="sm",
                ),
                html.Span("", id=f"{name}-asof", className=_asof(scope)),
                dcc.Store(id=f"{name}-asof-iso"),
            ],
            className="tools",
        ),
        html.Div(chips(name, scope, {}), id=f"{name}-chips", className="chips"),
    ]


def _calendar(name: str) -> Component:
    """Return a button that opens a calendar, of which two clicks choose days, and the zone."""
    days = dmc.DatePicker(
        id=f"{name}-days", type="range", allowSingleDateInRange=True, weekendDays=[], size="xs"
    )
    # Which zones there are to choose from only the browser knows.
    zone = dmc.SegmentedControl(
        id=f"{name}-zone", data=[], size="xs", fullWidth=True, **{"aria-label": "Time zone"}
    )
    button = html.Button(
        "▾",
        className="calendar",
        title="Days, and the time zone",
        **{"aria-label": "Days, and the time zone", "aria-haspopup": "dialog"},
    )
    return dmc.Popover(
        [
            dmc.PopoverTarget(button, boxWrapperProps={"w": 24}),
            dmc.PopoverDropdown([zone, days], p="xs"),
        ],
        position="bottom-end",
        withRoles=False,  # which it would give to the box around the button
        shadow="md",
        trapFocus=True,
        returnFocus=True,
    )


def register_scope(app: Dash, name: str, tick: str, clock: Clock) -> None:
    """Attach the pickers of a page to its URL, and its dcc.Interval to the switch."""

    def chosen(_submitted: int | None, days: Any, text: str | None, query: str | None) -> Any:  # noqa: ANN401  as Dash takes it
        """Return the query of the typed range, what is wrong with it, and what stays typed."""
        if ctx.triggered_id == f"{name}-days":
            # The first click is of the begin alone.
            text = "..".join(days) if days and all(days) else ""
        if not (text or "").strip():
            return no_update, "", ""
        scope = parse_scope(query)
        try:
            window, until_ns = typed_range(text or "", clock.now_ns(), scope.zone)
        except InputError as error:
            return no_update, str(error), no_update
        scope = replace(scope, window=window, until_ns=until_ns)
        return format_scope(scope), "", ""

    app.callback(
        Output("url", "search", allow_duplicate=True),
        Output(f"{name}-range", "error"),
        Output(f"{name}-range", "value"),
        Input(f"{name}-range", "n_submit"),
        Input(f"{name}-days", "value"),
        State(f"{name}-range", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )(chosen)
    parts = {"window": "value", "action": "value", "region": "value", "live": "checked"}
    controls = [(f"{name}-{part}", prop) for part, prop in parts.items()]
    in_browser(
        app,
        "scope",
        [Output(*control) for control in controls],
        Input("url", "search"),
        *(Input(*control) for control in controls),
        State(f"{name}-asof-iso", "data"),
    )
    zone = f"{name}-zone"
    in_browser(
        app, "zone", [Output(zone, "data"), Output(zone, "value")], Input("url", "search"),
        Input(zone, "value"),
    )  # fmt: skip
    in_browser(app, "pace", Output(tick, "max_intervals"), Input(f"{name}-live", "checked"))


def scope_outputs(name: str) -> tuple[str, ...]:
    """Return what of a page's pickers a reading updates."""
    parts = (
        "action.data",
        "region.data",
        "asof.children",
        "asof.className",
        "asof-iso.data",
        "chips.children",
    )
    return tuple(f"{name}-{part}" for part in parts)


def scope_view(
    name: str,
    scope: Scope,
    actions: Sequence[str],
    regions: Sequence[str],
    to_ns: int,
    attributed: Attributed,
    known: Mapping[str, Sequence[str]] | None = None,
    *,
    is_away: bool = False,
) -> dict[str, object]:
    """Return what the pickers offer, how old what the page shows is, and what it is narrowed to.

    Args:
        to_ns: up to when the page has read.
        attributed: how far that is.
        known: other values that decisions have, by dimension.
        is_away: the store did not answer, so that nobody knows whether it is empty.
    """
    named = {"action": actions, "region": regions, **(known or {})}
    age, mark = _age(scope, to_ns, attributed)
    return {
        f"{name}-action.data": choices("All actions", actions, scope.action),
        f"{name}-region.data": choices("All regions", regions, scope.region),
        f"{name}-asof.children": age,
        f"{name}-asof.className": f"{_asof(scope)} {mark}".rstrip(),
        f"{name}-asof-iso.data": utc_iso(to_ns) + "Z",
        f"{name}-chips.children": [
            *chips(name, scope, named),
            "" if is_away else way_to_decisions(name, scope, to_ns, attributed),
        ],
    }


def _asof(scope: Scope) -> str:
    """Return the class of what says how old data are; of a range it is a sentence."""
    return "note asof" if scope.until_ns is None else "note asof frozen"


def _age(scope: Scope, to_ns: int, attributed: Attributed) -> tuple[str, str]:
    """Return in words how old and how whole the data are, and how that is marked.

    `old` where it is a fault of the service, `quiet` where nothing comes.
    """
    if not attributed.until_ns:
        return "no data yet", ""
    complete_ns, zone = min(attributed.until_ns, to_ns), scope.zone
    behind_ns, from_ns = to_ns - complete_ns, max(0, to_ns - scope.window_ns)
    if missing_ns := attributed.missing_ns(from_ns, to_ns):
        age, _ = _age(scope, to_ns, replace(attributed, put_off=()))
        return age + without_text(missing_ns), _OLD
    if scope.until_ns is not None:
        begin, end = zone.second(from_ns), zone.second(to_ns)
        age = f"{begin} to {end[11:] if begin[:10] == end[:10] else end} {zone.mark(to_ns)}"
        if behind_ns == 0:
            return age, ""
        return f"{age}, complete to {zone.dated(complete_ns, to_ns)}", _OLD
    if attributed.is_silent and behind_ns <= _OLD_NS:  # all is there, and none of it is of now
        return f"no decision since {zone.dated_at(attributed.newest_ns, to_ns)}", "quiet"
    age = f"as of {zone.dated_at(complete_ns, to_ns)}"
    if behind_ns <= _OLD_NS:
        return age, ""
    return f"{age}, {span_of_time(behind_ns)} ago", _OLD
