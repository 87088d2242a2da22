"""Pure: the fields in which a box is typed, and the addresses that hold one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, no_update

from collector.core.errors import InputError
from dashboard.pages.scope.typed_range import FORMS, typed_range
from dashboard.read.decisions.brush import (
    LATENCY_FORMS,
    as_typed,
    format_between,
    format_latency,
    parse_latency,
)
from dashboard.read.scope import Scope, format_scope

Component = Any
FIELDS: Final = ("explore-time", "explore-ms", "explore-against")
_NAMES: Final = ("brush", "brush_ms", "against")  # of the same, in an address


def form(scope: Scope) -> list[Component]:
    """Return the fields, with what the address holds."""
    # As the browser writes them when the address changes.
    values = (
        as_typed(scope.filter("brush"), scope.zone),
        scope.filter("brush_ms"),
        as_typed(scope.filter("against"), scope.zone),
    )  # fmt: skip
    fields = (
        ("explore-time", "Time of the box", "such as 10:00..10:05", 300, FORMS),
        ("explore-ms", "Latency, ms", "as 120..900", 130, LATENCY_FORMS),
        ("explore-against", "Compare with", "the rest, or a range", 300, FORMS),
    )
    return [
        *(
            dmc.TextInput(
                id=name,
                label=label,
                value=value,
                placeholder=hint,
                size="xs",
                w=width,
                # With Enter comes what is in the field then, however fast it was typed.
                debounce=True,
                **{"aria-description": f"such as {forms}"},
            )
            for value, (name, label, hint, width, forms) in zip(values, fields, strict=True)
        ),
        dmc.Button("Compare", id="explore-compare", size="xs"),
        dcc.Link("The late ones", id="explore-late", href=""),
        dcc.Link("Clear", id="explore-clear", href=""),
    ]


def typed_box(
    scope: Scope, fields: tuple[str | None, str | None, str | None], now_ns: int
) -> list[object]:
    """Return the query of a typed box, and what is wrong with each of the three fields."""
    errors: list[object] = ["", "", ""]
    box: dict[str, str] = {}
    for place, (name, text) in enumerate(zip(_NAMES, fields, strict=True)):
        said = (text or "").strip()
        try:
            if name == "brush_ms":
                box[name] = format_latency(*parse_latency(said))
            elif said:
                window, until_ns = typed_range(said, now_ns, scope.zone)
                end_ns = now_ns if until_ns is None else until_ns
                length = replace(scope, window=window).window_ns
                box[name] = format_between(max(0, end_ns - length), end_ns)
        except InputError as error:
            errors[place] = str(error)
    if any(errors):
        return [no_update, *errors]
    return [format_scope(with_box(scope, box, now_ns)), *errors]


def with_box(scope: Scope, box: dict[str, str], now_ns: int) -> Scope:
    """Return a scope with a box; a range that follows the clock would run away under it."""
    cleared = without_box(scope)
    kept = tuple((name, text) for name, text in box.items() if text)
    until_ns = now_ns if cleared.until_ns is None else cleared.until_ns
    return replace(cleared, filters=(*cleared.filters, *kept), until_ns=until_ns)


def without_box(scope: Scope) -> Scope:
    """Return a scope in which nothing is brushed."""
    return replace(scope, filters=tuple(each for each in scope.filters if each[0] not in _NAMES))


def late_query(scope: Scope, target_ms: float, now_ns: int) -> str:
    """Return the query of an address whose box is all that is over its target."""
    box = {"brush_ms": format_latency(target_ms, None)}
    return format_scope(with_box(scope, box, now_ns))
