"""I/O: `millworth budgets`: what was promised, and what was measured."""

from __future__ import annotations

from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboard.cli.client import asked
from dashboard.cli.console import print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption

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
    answer = asked("/api/v1/budgets", config, url)
    if as_json:
        print_json(answer)
    else:
        _render(Console(highlight=False), answer["budgets"])
    missed = any(each["verdict"] == "missed" for each in answer["budgets"])
    raise typer.Exit(1 if missed else 0)


def _render(out: Console, answer: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("budget", overflow="fold")
    for name in ("", "promised", "measured", "over", "reference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for budget in answer:
        scope = " ".join(budget[key] for key in ("action", "region", "channel") if budget[key])
        segment = "" if budget["segment"] == "all" else budget["segment"]
        for promise in budget["promises"]:
            reference = budget[f"reference_p{promise['quantile'] * 100:.0f}_ms"]
            style = _STYLES.get(promise["verdict"], "yellow")
            table.add_row(
                escape(f"{budget['name']}: {scope} {segment}".rstrip(" :")),
                f"p{promise['quantile'] * 100:.0f}",
                f"{promise['target_ms']:,.1f}",
                _ms(promise["measured_ms"]),
                _share(promise),
                _ms(reference),
                f"[{style}]{promise['verdict']}[/{style}]",
            )
    print_table(out, table)
    for budget in answer[:1]:
        window_s = budget["window_s"]
        out.print(f"ms; decisions of the last {window_s} s; over: share, and its 95 % interval")


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.1f}"


def _share(promise: dict[str, Any]) -> str:
    if promise["over_ratio"] is None:
        return "unknown"
    low, high = promise["over_ratio_low"], promise["over_ratio_high"]
    return f"{promise['over_ratio']:.1%} ({low * 100:.1f} to {high * 100:.1f})"
