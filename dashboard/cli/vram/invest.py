"""I/O: `millworth vram npv`, `tiers`, `gate` and `verdicts`: investments, judged."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attribution.core.money import currency, digits
from attribution.invest.answers import compare_options
from attribution.invest.file import InvestFile, parse_invest
from attribution.invest.gate import Basis, Evidence, Ruling, digest, document
from attribution.invest.tiers import tier_table
from collector.core.clock import SystemClock
from collector.core.errors import InputError
from dashboard.cli.console import print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption
from dashboard.settings.settings import load
from dashboard.units import exact_digits, utc_iso

if TYPE_CHECKING:  # a command that signs nothing does not wait for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FileArgument = Annotated[Path, typer.Argument(help="Investments in TOML; see docs/use/invest.md.")]
OptionalFile = Annotated[
    Path | None, typer.Argument(help="Investments in TOML; begin with --template.")
]
ReplayOption = Annotated[
    str, typer.Option(help="Decisions that `saves` is replayed on: a number and s, m, h or d.")
]
_TEMPLATE = Path(__file__).parents[1] / "templates" / "invest.toml"


def npv(
    file: OptionalFile = None,
    template: Annotated[
        bool,
        typer.Option(
            "--template",
            help="Instead: print a file of in-house edge, managed edge and hybrid over 3 years.",
        ),
    ] = False,
    window: ReplayOption = "7d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare investments: net present value, payback, tornado, and draws of all inputs.

    A gain is stated in the file, or replayed on your own decisions where the file says what is
    saved. The best comes first. Begin with `millworth vram npv --template > invest.toml`.
    """
    if template:
        sys.stdout.write(_TEMPLATE.read_text())
        return
    if file is None:
        raise InputError("name a file of investments; --template prints one to begin with")
    invest_file = read_invest(file)
    if not invest_file.options:
        raise InputError(f"{file}: no [[options]]; add one")
    comparison = _compared(invest_file, window, until, config, url)
    if as_json:
        print_json(comparison)
        return
    _render_options(Console(highlight=False), comparison)


def tiers(file: FileArgument, as_json: JsonOption = False) -> None:
    """Compare target latencies: what the next millisecond brings and costs, and where to stop."""
    invest_file = read_invest(file)
    try:
        table = tier_table(
            [entry.tier() for entry in invest_file.tiers],
            invest_file.invest.rate,
            invest_file.invest.years,
        )
    except ValueError as error:
        raise InputError(f"{file}: {error}; correct [[tiers]]") from error
    if as_json:
        print_json(dataclasses.asdict(table))
        return
    out = Console(highlight=False)
    money = load(None).settings.attribution.currency  # no service is asked
    steps = Table(box=box.SIMPLE, caption=f"{money} per ms and year")
    for name in ("from ms", "to ms", "revenue", "cost", "pays"):
        steps.add_column(name, justify="right")
    for step in table.steps:
        steps.add_row(
            f"{step.from_ms:g}",
            f"{step.to_ms:g}",
            f"{step.revenue_usd_per_ms:,}",
            f"{step.cost_usd_per_ms:,}",
            "yes" if step.pays else "no",
        )
    print_table(out, steps)
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
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Ask no service: what stated gains come to. Nothing is funded.",
        ),
    ] = False,
    window: ReplayOption = "7d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Rule on one investment, as one JSON object with all that the ruling rests on.

    Funded is what covers its cost the asked number of times at the low end of its gain. A gain
    that rests on the literature, on correlation or on a slope that is not identified is refused.
    The service keeps the verdict; `millworth vram verdicts` lists them. Exit 0: fund, or a
    verdict that verifies. Exit 1: reject, refuse, or one that does not.
    """
    from dashboard.api.provenance import verdict_files

    if new_key is not None:
        public = verdict_files.new_key(new_key)
        sys.stderr.write(f"{new_key}: keep it; give {public} to whoever verifies\n")
        return
    if file is None:
        raise InputError("name a file of investments, or one verdict with --verify")
    if verify:
        verdict = verdict_files.read_verdict(file)
        _verified(str(file), verdict, public_key, [])
    invest_file = read_invest(file)
    signer = None if key is None else verdict_files.read_private_key(key)
    if offline:
        ruled = _ruled_offline(invest_file, option)
        if signer is not None:
            signed = verdict_files.sign(ruled["document"], signer)
            ruled["signature"], ruled["public_key"] = signed
    else:
        ruled = _ruled(invest_file, option, window, until, signer, config, url)
    print_json(ruled)
    raise typer.Exit(0 if ruled["document"]["verdict"]["ruling"] == Ruling.FUND else 1)


def verdicts(
    sha256: Annotated[str, typer.Argument(help="Its name, or the beginning of it.")] = "",
    public_key: Annotated[
        Path | None, typer.Option(help="Key in PEM that it has to be signed by.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay its gain on the stored decisions again too.")
    ] = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the verdicts that were kept; or show one, worked out again from its stored inputs.

    Exit 1 where it does not follow from them, or its signature does not hold.
    """
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        if sha256:
            path = f"/api/v1/vram/verdicts/{sha256}?replay={str(replay).lower()}"
            answer = api.get(path)
        else:
            answer = api.get("/api/v1/vram/verdicts")
    if sha256:
        wrong = answer.pop("faults")
        print_json(answer)
        _verified(answer["sha256"][:12], answer, public_key, wrong, to_stderr=True)
    if as_json:
        print_json(answer)
        return
    out = Console(highlight=False, soft_wrap=True, markup=False)
    for row in answer["verdicts"]:
        figures = (
            "no figure"
            if row["cost_usd"] is None
            else f"gain at least {exact_digits(row['gain_low_usd'])} {currency()} "
            f"for {exact_digits(row['cost_usd'])} {currency()}"
        )
        seal = "signed" if row["is_signed"] else "not signed"
        out.print(
            f"{row['sha256'][:12]}  {utc_iso(row['judged_ns'])}Z  {row['ruling']}  "
            f"{row['option']}: {figures}, {seal}, by {row['actor']}"
        )
    if not answer["verdicts"]:
        out.print("no verdict yet; judge with millworth vram gate")


def read_invest(file: Path) -> InvestFile:
    """Read a file of investments."""
    try:
        return parse_invest(str(file), file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}; name a TOML file") from error


def _compared(
    invest_file: InvestFile, window: str, until: str, config: Path | None, url: str | None
) -> dict[str, Any]:
    """Compare here what is stated; what has to be replayed, where the decisions are."""
    from dashboard.cli.client import ApiClient

    asks = any(entry.saves or _claims(entry.basis) for entry in invest_file.options)
    if url is None and not asks:
        options = []
        for entry in invest_file.options:
            try:
                stated = entry.stated(invest_file.invest.quarters)
            except ValueError as error:
                raise InputError(f"option {error}") from error
            assert stated is not None
            options.append((stated, Evidence(entry.basis, source=entry.source)))
        invest = invest_file.invest
        answer = compare_options(options, invest.rate, invest.years, invest.seed)
        compared: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(answer), default=str))
        return compared
    body = {"file": invest_file.model_dump(mode="json"), "window": window, "until": until}
    with ApiClient.open(load(config).settings, url) as api:
        return api.post("/api/v1/vram/npv", body)


def _ruled(
    invest_file: InvestFile,
    option: str,
    window: str,
    until: str,
    signer: Ed25519PrivateKey | None,
    config: Path | None,
    url: str | None,
) -> dict[str, Any]:
    from dashboard.api.provenance.verdict_files import sign
    from dashboard.cli.client import ApiClient

    body = {
        "file": invest_file.model_dump(mode="json"),
        "option": option,
        "window": window,
        "until": until,
    }
    with ApiClient.open(load(config).settings, url) as api:
        ruled = api.post("/api/v1/vram/gate", body)
        if signer is None:
            return ruled
        signature, public = sign(ruled["document"], signer)
        return api.post(
            f"/api/v1/vram/verdicts/{ruled['sha256']}/signature",
            {"signature": signature, "public_key": public},
        )


def _ruled_offline(invest_file: InvestFile, option: str) -> dict[str, Any]:
    entry = invest_file.chosen(option)
    try:
        stated = entry.stated(invest_file.invest.quarters)
    except ValueError as error:
        raise InputError(f"option {error}") from error
    if stated is None:
        raise InputError(f"option {entry.name!r} is replayed on decisions; leave --offline away")
    evidence = Evidence(entry.basis, source=entry.source)
    if _claims(entry.basis):
        reason = "whether a slope is identified is not known without the service"
        evidence = Evidence(Basis.PRIOR, reason, source=entry.source)
    ruled_at = f"{utc_iso(SystemClock().now_ns())}Z"
    ruled = document(stated, evidence, invest_file.invest.demand(), ruled_at)
    return {"document": ruled, "sha256": digest(ruled), "signature": None, "public_key": None}


def _claims(basis: Basis) -> bool:
    """Return whether the service has to be asked if there is such an estimate."""
    return basis is Basis.ESTIMATE


def _verified(
    name: str,
    verdict: dict[str, Any],
    public_path: Path | None,
    faults: list[str],
    *,
    to_stderr: bool = False,
) -> None:
    """Print what is wrong with a verdict, and end."""
    from dashboard.api.provenance import verdict_files

    # The key beside it says that nothing was changed since somebody signed, and not who that was.
    public = verdict.get("public_key")
    if public_path is not None:
        public = verdict_files.read_public_key(public_path)
    out = sys.stderr if to_stderr else sys.stdout
    lines = list(dict.fromkeys([*faults, *verdict_files.faults(verdict, public)]))
    for line in lines:
        out.write(f"{name}: {line}\n")
    if not lines:
        checked = (
            "and its signature holds"
            if public_path is not None
            else "it is not signed"
            if not verdict["signature"]
            else "its signature was not checked: give --public-key"
            if public is None
            else "its signature is by the key beside it: give --public-key for whose"
        )
        out.write(f"{name}: follows from its inputs, {checked}\n")
    raise typer.Exit(1 if lines else 0)


def _render_options(out: Console, comparison: dict[str, Any]) -> None:
    rate = float(comparison["rate"])
    table = Table(
        box=box.SIMPLE, caption=f"{currency()}, {comparison['years']} years at {rate:.4g} a year"
    )
    table.add_column("option", overflow="fold")
    for name in ("NPV", "5 % to 95 %", "NPV > 0", "best", "payback"):
        table.add_column(name, justify="right")
    for row in comparison["options"]:
        drawn, values = row["draws"], row["values"]
        quarter = values["payback_quarter"]
        table.add_row(
            escape(row["name"]),
            digits(values["npv"]),
            f"{digits(drawn['p5'])} to {digits(drawn['p95'])}",
            f"{drawn['positive_ratio']:.1%}",
            f"{drawn['best_ratio']:.1%}",
            f"quarter {quarter}" if quarter else "never",
        )
    print_table(out, table)
    out.print(
        f"best: share of {comparison['options'][0]['draws']['count']:,} draws; in "
        f"{comparison['nothing_is_best_ratio']:.1%} doing nothing is"
    )
    for row in comparison["options"]:
        out.print(f"\n[bold]{escape(row['name'])}[/bold] rests on {escape(row['basis'])}: "
                  f"{escape(row['told'])}", soft_wrap=True)  # fmt: skip
        for swing in row["tornado"]:
            turns = ", turns its sign" if swing["name"] in row["sign_turns_on"] else ""
            out.print(
                f"  {escape(swing['name'])}: NPV {digits(swing['at_low'])} to "
                f"{digits(swing['at_high'])}{turns}",
                soft_wrap=True,
            )
