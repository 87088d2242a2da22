"""I/O: `millworth verify`: what was done to what is kept, with or without a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from collector.errors import InputError
from collector.provenance import Event
from collector.provenance_checkpoint import Checkpoint
from collector.provenance_keys import KeyRing
from collector.provenance_lines import read_lines, write_line
from collector.provenance_ring import read_ring
from collector.provenance_verify import Finding, Report, Verdict, Verifier
from dashboard.settings import load

_BATCH_EVENTS: Final = 4_096
_SHOWN_MAX: Final = 50  # a person reads the first ones; all of them are in the JSON

verify_app = typer.Typer(help="Find what was changed after it was recorded.", no_args_is_help=True)


@verify_app.callback()
def verify() -> None:
    """Find what was changed after it was recorded."""


@verify_app.command("provenance")
def provenance(
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Key ring in TOML: [[mac]], [[checkpoint]].")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Argument(help="Export to verify, without a service; by default what is stored."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Also write what is stored there; verify that file with --arrival."),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="Do not miss what a chain held before its first event.")
    ] = False,
    arrival: Annotated[
        bool,
        typer.Option("--arrival", help="FILE is in order of arrival; late is no finding then."),
    ] = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="A decision without a seal is no finding.")
    ] = False,
    verdicts: Annotated[
        bool,
        typer.Option(
            "--verdicts", help="Judge nothing: show what the service said as events arrived."
        ),
    ] = False,
    window: Annotated[
        str, typer.Option(help="With --verdicts: what arrived in so long, such as 1h or 7d.")
    ] = "24h",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file; by default ./millworth.toml if there."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="The running service; by default the settings' address."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine output: one JSON object.")
    ] = False,
) -> None:
    """Verify sealed decisions: tampered, replayed, reordered, missing or unsigned. Exit 1 if any.

    Each finding names producer, epoch and number; a chain that was built anew with its own key is
    found by signed checkpoint, 256 events at most. What no checkpoint covers is told as unproven.
    """
    if verdicts:
        said = _said(config, url, window, unsigned=not allow_unsigned)
        raise typer.Exit(int(show_verdicts(said, as_json=as_json)))
    if keys is None:
        raise InputError("--keys names the key ring to verify by; or give --verdicts")
    if file is not None and export is not None:
        raise InputError("--export writes what is stored; leave FILE or --export away")
    _, ring = read_ring(keys, str(keys))
    with ExitStack() as open_files:
        if file is not None:
            items = _file_items(file, open_files)
        else:
            arrival = True
            items = _stored_items(config, url, open_files)
            items = items if export is None else _copied(items, export, open_files)
        report = _verify(items, ring, whole=not part, arrival=arrival)
    found = [f for f in report.findings if not (allow_unsigned and f.verdict is Verdict.UNSIGNED)]
    if as_json:
        sys.stdout.write(json.dumps(_as_json(report, found)) + "\n")
    else:
        _show(report, found)
    raise typer.Exit(1 if found else 0)


def _said(config: Path | None, url: str | None, window: str, *, unsigned: bool) -> dict[str, Any]:
    from dashboard.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        return api.get(f"/api/v1/provenance?window={window}&unsigned={int(unsigned)}")


def show_verdicts(said: dict[str, Any], *, as_json: bool) -> bool:
    """Write what the service said; return whether there is a finding."""
    findings = said["findings"]
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
        return bool(findings)
    out = Console(highlight=False, soft_wrap=True, markup=False)
    counts = ", ".join(f"{each['events']:,} {each['verdict']}" for each in said["counts"])
    out.print(f"judged as they arrived: {counts or 'nothing'}")
    for each in findings[:_SHOWN_MAX]:
        out.print(_line(each))
    if len(findings) > _SHOWN_MAX:
        out.print(f"and {len(findings) - _SHOWN_MAX:,} more; --json has up to 200 of them")
    return bool(findings)


def _verify(
    items: Iterable[Event | Checkpoint], ring: KeyRing, *, whole: bool, arrival: bool
) -> Report:
    verifier = Verifier(ring.macs, ring.check, whole=whole, arrival=arrival)
    console = Console(stderr=True)
    batch: list[Event] = []
    taken = 0
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} events"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=None)
        for item in items:
            if isinstance(item, Event):
                batch.append(item)
            if len(batch) >= _BATCH_EVENTS or isinstance(item, Checkpoint):
                verifier.take(batch)
                taken += len(batch)
                batch.clear()
                progress.update(task, completed=taken)
            if isinstance(item, Checkpoint):
                verifier.take_checkpoint(item)
        verifier.take(batch)
    return verifier.finish()


def _file_items(path: Path, open_files: ExitStack) -> Iterator[Event | Checkpoint]:
    try:
        lines = open_files.enter_context(path.open("rb"))
    except OSError as error:
        raise _unreadable(path, error) from error
    return read_lines(lines, str(path))


def _stored_items(
    config: Path | None, url: str | None, open_files: ExitStack
) -> Iterator[Event | Checkpoint]:
    # Loading the service's side takes a second, which a file does not need.
    from dashboard.client import ApiClient
    from dashboard.sealed_rows import stored_items

    api = open_files.enter_context(ApiClient.open(load(config).settings, url))
    return stored_items(api)


def _copied(
    items: Iterable[Event | Checkpoint], path: Path, open_files: ExitStack
) -> Iterator[Event | Checkpoint]:
    try:
        target = open_files.enter_context(path.open("x", encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; name a file that is not there yet"
        ) from error
    for item in items:
        target.write(write_line(item))
        yield item


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be read: {error.strerror}; correct the path, or its mode")


def _as_json(report: Report, found: list[Finding]) -> dict[str, Any]:
    return {
        "events": report.events,
        "verdicts": {verdict.value: report.verdicts.get(verdict, 0) for verdict in Verdict},
        "findings": [_finding(finding) for finding in found],
        "out_of_order_arrival": [_finding(finding) for finding in report.late],
        "checkpoints": report.checkpoints,
        "unproven": report.unproven,
        "open_chains": report.open_chains,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "producer": finding.producer,
        "epoch": finding.epoch,
        "first_seq": finding.first_seq,
        "last_seq": finding.last_seq,
        "trace_id": finding.trace_id,
        "event_index": finding.line,
        "reason": finding.reason,
    }


def _show(report: Report, found: list[Finding]) -> None:
    out = Console(highlight=False, soft_wrap=True, markup=False)
    counts = ", ".join(f"{n:,} {v.value}" for v, n in report.verdicts.items() if n)
    out.print(
        f"{report.events:,} events, {report.checkpoints:,} checkpoints: {counts or 'nothing'}"
    )
    for finding in found[:_SHOWN_MAX]:
        out.print(_line(_finding(finding)))
    if len(found) > _SHOWN_MAX:
        out.print(f"and {len(found) - _SHOWN_MAX:,} more; --json has all of them")
    if report.late:
        out.print(f"{len(report.late):,} events arrived out of order, which is no finding")
    if report.unproven:
        out.print(f"{report.unproven:,} events have no checkpoint yet: what followed is unproven")
    elif report.open_chains:
        out.print(f"{report.open_chains:,} chains are not closed: what followed is unproven")


def _line(finding: dict[str, Any]) -> str:
    # As JSON writes it: what a forger put into a name must not reach a terminal as it is.
    where = f"{json.dumps(finding['producer'])} epoch {json.dumps(finding['epoch'])}"
    numbers = f"{finding['first_seq']}"
    if finding["last_seq"] != finding["first_seq"]:
        numbers += f" to {finding['last_seq']}"
    trace = f", trace {json.dumps(finding['trace_id'])}" if finding["trace_id"] else ""
    reason = json.dumps(finding["reason"], ensure_ascii=True)[1:-1]
    return f"{finding['verdict']}: {where} event {numbers}{trace}: {reason}"
