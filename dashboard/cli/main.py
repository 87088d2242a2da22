"""I/O: the commands.

Exit status: 0 done, 1 found something, 2 bad usage or configuration. An error is one line on
standard error that names the thing and the remedy.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.text import Text

from collector.core import log
from collector.core.clock import SystemClock
from dashboard.cli.admin.access import ready, token_app
from dashboard.cli.admin.hold import hold_app
from dashboard.cli.admin.identifiers import identifiers_app
from dashboard.cli.admin.migrate import migrate
from dashboard.cli.admin.recompute import recompute
from dashboard.cli.admin.rejected import rejected_app
from dashboard.cli.commands.attribute import attribute
from dashboard.cli.commands.budgets import budgets
from dashboard.cli.commands.capture import capture
from dashboard.cli.commands.drill import drill
from dashboard.cli.commands.packets import packets
from dashboard.cli.commands.reconcile import import_costs, import_ledger, import_rates, reconcile
from dashboard.cli.commands.roles import alert, collect, serve
from dashboard.cli.commands.up import up
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.cli.run import run
from dashboard.cli.verify.audit import audit
from dashboard.cli.verify.main import verify_app
from dashboard.cli.verify.retention import retention
from dashboard.cli.vram.main import vram_app
from dashboard.cli.vram.questions import compare, what_if
from dashboard.service.stop import StopSignal
from dashboard.settings.settings import Loaded, load

app = typer.Typer(
    name="millworth",
    help="Tells what each millisecond of a commercial decision is worth.",
    epilog="Exit status: 0 done, 1 found something, 2 bad usage or configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
)
config_app = typer.Typer(help="Check the settings, or print them.", no_args_is_help=True)
import_app = typer.Typer(help="Import outcomes from files.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(import_app, name="import")
app.add_typer(verify_app, name="verify")
app.add_typer(vram_app, name="vram")
app.add_typer(hold_app, name="hold")
verify_app.command("retention")(retention)
verify_app.command("audit")(audit)
app.add_typer(rejected_app, name="rejected")
app.add_typer(identifiers_app, name="identifiers")
app.add_typer(token_app, name="token")
app.command()(ready)
app.command()(migrate)
app.command()(attribute)
app.command()(collect)
app.command()(alert)
app.command()(serve)
app.command()(up)
app.command()(capture)
app.command()(packets)
app.command()(drill)
app.command("what-if")(what_if)
app.command()(compare)
app.command()(budgets)
app.command()(recompute)
app.command()(reconcile)
import_app.command("rates")(import_rates)
import_app.command("ledger")(import_ledger)
import_app.command("costs")(import_costs)

# Names of spans and cells of files may hold anything, square brackets too.
out = Console(highlight=False, soft_wrap=True, markup=False)


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"millworth {version('millworth')}")
        raise typer.Exit


@app.callback()
def _millworth(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", help="End by itself so long after it is ready, e.g. 60s or 5m, and sum up."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A new or empty directory for the data; by default a temporary one."),
    ] = None,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the whole service on the reference decision path, with a scripted incident.

    Half a minute in, the store of one region slows down. Watch the alert on the dashboard,
    follow it to a decision, and see where its time went. Alert windows are short here: 20 s
    and 5 s. Ctrl-C ends it.
    """
    from dashboard.demo.demo import Demo, parse_duration

    log.configure("info" if verbose else "warning")
    duration_s = parse_duration(for_) if for_ else None
    with Demo(duration_s=duration_s, data_dir=data, quiet=as_json) as running:
        running.wait_until_end(StopSignal())
        summary = running.finish()
    if as_json:
        print_json(summary)
    else:
        running.print_summary(summary)


@app.command()
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at what the service needs here, and say what is missing. Exit 1 if something is."""
    from dashboard.cli.doctor import examine

    findings = examine(_settings(config).settings)
    if as_json:
        print_json([{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        for finding in findings:
            mark, style = ("ok     ", "green") if finding.ok else ("missing", "red")
            out.print(Text.assemble((mark, style), f" {finding.check}: {finding.detail}"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@config_app.command("check")
def config_check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the settings; say what is wrong, or where they came from."""
    from collector.store.retention import check_retention

    loaded = _settings(config)
    loaded.settings.require_secrets()
    loaded.settings.require_certificates(SystemClock().now_ns())
    check_retention(loaded.settings.retention, loaded.settings.collector.retention_days)
    loaded.settings.collector.check_limits()
    if as_json:
        print_json({"ok": True, "origins": loaded.origins})
        return
    for key, origin in sorted(loaded.origins.items()):
        out.print(f"{key}: from {origin}")
    out.print("settings are good; every other key has its default")


@config_app.command("print")
def config_print(
    config: ConfigOption = None,
    origin: Annotated[bool, typer.Option(help="Beside each key, where it came from.")] = False,
    example: Annotated[
        bool, typer.Option(help="Instead: every key with its meaning and default.")
    ] = False,
) -> None:
    """Print the settings in force as TOML, secrets masked."""
    from dashboard.settings import text as settings_text

    if example:
        sys.stdout.write(settings_text.example())
        return
    loaded = _settings(config)
    sys.stdout.write(settings_text.effective(loaded.settings, loaded.origins, with_origin=origin))


@app.command()
def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, or the id of a decision.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its spans, and how the decision's time was spent."""
    from dashboard.cli.client import ApiClient
    from dashboard.cli.commands.trace_tree import render_trace

    with ApiClient.open(_settings(config).settings, url) as api:
        found = api.get(f"/api/v1/traces/{quote(trace_id.strip(), safe='')}")
        decisions = [
            api.get(f"/api/v1/decisions/{quote(one, safe='')}") for one in found["decisions"]
        ]
    if as_json:
        print_json(found | {"decision_details": decisions})
    else:
        render_trace(out, found, decisions)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; limits on rows, memory and time apply.")],
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Ask the store in SQL, read-only. Prints one JSON object a row.

    For example `millworth query "SHOW TABLES"`, or
    `millworth query "SELECT action, count() FROM decisions GROUP BY action"`.
    """
    from dashboard.cli.client import ApiClient

    with ApiClient.open(_settings(config).settings, url) as api:
        answer = api.post("/api/v1/query", {"sql": sql})
    for row in answer["rows"]:
        print_json(dict(zip(answer["columns"], row, strict=True)))


@import_app.command("outcomes")
def import_outcomes(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, Parquet or JSON files.", readable=False)
    ],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what decisions earned. The same file twice changes nothing.

    Columns: outcome_id, occurred_at (ISO 8601 with an offset, or Unix nanoseconds), decision_id or
    outcome_key, and any of kind, converted, revenue, margin, currency, channel. CSV has them in
    its header; JSON is an array of flat objects, or one a line. A bad row is named and left out;
    the rest is imported. Exit 1 if a row was left out.
    """
    from dashboard.cli.client import ApiClient

    refused = 0
    with ApiClient.open(_settings(config).settings, url) as api:
        for path in files:
            report = api.import_outcomes(path)
            refused += len(report["refused"])
            if as_json:
                print_json({"file": str(path), **report})
                continue
            out.print(f"{path}: {report['imported']} imported, {len(report['refused'])} refused")
            for line in report["refused"]:
                out.print(f"  {line}")
    raise typer.Exit(1 if refused else 0)


_QUICK_SOAK_MINUTES = 1 / 3


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="ingest, crash, hostile, instrument, provenance, identifiers, attribution, "
            "packets, capture, reconstruction, wire, causal or recovery"
        ),
    ],
    runs: Annotated[int, typer.Option(min=5, help="Runs; medians are printed.")] = 5,
    outage_minutes: Annotated[
        float, typer.Option(min=0.05, help="crash: how long the store is away.")
    ] = 10.0,
    soak_minutes: Annotated[
        float, typer.Option(min=0.1, help="ingest: how long memory is watched under load.")
    ] = 10.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="ingest: a soak of 20 s, which is no soak.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine. Every figure is compared with its rival in the same run."""
    from dashboard.bench.run import run_bench

    result = run_bench(
        name,
        runs,
        outage_minutes=outage_minutes,
        soak_minutes=_QUICK_SOAK_MINUTES if quick else soak_minutes,
    )
    if quick:
        result["quick"] = True  # its memory figures are of a third of a minute
    if as_json:
        print_json(result)
    else:
        out.print(f"{result['name']}: {result['machine']}, medians of {result['runs']} runs")
        for key, value in result["figures"].items():
            out.print(f"  {key:<40} {value:>16,.4g}")


def _settings(path: Path | None) -> Loaded:
    return load(path)


def main() -> None:
    """Run the command; an error of ours is one line and exit 2, never a traceback."""
    run(app)


if __name__ == "__main__":
    main()
