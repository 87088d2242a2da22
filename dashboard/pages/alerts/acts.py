"""Pure: what people do on the page of an alert, by `/api/v1`: buttons, forms, and their callbacks.

The browser sends each act itself, as any client of `/api/v1` does: the same checks of who may, the
same refusal of other sites, the same row in the audit.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from alerts.people.matchers import NAMES, Matcher
from dashboard.pages.context import in_browser
from dashboard.pages.parts import Component
from dashboard.read.alerts.detail import AlertDetail
from dashboard.read.alerts.wording import after
from dashboard.units import Zone

ACTS: Final = ("ack", "comment", "silence", "unsilence")
_LABELS: Final = {
    "ack": "Acknowledge",
    "comment": "Comment",
    "silence": "Silence",
    "unsilence": "End a silence",
}
ACT_OUTPUTS: Final = (
    *(f"alert-{act}-open.disabled" for act in ACTS),
    "alert-refusal.children",
    "alert-known.data",
    "alert-ack-known.children",
    "alert-unsilence-number.data",
    "alert-export-json.href",
    "alert-export-md.href",
)


def act_parts() -> list[Component]:
    """Return the row of buttons, and the form behind each."""
    buttons = [
        dmc.Button(
            _LABELS[act],
            id=f"alert-{act}-open",
            size="xs",
            variant="filled" if act == "ack" else "default",
            disabled=True,
            **{"aria-describedby": "alert-refusal"},
        )
        for act in ACTS
    ]
    exports = [
        html.A(text, id=f"alert-export-{kind}", href="", download="", className="export")
        for kind, text in (("json", "Export JSON"), ("md", "Export Markdown"))
    ]
    return [
        html.Section(
            [
                *buttons,
                *exports,
                html.Span("", id="alert-refusal", className="note"),
                html.Span("", id="alert-done", className="note", role="status"),
            ],
            className="panel tools alert-acts",
            **{"aria-label": "What to do"},
        ),
        dcc.Store(id="alert-known"),
        dcc.Store(id="alert-acted"),
        _form(
            "ack",
            html.Div("", id="alert-ack-known", className="note"),
            _comment("ack", "Comment, if there is something to say", is_required=False),
            _useful(),
        ),
        _form("comment", _comment("comment")),
        _form("silence", *_silence()),
        _form("unsilence", _number(), _comment("unsilence", "Why it ends")),
    ]


def act_values(
    alert: AlertDetail | None, refusal: str, zone: Zone, now_ns: int
) -> dict[str, object]:
    """Return a value for each of ACT_OUTPUTS.

    Args:
        alert: as it is known; None where there is none, about which nobody can do anything.
        refusal: why whoever looks may do nothing, "" where it may.
        zone: by whose clock.
        now_ns: the time.
    """
    closed = alert is None or bool(refusal)
    ack = alert.ack if alert is not None else None
    # An alert that is over may have left a silence that hides the next one.
    held = alert.lasting if alert is not None else []
    report = f"/api/v1/alerts/{quote(alert.episode_id, safe='')}/report" if alert else ""
    return {
        **{f"alert-{act}-open.disabled": closed for act in ACTS},
        "alert-unsilence-open.disabled": closed or not held,
        "alert-refusal.children": refusal,
        "alert-known.data": _known(alert),
        "alert-ack-known.children": (
            f"{ack.actor} acknowledged this at {zone.dated_at(ack.at_ns, now_ns)}{after(ack.text)}"
            if ack
            else ""
        ),
        "alert-unsilence-number.data": [
            {"value": str(each.id), "label": f"{each.id} of {each.actor}: {each.reason[:60]}"}
            for each in held
        ],
        "alert-export-json.href": report,
        "alert-export-md.href": f"{report}?format=markdown" if report else "",
    }


def register_acts(app: Dash) -> None:
    """Attach the forms; all of it runs in the browser."""
    for act in ACTS:
        more = [Output("alert-silence-matchers", "value")] if act == "silence" else []
        in_browser(
            app,
            "openSilence" if act == "silence" else "openForm",
            [
                Output(f"alert-{act}-form", "opened"),
                Output(f"alert-{act}-said", "children"),
                Output(f"alert-{act}-by", "value"),
                *more,
            ],
            Input(f"alert-{act}-open", "n_clicks"),
            Input("alert-acted", "data"),
            Input("url", "pathname"),  # another alert closes it, before it is drawn itself
            State("alert-known", "data"),
        )
        in_browser(
            app,
            f"{act}Alert",
            [
                Output("alert-acted", "data", allow_duplicate=True),
                Output(f"alert-{act}-said", "children", allow_duplicate=True),
                Output("alert-done", "children", allow_duplicate=True),
                Output(f"alert-{act}-text", "value"),
            ],
            Input(f"alert-{act}-send", "n_clicks"),
            State("alert-known", "data"),
            State(f"alert-{act}-by", "value"),
            State(f"alert-{act}-text", "value"),
            *(State(f"alert-{part}", "value") for part in _MORE.get(act, ())),
            at_once=False,
        )
    in_browser(
        app,
        "previewSilence",
        Output("alert-silence-preview", "children"),
        Input("alert-silence-matchers", "value"),
        Input("alert-silence-form", "opened"),
    )


_MORE: Final = {
    "ack": ("ack-useful",),
    "silence": ("silence-matchers", "silence-duration"),
    "unsilence": ("unsilence-number",),
}


def _known(alert: AlertDetail | None) -> dict[str, Any]:
    """Return what the forms need: the id, and the matchers that name this alert."""
    if alert is None:
        return {"id": "", "matchers": []}
    values = {name: getattr(alert, name, "") for name in NAMES}
    named = ("rule", "action", "region")
    return {
        "id": alert.episode_id,
        "matchers": [str(Matcher(name, "=", values[name])) for name in named if values[name]],
    }


def _name(act: str) -> Component:
    """Return the field that the browser fills with the name that was given last."""
    return dmc.TextInput(
        id=f"alert-{act}-by",
        label="Your name",
        description="For the audit; empty: the token that you logged in with alone",
        maw=420,
        mt="sm",
    )


def _form(act: str, *fields: Component) -> Component:
    return dmc.Modal(
        id=f"alert-{act}-form",
        title=_LABELS[act],
        opened=False,
        size="lg",
        children=[
            *fields,
            _name(act),
            html.Div("", id=f"alert-{act}-said", className="form-error", role="alert"),
            dmc.Button(_LABELS[act], id=f"alert-{act}-send", size="sm", mt="sm"),
        ],
    )


def _comment(act: str, label: str = "Comment", *, is_required: bool = True) -> Component:
    return dmc.Textarea(
        id=f"alert-{act}-text",
        label=label,
        required=is_required,
        autosize=True,
        minRows=2,
        # What has to be written; else the button that closes the form would have the focus.
        **{"data-autofocus": "true"},
    )


def _useful() -> Component:
    choices = [("yes", "Yes"), ("no", "No"), ("later", "Say later")]
    return html.Div(
        [
            html.Div("Was there something to do?", className="note"),
            dmc.SegmentedControl(
                id="alert-ack-useful",
                data=[{"value": value, "label": label} for value, label in choices],
                value="later",
                size="xs",
                **{"aria-label": "Was there something to do?"},
            ),
        ],
        className="field",
    )


def _silence() -> list[Component]:
    return [
        dmc.Textarea(
            id="alert-silence-matchers",
            label="Alerts for which all of these hold",
            description="One a line: NAME=VALUE, != too, =~ and !~ for expressions; "
            + ", ".join(NAMES),
            autosize=True,
            minRows=3,
        ),
        html.Div("", id="alert-silence-preview", className="preview", role="status"),
        dmc.TextInput(id="alert-silence-duration", label="For how long", value="2h", w=160),
        _comment("silence", "Reason"),
    ]


def _number() -> Component:
    return dmc.Select(
        id="alert-unsilence-number",
        label="Silence",
        data=[],
        allowDeselect=False,
        comboboxProps={"withinPortal": True},
    )
