"""I/O: `millworth what-if` and `millworth compare`: questions about decisions."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from attribution.core.money import currency, many
from collector.core.errors import InputError, complaint
from collector.core.times import NS_PER_MS, duration_ns, instant_ns
from dashboard.cli.console import plain, print_table
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
from dashboard.units import fitting_digits

_SHARES = ("class", "stage", "segment")
_VALUES_SHOWN = 12

ActionOption = Annotated[str, typer.Option(help="Only this decision.action.")]
RegionOption = Annotated[str, typer.Option(help="Only this decision.region.")]
LowOption = Annotated[
    float, typer.Option(min=0, callback=finite, help="Only decisions that took at least this.")
]
HighOption = Annotated[
    float | None, typer.Option(min=0, callback=finite, help="Only those that took less.")
]


def what_if(
    scale: Annotated[
        list[str] | None,
        typer.Option(help="SEGMENT=FACTOR: store=0.5 halves every call's own time. Repeatable."),
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            help="SEGMENT=TIME: decision/store=10ms takes so much off; see --per. Repeatable."
        ),
    ] = None,
    per: Annotated[
        str, typer.Option(help="What --cut is taken off: each `call`, or each `decision` once.")
    ] = "decision",
    floor: Annotated[
        list[str] | None,
        typer.Option(help="SEGMENT=TIME: a decision spends no more than this there. Repeatable."),
    ] = None,
    shares: Annotated[
        str, typer.Option(help="How the saving is shared out: class, stage or segment.")
    ] = "class",
    window: WindowOption = "15m",
    until: UntilOption = "",
    action: ActionOption = "",
    region: RegionOption = "",
    low_ms: LowOption = 0.0,
    high_ms: HighOption = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Replay a trace file instead: no service, no money."),
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay decisions as if some of their time had been different.

    A SEGMENT is a class (network, compute, store, untraced), a stage (ingress, transform,
    decision, egress), both as decision/store, or all. Time saved beside the critical path saves
    nothing, and the replay knows it. For example:

    millworth what-if --scale store=0.5 --cut egress/network=5ms --window 1h
    """
    changes = _changes(scale or [], cut or [], floor or [], per)
    if shares not in _SHARES:
        raise InputError(f"--shares {shares!r} is none of {', '.join(_SHARES)}")
    body = {
        **_chosen(window, until, action, region, low_ms, high_ms),
        "changes": changes,
        "shares": shares,
    }
    answer = _from_file(file, config, body) if file else _ask("/api/v1/what-if", body, config, url)
    if as_json:
        print_json(answer)
    else:
        _render_what_if(Console(highlight=False), answer)


def compare(
    window: WindowOption = "15m",
    until: UntilOption = "",
    before_window: Annotated[
        str, typer.Option(help="Length of the time compared with; by default as --window.")
    ] = "",
    before_until: Annotated[
        str, typer.Option(help="Its end; by default the begin of the window: before and after.")
    ] = "",
    slow_ms: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Instead: in one window, decisions from here on with the faster.",
        ),
    ] = None,
    action: ActionOption = "",
    region: RegionOption = "",
    versus_region: Annotated[
        str, typer.Option(help="Instead: in one window, --region with this region.")
    ] = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where two populations of decisions differ, the dearest first.

    By default the last 15 minutes and the 15 before. By segment, and by value of action, region,
    channel, cohort and service. One is called different only where that holds after control of
    false discoveries; with few decisions nothing is said. Exit 1 if something differs.
    """
    from collector.core.clock import SystemClock
    from dashboard.read.scope import window_length_ns
    from dashboard.units import utc_iso

    if slow_ms is not None and versus_region:
        raise InputError("--slow-ms and --versus-region each choose both sides; give one of them")
    # One instant for both sides: the end of the first is the begin of the second.
    until_ns = instant_ns(until, "--until") if until else SystemClock().now_ns()
    after = _chosen(window, utc_iso(until_ns) + "Z", action, region, 0.0, None)
    if slow_ms is not None:
        before = {**after, "high_ms": slow_ms}
        after = {**after, "low_ms": slow_ms}
    elif versus_region:
        before = {**after, "region": versus_region}
    else:
        begin = utc_iso(until_ns - window_length_ns(window)) + "Z"
        before = {**after, "window": before_window or window, "until": before_until or begin}
    answer = _ask("/api/v1/compare", {"before": before, "after": after}, config, url)
    if as_json:
        print_json(answer)
    else:
        _render_compare(Console(highlight=False), answer)
    raise typer.Exit(1 if answer["verdict"] == "different" else 0)


def _chosen(
    window: str, until: str, action: str, region: str, low_ms: float, high_ms: float | None
) -> dict[str, Any]:
    return {
        "window": window,
        "until": until,
        "action": action,
        "region": region,
        "low_ms": low_ms,
        "high_ms": high_ms,
    }


def _changes(scale: list[str], cut: list[str], floor: list[str], per: str) -> list[dict[str, Any]]:
    if per not in ("call", "decision"):
        raise InputError(f"--per {per!r} is neither call nor decision")
    changes: list[dict[str, Any]] = []
    for text in scale:
        segment, value = _named("--scale", text)
        changes.append({"segment": segment, "scale": _factor(text, value)})
    for text in cut:
        segment, value = _named("--cut", text)
        changes.append(
            {"segment": segment, f"cut_ms_per_{per}": milliseconds("--cut", text, value)}
        )
    for text in floor:
        segment, value = _named("--floor", text)
        changes.append({"segment": segment, "floor_ms": milliseconds("--floor", text, value)})
    if not changes:
        raise InputError("nothing is changed; give --scale store=0.5, --cut store=10ms or --floor")
    return changes


def _named(option: str, text: str) -> tuple[str, str]:
    segment, equals, value = text.partition("=")
    if not equals or not segment or not value:
        raise InputError(f"{option} {text!r} is not SEGMENT=VALUE, such as store=0.5")
    return segment, value


def _factor(text: str, value: str) -> float:
    with suppress(ValueError):
        if 0 <= (factor := float(value)) < math.inf:
            return factor
    raise InputError(f"--scale {text!r}: {value} is not a factor; give 0 or more, such as 0.5")


def milliseconds(option: str, text: str, value: str) -> float:
    """Return a time such as 10ms; a bare number would leave its unit to a guess."""
    return duration_ns(value, f"{option} {text!r}:", ("us", "ms", "s")) / NS_PER_MS


def _ask(path: str, body: dict[str, Any], config: Path | None, url: str | None) -> dict[str, Any]:
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        return api.post(path, body)


def _from_file(file: Path, config: Path | None, body: dict[str, Any]) -> dict[str, Any]:
    """Replay every decision of a trace file. What they are worth is not in it."""
    import dataclasses

    from pydantic import ValidationError

    from attribution.whatif.analyst import replay_alone
    from dashboard.api.vram.questions import WhatIfRequest
    from dashboard.cli.files.trace_file import split_trace_file

    try:
        request = WhatIfRequest(**body)
    except ValidationError as error:
        fault = error.errors()[0]
        location = ".".join(str(each) for each in fault["loc"])
        raise InputError(f"{location}: {fault['input']!r} {complaint(fault)}") from error
    if request != WhatIfRequest(changes=request.changes, shares=request.shares):
        raise InputError("--file replays every decision of the file; leave the other filters away")
    split = split_trace_file(file, load(config).settings)
    if split.refused.count:
        sys.stderr.write(
            f"{file}: spans not used: {split.refused.count}; see millworth attribute\n"
        )
    changes = [each.change() for each in request.changes]
    return dataclasses.asdict(replay_alone(split.done, changes, request.shares))


def _render_what_if(out: Console, answer: dict[str, Any]) -> None:
    if not answer["replayed"]:
        out.print("no decisions in this window")
        return
    for change in answer["changes"]:
        out.print(change)
    out.print(f"decisions: {answer['decisions']}, replayed: {answer['replayed']}")
    latencies = Table(box=box.SIMPLE)
    for name in ("ms", "mean", "p50", "p95", "p99"):
        latencies.add_column(name, justify="left" if name == "ms" else "right")
    for name in ("before", "after"):
        each = answer[name]
        latencies.add_row(
            name, *(f"{each[f'{key}_ms']:,.3f}" for key in ("mean", "p50", "p95", "p99"))
        )
    print_table(out, latencies)
    parts = Table(box=box.SIMPLE, caption=f"shares over {answer['shares_method']}")
    for name in ("saved by", "ms a decision", currency()):
        parts.add_column(name, justify="left" if name == "saved by" else "right")
    for share in answer["shares"]:
        saved = f"{share['saved_ms_mean']:,.3f}"
        parts.add_row(share["part"], saved, fitting_digits(share["usd"]))
    print_table(out, parts)
    money = answer["money"]
    if money is None:
        out.print(f"{many()}: unknown, no decision of this window has a known value")
        return
    out.print(
        f"{many()} in this window: {fitting_digits(money['usd'])} "
        f"({fitting_digits(money['low_usd'])} to {fitting_digits(money['high_usd'])}), "
        f"{fitting_digits(money['usd_per_hour'])} an hour; "
        f"value by {', '.join(money['bases'])}; "
        f"{money['slope']}"
    )
    if money["unvalued"]:
        out.print(f"decisions of unknown value, in no amount: {money['unvalued']}")
    for warning in answer["warnings"]:
        out.print(plain(warning))


def _render_compare(out: Console, answer: dict[str, Any]) -> None:
    out.print(
        f"{answer['verdict']}; decisions before: {answer['decisions_before']}, "
        f"after: {answer['decisions_after']}"
    )
    if answer["before"] is None or answer["after"] is None:
        return
    table = Table(
        box=box.SIMPLE,
        caption=f"mean {answer['before']['mean_ms']:,.3f} -> {answer['after']['mean_ms']:,.3f} ms; "
        f"of {answer['change_ms']:+,.3f} ms, {answer['mix_ms']:+,.3f} by the mix of actions "
        "and regions; another mix of channels or cohorts is in the segments",
    )
    # On a narrow terminal the interval is broken, and never the name.
    table.add_column("segment", min_width=max(len(each["segment"]) for each in answer["segments"]))
    for name in ("before ms", "after ms", "change ms", "95 %", "q", f"{currency()}/h"):
        table.add_column(name, justify="right", min_width=0 if name == "95 %" else 9)
    for each in answer["segments"]:
        if not each["before_ms"] and not each["after_ms"]:
            continue
        table.add_row(
            each["segment"],
            f"{each['before_ms']:,.3f}",
            f"{each['after_ms']:,.3f}",
            f"{each['change_ms']:+,.3f}",
            f"{each['low_ms']:+,.3f} to {each['high_ms']:+,.3f}",
            f"{each['q']:.2g}{' *' if each['is_different'] else ''}",
            fitting_digits(each["usd_per_hour"]),
        )
    print_table(out, table)
    if answer["values"]:
        print_table(out, _values_table(answer["values"]))
    for line in _lost_lines(answer):
        out.print(line)
    out.print(f"* different; {many()} rest on: {answer['slope']}")
    if answer["uncompared"]:
        out.print(f"of an action and region that was not there before: {answer['uncompared']}")


def _lost_lines(found: dict[str, Any]) -> list[str]:
    """Return what both sides lost, the second beyond the first, and what of it is failures."""
    lost = ", ".join(
        f"{name} {fitting_digits(found[f'lost_{name}']['usd'])} "
        f"(by failures {fitting_digits(found[f'lost_{name}']['failed_usd'])}, "
        f"late or failed and of unknown value: {found[f'lost_{name}']['unknown']})"
        for name in ("before", "after")
    )
    failures = found["failures"]
    shares = [failures[name] / found[f"decisions_{name}"] * 100 for name in ("before", "after")]
    ends = f"95 % {failures['low'] * 100:+.1f} to {failures['high'] * 100:+.1f} points"
    return [
        f"{currency()} lost: {lost}",
        f"{currency()}/h lost by those after, beyond as many of those before: "
        f"{fitting_digits(found['usd_per_hour'])}, by failures "
        f"{fitting_digits(failures['usd_per_hour'])}",
        f"failed: {shares[0]:.1f} % -> {shares[1]:.1f} %, {ends}, q {failures['q']:.2g}"
        f"{' *' if failures['is_different'] else ''}",
    ]


def _values_table(values: list[dict[str, Any]]) -> Table:
    """Return what each value carries beyond its share, the dearest; the rest is in --json."""
    table = Table(
        box=box.SIMPLE,
        caption="beyond its share of the decisions before, of time and of what was lost by "
        "failures and lateness; those of a dimension sum to 0",
    )
    dearest = values[:_VALUES_SHOWN]
    names = [f"{each['dimension']} {each['value'] or '(empty)'}" for each in dearest]
    table.add_column("value", min_width=max(map(len, names)))
    # Where nothing failed it takes no room.
    has_failed = any(each["failed_before"] or each["failed_after"] for each in values)
    failing = ("failed", "q failed", "by failures") if has_failed else ()
    for name in ("n before", "n after", "carries ms", "95 %", "q", f"{currency()}/h", *failing):
        table.add_column(name, justify="right")
    for name, each in zip(names, dearest, strict=True):
        failed = (
            f"{each['failed_before']:,} -> {each['failed_after']:,}",
            _q(each["failed_q"], is_different=each["is_different"]),
            fitting_digits(each["failed_usd_per_hour"]),
        )
        table.add_row(
            name,
            f"{each['decisions_before']:,}",
            f"{each['decisions_after']:,}",
            f"{each['excess_ms']:+,.3f}",
            f"{each['low_ms']:+,.3f} to {each['high_ms']:+,.3f}",
            _q(each["q"], is_different=each["is_different"]),
            fitting_digits(each["usd_per_hour"]),
            *(failed if has_failed else ()),
        )
    return table


def _q(q: float, *, is_different: bool) -> str:
    """Return a share of false discoveries, marked where it is believed."""
    from attribution.whatif.compare import FALSE_DISCOVERIES_MAX

    return f"{q:.2g}{' *' if is_different and q <= FALSE_DISCOVERIES_MAX else ''}"
