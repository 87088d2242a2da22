"""I/O: `millworth budgets`: what was promised, and what was measured."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboard.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings import load

_STYLES = {"met": "green", "missed": "red"}


def budgets(
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every latency budget: what is promised, what was measured, and the reference path's own.

    Budgets are `[[attribution.budgets]]` in millworth.toml. One is missed where the share of
    decisions over its promise is too great beyond chance. Exit 1 if one is missed.
    """
    from dashboard.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = api.get("/api/v1/budgets")
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        _render(Console(highlight=False), found["budgets"])
    missed = any(each["verdict"] == "missed" for each in found["budgets"])
    raise typer.Exit(1 if missed else 0)


def _render(out: Console, found: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE)
    table.add_column("budget", overflow="fold")
    table.add_column("of", overflow="fold")
    for name in ("quantile", "promised ms", "measured ms", "over", "reference ms"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for budget in found:
        scope = " ".join(budget[key] for key in ("action", "region", "channel") if budget[key])
        segment = "" if budget["segment"] == "all" else budget["segment"]
        for promise in budget["promises"]:
            reference = budget[f"reference_p{promise['quantile'] * 100:.0f}_ms"]
            style = _STYLES.get(promise["verdict"], "yellow")
            table.add_row(
                escape(budget["name"]),
                escape(f"{scope} {segment}".strip() or "all decisions"),
                f"{promise['quantile']:g}",
                f"{promise['target_ms']:,.3f}",
                _ms(promise["measured_ms"]),
                _share(promise),
                _ms(reference),
                f"[{style}]{promise['verdict']}[/{style}]",
            )
    out.print(table)
    for budget in found[:1]:
        out.print(
            f"decisions of the last {budget['window_s']} s; over: share, and its 95 % interval"
        )


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.3f}"


def _share(promise: dict[str, Any]) -> str:
    if promise["over_ratio"] is None:
        return "unknown"
    low, high = promise["over_ratio_low"], promise["over_ratio_high"]
    return f"{promise['over_ratio']:.1%} ({low:.1%} to {high:.1%})"
