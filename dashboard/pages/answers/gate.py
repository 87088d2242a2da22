"""Pure: what the funding gate ruled, as cards: how much at least, for how much, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from dash import html

from dashboard.pages.context import GateVerdict
from dashboard.pages.parts import Component
from dashboard.units import percent, shorten, usd, utc_iso

CARDS_MAX: Final = 6
_NAME_MAX: Final = 60
_RESTS: Final = {
    "estimate": "own data",
    "experiment": "an experiment",
    "prior": "assumed rate",
    "observational": "correlation, which proves no cause",
}


def cards(verdicts: Sequence[GateVerdict]) -> Component:
    """Return a card a verdict, the newest first; without one, how to have one made."""
    if not verdicts:
        return html.P(
            "No investment was judged yet: `millworth vram gate FILE` rules on one, by what its "
            "milliseconds bring.",
            className="note",
        )
    return html.Ul([_card(each) for each in verdicts[:CARDS_MAX]], className="gate")


def _card(row: GateVerdict) -> Component:
    verdict, demand = row.document["verdict"], row.document["demand"]
    basis = str(row.document["evidence"]["basis"])
    mark = "note" if basis in ("estimate", "experiment") else "badge"
    head = [
        html.B(shorten(row.option, _NAME_MAX)),
        html.Span(row.ruling, className=f"tag tag-{row.ruling}"),
        html.Span(_RESTS.get(basis, basis), className=mark),
    ]
    of = f"{'signed' if row.signature else 'not signed'} · {row.actor or 'nobody named'} · "
    return html.Li(
        [
            html.Div(head, className="wrong-head"),
            html.Div(_money(row, Decimal(demand["probability"])), className="strong"),
            html.Div(verdict["reason"]),
            html.Div(
                [of, html.Time(f"{utc_iso(row.judged_ns)[:16].replace('T', ' ')} UTC"),
                 f" · millworth vram verdicts {row.sha256[:12]}"],
                className="note",
            ),
        ]
    )  # fmt: skip


def _money(row: GateVerdict, probability: Decimal) -> str:
    """Return the low end of the gain beside the cost; what nobody knows is no zero."""
    if row.gain_low_usd is None or row.cost_usd is None:
        return "What it gains is not known."
    # What is refused is not ruled on: the figures are what the file comes to.
    begin = "By its file it gains" if row.ruling == "refuse" else "Gains"
    surely = f"with {percent(float(probability))} probability"
    return f"{begin} at least {usd(row.gain_low_usd)} {surely}, for {usd(row.cost_usd)}"
