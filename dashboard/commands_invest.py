"""I/O: `millworth vram npv`, `tiers` and `gate`: investments from a file, judged."""

from __future__ import annotations

import dataclasses
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attribution.gate import Basis, Evidence, Ruling, document
from attribution.invest import Option, Range, draws, present_values, tornado
from attribution.invest_file import InvestFile, OptionEntry, parse_invest
from attribution.tiers import tier_table
from attribution.vram import SECONDS_A_YEAR
from collector.clock import SystemClock
from collector.errors import InputError
from dashboard.commands_questions import milliseconds
from dashboard.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings import load
from dashboard.text import utc_iso

_HOURS_A_QUARTER = Decimal(SECONDS_A_YEAR) / 3600 / 4

FileArgument = Annotated[Path, typer.Argument(help="Investments in TOML; see docs/invest.md.")]
ReplayOption = Annotated[
    str, typer.Option(help="Decisions that `saves` is replayed on: a number and s, m, h or d.")
]


def npv(
    file: FileArgument,
    window: ReplayOption = "24h",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare investments: net present value, payback, tornado, and draws of all inputs.

    A gain is stated in the file, or replayed on your own decisions where the file says what is
    saved. The best comes first.
    """
    told = _read(file)
    rows = []
    for entry in told.options:
        option, evidence = _option(entry, told, window, config, url)
        rate = told.invest.rate
        rows.append(
            {
                "name": option.name,
                "basis": str(evidence.basis),
                **dataclasses.asdict(present_values(option, rate)),
                "tornado": [
                    {**dataclasses.asdict(swing), "width": swing.width}
                    for swing in tornado(option, rate)
                ],
                "draws": dataclasses.asdict(draws(option, rate, seed=told.invest.seed)),
            }
        )
    if not rows:
        raise InputError(f"{file}: no [[options]]; add one")
    rows.sort(key=lambda row: -row["npv"])
    if as_json:
        _print_json({"rate": told.invest.rate, "years": told.invest.years, "options": rows})
        return
    out = Console(highlight=False)
    table = Table(
        box=box.SIMPLE, caption=f"USD, {told.invest.years} years at {told.invest.rate:%} a year"
    )
    table.add_column("option", no_wrap=True)
    for name in ("NPV", "5 % to 95 %", "P(NPV > 0)", "payback quarter", "widest input", "basis"):
        table.add_column(name, justify="right")
    for row in rows:
        drawn, widest = row["draws"], row["tornado"][0]
        table.add_row(
            escape(row["name"]),
            f"{row['npv']:,}",
            f"{drawn['p5']:,} to {drawn['p95']:,}",
            f"{drawn['positive_ratio']:.1%}",
            str(row["payback_quarter"] or "never"),
            f"{widest['name']}, {widest['width']:,}",
            row["basis"],
        )
    out.print(table)


def tiers(file: FileArgument, as_json: JsonOption = False) -> None:
    """Compare target latencies: what the next millisecond brings and costs, and where to stop."""
    told = _read(file)
    try:
        table = tier_table(
            [entry.tier() for entry in told.tiers], told.invest.rate, told.invest.years
        )
    except ValueError as error:
        raise InputError(f"{file}: {error}; correct [[tiers]]") from error
    if as_json:
        _print_json(dataclasses.asdict(table))
        return
    out = Console(highlight=False)
    shown = Table(box=box.SIMPLE, caption="USD per ms and year")
    for name in ("from ms", "to ms", "revenue", "cost", "pays"):
        shown.add_column(name, justify="right")
    for step in table.steps:
        shown.add_row(
            f"{step.from_ms:g}",
            f"{step.to_ms:g}",
            f"{step.revenue_usd_per_ms:,}",
            f"{step.cost_usd_per_ms:,}",
            "yes" if step.pays else "no",
        )
    out.print(shown)
    stop = "none: the first step does not pay" if table.stop_ms is None else f"{table.stop_ms:g} ms"
    out.print(f"go as far as: {stop}")


def gate(
    file: Annotated[
        Path | None, typer.Argument(help="Investments in TOML; with --verify a verdict.")
    ] = None,
    option: Annotated[str, typer.Option(help="Name of the option; by default the only one.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="Ed25519 private key in PEM, to sign the verdict.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Instead: write a new key there, and KEY.pub beside it.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Instead: work a verdict out again, check its seal.")
    ] = False,
    public_key: Annotated[
        Path | None, typer.Option(help="With --verify: the public key in PEM.")
    ] = None,
    window: ReplayOption = "24h",
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Rule on one investment, as one JSON object with all that the ruling rests on.

    Funded is what covers its cost the asked number of times at the low end of its gain. A gain
    that rests on the literature, on correlation or on a slope that is not identified is refused.
    Exit 0: fund, or a verdict that verifies. Exit 1: reject, refuse, or one that does not.
    """
    from dashboard import verdict_files

    if new_key is not None:
        public = verdict_files.new_key(new_key)
        sys.stderr.write(f"{new_key}: keep it; give {public} to whoever verifies\n")
        return
    if file is None:
        raise InputError("name a file of investments, or one verdict with --verify")
    if verify:
        wrong = verdict_files.verify(file, public_key)
        for line in wrong:
            sys.stdout.write(f"{file}: {line}\n")
        if not wrong:
            checked = "and its signature holds" if public_key else "its signature was not checked"
            sys.stdout.write(f"{file}: follows from its inputs, {checked}\n")
        raise typer.Exit(1 if wrong else 0)
    told = _read(file)
    entry = _chosen(told, option, file)
    judged, evidence = _option(entry, told, window, config, url)
    at = f"{utc_iso(SystemClock().now_ns())}Z"
    verdict = document(judged, evidence, told.invest.demand(), at)
    _print_json(verdict_files.signed(verdict, key))
    raise typer.Exit(0 if verdict["verdict"]["ruling"] == Ruling.FUND else 1)


def _read(file: Path) -> InvestFile:
    try:
        return parse_invest(str(file), file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}; name a TOML file") from error


def _chosen(told: InvestFile, name: str, file: Path) -> OptionEntry:
    found = [entry for entry in told.options if name in ("", entry.name)]
    if len(found) != 1:
        names = ", ".join(entry.name for entry in told.options) or "none"
        raise InputError(f"{file}: --option {name!r} names no single option; options: {names}")
    return found[0]


def _option(
    entry: OptionEntry, told: InvestFile, window: str, config: Path | None, url: str | None
) -> tuple[Option, Evidence]:
    """Return an option and what its gain rests on; what is saved is replayed by the service."""
    quarters = told.invest.years * 4
    stated = entry.stated_gain()
    if stated is not None:
        return _checked(entry, quarters, stated), Evidence(entry.basis)
    gain, evidence = _replayed(entry, window, config, url)
    return _checked(entry, quarters, gain), evidence


def _checked(entry: OptionEntry, quarters: int, gain: Range) -> Option:
    try:
        return entry.option(quarters, gain)
    except ValueError as error:
        raise InputError(f"option {error}") from error


def _replayed(
    entry: OptionEntry, window: str, config: Path | None, url: str | None
) -> tuple[Range, Evidence]:
    from dashboard.client import ApiClient

    changes = [
        {"segment": segment, "cut_ms_per_decision": milliseconds("saves", segment, saved)}
        for segment, saved in entry.saves.items()
    ]
    with ApiClient.open(load(config).settings, url) as api:
        found = api.post("/api/v1/what-if", {"window": window, "changes": changes})
    money: dict[str, Any] | None = found["money"]
    if money is None:
        reason = f"no decision of the last {window} has a known value"
        return Range.exactly(Decimal(0)), Evidence(Basis.OBSERVATIONAL, reason)
    usd = Decimal(str(money["usd"]))
    per_hour = Decimal(str(money["usd_per_hour"]))
    scale = per_hour * _HOURS_A_QUARTER / usd if usd else Decimal(0)
    low, high = (Decimal(str(money[name])) * scale for name in ("low_usd", "high_usd"))
    gain = Range(min(low, usd * scale), usd * scale, max(high, usd * scale))
    version = money["slope_version"]
    basis = Basis.PRIOR if version is None else Basis.ESTIMATE
    return gain, Evidence(basis, model_version=version)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
