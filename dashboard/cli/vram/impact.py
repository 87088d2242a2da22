"""I/O: `millworth vram modes` and `caches`: what degraded modes and cache misses go with."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from dashboard.cli.json_output import print_json
from dashboard.cli.options import (
    ConfigOption,
    JsonOption,
    UntilOption,
    UrlOption,
    WindowOption,
    finite,
)
from dashboard.settings.settings import load
from dashboard.units import fitting_digits, utc_iso


def modes(
    window: WindowOption = "24h",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what degraded decisions took and earned, beside normal ones of the same hour and kind.

    Each decision whose decision.mode is not normal is compared with the normal ones of its hour,
    action, region and channel; those without such a twin are counted apart. It is correlation:
    what made the mode change is not held equal.
    """
    from dashboard.cli.client import ApiClient

    query = urlencode({"window": window, "until": until})
    with ApiClient.open(load(config).settings, url) as api:
        answer = api.get(f"/api/v1/vram/modes?{query}")
    if as_json:
        print_json(answer)
        return
    out = Console(highlight=False, soft_wrap=True, markup=False)
    for mode in answer["modes"]:
        _render_mode(out, answer, mode)
    if not answer["modes"]:
        out.print("no decision in this window")
        return
    out.print(answer["caution"])


def caches(
    window: WindowOption = "24h",
    until: UntilOption = "",
    action: Annotated[str, typer.Option(help="decision.action, empty for all.")] = "",
    region: Annotated[str, typer.Option(help="decision.region, empty for all.")] = "",
    target: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=0.999,
            callback=finite,
            help="Share of decisions without a miss, for the last figure.",
        ),
    ] = 0.92,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how much of the variance of latency, and of its tail, goes with cache misses.

    Calls of a cache say whether they hit by cache.hit; an answer 304 is a hit. The variance is
    split within each action and region. What another hit ratio would give holds only if what
    would hit then is like what hits there now; of an action and region that hardly ever hits
    nothing is known, and it stays as it is.
    """
    from dashboard.cli.client import ApiClient

    query = urlencode(
        {"window": window, "until": until, "action": action, "region": region, "target": target}
    )
    with ApiClient.open(load(config).settings, url) as api:
        answer = api.get(f"/api/v1/vram/caches?{query}")
    if as_json:
        print_json(answer)
        return
    out = Console(highlight=False, soft_wrap=True, markup=False)
    for cache in answer["caches"]:
        _render_cache(out, cache)
    if not answer["caches"]:
        out.print("no lookup says whether it hit; set cache.hit on the spans of your caches")
    if answer["sampled_every"] > 1:
        out.print(f"of one in {answer['sampled_every']} of {answer['decisions']} decisions")


def _render_mode(out: Console, answer: dict[str, Any], mode: dict[str, Any]) -> None:
    name = mode["mode"] or "(no mode said)"
    earned = mode["mean_usd"]
    unit = (
        "sales" if answer["outcome"] == "converted" else f"{answer['currency']} {answer['outcome']}"
    )
    until = utc_iso(answer["outcomes_until_ns"])
    young = f"earnings unknown: no outcome of a decision before {until}Z"
    each = f"{earned:,.4f} {unit} each" if earned is not None else young
    out.print(
        f"{name}: {mode['decisions']} decisions, {mode['failed']} failed, "
        f"{mode['mean_ms']:,.1f} ms, {each}"
    )
    if mode["mode"] == answer["compared_with"]:
        return
    ms, usd = mode["ms"], mode["usd"]
    latency = _interval(ms, "ms") if ms else "an unknown time"
    raw = mode["raw_ms"]
    whatever_hour = f" (whatever the hour: {raw:+,.1f})" if raw is not None else ""
    out.print(f"  {mode['verdict']}; a decision takes {latency} more{whatever_hour}")
    out.print(
        f"  a decision earns {f'{_interval(usd, unit)} more' if usd else 'an unknown amount'}"
    )
    if mode["total_usd"] is not None:
        low, total, high = (
            fitting_digits(mode[f"total_{end}usd"]) for end in ("low_", "", "high_")
        )
        out.print(f"  in all {total} {unit} ({low} to {high}) in this window")
    if mode["uncompared"]:
        out.print(f"  {mode['uncompared']} decisions have no normal twin, and are in no figure")


def _render_cache(out: Console, cache: dict[str, Any]) -> None:
    out.print(
        f"{cache['cache']}: {cache['hit_ratio']:.1%} of {cache['lookups']} lookups hit "
        f"({cache['hit_ratio_low']:.1%} to {cache['hit_ratio_high']:.1%}); "
        f"{cache['decisions_missed']} of {cache['decisions']} decisions missed"
    )
    for title, latencies in (("without a miss", cache["hit"]), ("with one", cache["missed"])):
        if latencies:
            quantiles = ", ".join(f"{q} {latencies[f'{q}_ms']:,.1f}" for q in ("p50", "p95", "p99"))
            out.print(f"  {title}: mean {latencies['mean_ms']:,.1f} ms, {quantiles}")
    if cache["miss_adds_ms"] is None or cache["at_target"] is None:
        out.print(f"  {cache['verdict']}: both need 30 decisions")
        return
    out.print(
        f"  {cache['verdict']}: a miss adds {cache['miss_adds_ms']:,.2f} ms "
        f"({cache['miss_adds_low_ms']:,.2f} to {cache['miss_adds_high_ms']:,.2f}); misses explain "
        f"{cache['explained_ratio']:.1%} of the variance"
    )
    out.print(f"  of the slowest twentieth {cache['tail_missed_ratio']:.1%} missed")
    goal = cache["at_target"]
    out.print(
        f"  if {goal['hit_ratio']:.1%} of decisions had no miss: {goal['variance_ratio']:.2f} "
        f"times the variance, sd {goal['sd_ms']:,.1f} ms (now {cache['sd_ms']:,.1f}), "
        f"p95 {goal['p95_ms']:,.1f}, p99 {goal['p99_ms']:,.1f} ms; as what hits, and what misses, "
        "now in the same action and region"
    )
    if goal["left"]:
        other = "hit" if goal["reached_ratio"] < goal["hit_ratio"] else "miss"
        out.print(
            f"  {goal['left']:,} decisions are of an action and region that hardly ever {other}s: "
            f"what a {other} would take there is unknown, so that they stay as they are, and "
            f"{goal['reached_ratio']:.1%} are reached"
        )


def _interval(change_of: dict[str, float], unit: str) -> str:
    digits = 1 if unit == "ms" else 4
    change, low, high = (f"{change_of[name]:+,.{digits}f}" for name in ("change", "low", "high"))
    return f"{change} {unit} ({low} to {high}, {change_of['compared']} compared)"
