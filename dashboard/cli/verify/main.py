"""I/O: `millworth verify`: what was done to what is kept, with or without a service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from attribution.core.money import exact
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import Event, canonical_rest
from collector.provenance.export_file import Outcome, read_lines, write_line
from collector.provenance.kept import EVERYTHING, Kept
from collector.provenance.keyring import KeyRing
from collector.provenance.keyring_file import read_ring
from collector.provenance.live.copies import Copy, equal_copies, retries_told
from collector.provenance.verify import Finding, Report, Verdict, Verifier
from collector.store.retention_policy import ALL_TABLES
from dashboard.cli.client import asked, asking
from dashboard.cli.console import OUT, counting, plain, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.cli.verify.audit import audit
from dashboard.cli.verify.retention import retention
from dashboard.cli.verify.review import review
from dashboard.cli.verify.rows import SHOWN_MAX, RowsReport, show_rows
from dashboard.cli.verify.sealed_items import Item, changed_rows, stored_copies, stored_items
from dashboard.cli.verify.stored import store

if TYPE_CHECKING:
    from dashboard.cli.client import ApiClient


_BATCH_EVENTS: Final = 4_096
_SEALED_TABLES: Final = ("otel_traces", "otel_logs")

verify_app = typer.Typer(help="Find what was changed after it was recorded.", no_args_is_help=True)
verify_app.command("retention")(retention)
verify_app.command("audit")(audit)
verify_app.command("review")(review)
verify_app.command("store")(store)


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
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify sealed decisions: tampered, replayed, reordered, missing or unsigned. Exit 1 if any.

    Each finding names producer, epoch and number; a chain that was built anew with its own key is
    found by signed checkpoint, 256 events at most. What no checkpoint covers is told as unproven.
    """
    if verdicts:
        query = f"window={window}&unsigned={int(not allow_unsigned)}"
        said = asked(f"/api/v1/provenance?{query}", config, url)
        raise typer.Exit(int(show_verdicts(said, as_json=as_json)))
    if keys is None:
        raise InputError("--keys names the key ring to verify by; or give --verdicts")
    if file is not None and export is not None:
        raise InputError("--export writes what is stored; leave FILE or --export away")
    _, ring = read_ring(keys, str(keys))
    rows: RowsReport | None = None
    with ExitStack() as open_files:
        if file is not None:
            report = _verify_file(file, ring, whole=not part, arrival=arrival)
        else:
            api = open_files.enter_context(asking(config, url))
            items = stored_items(api)
            items = items if export is None else _copied(items, export, open_files)
            report = _verify(items, ring, whole=not part, arrival=True, kept=_kept(api))
            report = report.told_anew(_retries_stored(api, ring, report.findings))
            rows = _compare(api, report)
    found = [f for f in report.findings if not (allow_unsigned and f.verdict is Verdict.UNSIGNED)]
    _write(report, found, rows, as_json=as_json)
    raise typer.Exit(1 if found or (rows and (rows.changed or rows.unaudited)) else 0)


def _write(
    report: Report, findings: list[Finding], rows: RowsReport | None, *, as_json: bool
) -> None:
    if as_json:
        answer = _as_json(report, findings)
        if rows is not None:
            answer["rows"] = asdict(rows)
        print_json(answer)
        return
    _show(report, findings)
    if rows is not None:
        show_rows(rows)


def show_verdicts(answer: dict[str, Any], *, as_json: bool) -> bool:
    """Write what the service said; return whether there is a finding."""
    findings = answer["findings"]
    if as_json:
        print_json(answer)
        return bool(findings)
    counts = ", ".join(f"{count['events']:,} {count['verdict']}" for count in answer["counts"])
    OUT.print(f"judged as they arrived: {counts or 'nothing'}")
    out_of_sums = answer["withdrawn"]
    if out_of_sums["decisions"]:
        OUT.print(
            f"{out_of_sums['decisions']:,} decisions are in no sum; "
            f"they say they were worth {exact(out_of_sums['value_usd'])}"
        )
    if out_of_sums["outcomes"]:
        OUT.print(f"{out_of_sums['outcomes']:,} records of outcomes are in no sum")
    for finding in findings[:SHOWN_MAX]:
        OUT.print(_line(finding))
    if len(findings) > SHOWN_MAX:
        OUT.print(f"and {len(findings) - SHOWN_MAX:,} more; --json has up to 200 of them")
    return bool(findings)


def _kept(api: ApiClient) -> Kept:
    """Return what retention and legal holds leave of the tables that seals are read from."""
    retention = api.get("/api/v1/retention")
    days = min(each["days"] for each in retention["tables"] if each["table"] in _SEALED_TABLES)
    holds = [
        (hold["from_ns"], hold["to_ns"])
        for hold in api.get("/api/v1/holds")["holds"]
        if not hold["released_ns"] and {ALL_TABLES, *_SEALED_TABLES} & {*hold["tables"]}
    ]
    return Kept(retention["at_ns"] - days * NS_PER_DAY, tuple(holds))


def _verify(
    items: Iterable[Item],
    ring: KeyRing,
    *,
    whole: bool,
    arrival: bool,
    kept: Kept = EVERYTHING,
) -> Report:
    """Verify; `kept` says of what is not whole of which times nothing may be missing."""
    kept = EVERYTHING if whole else kept
    verifier = Verifier(ring.macs, ring.check, whole=whole, arrival=arrival, kept=kept)
    batch: list[tuple[Event, bytes]] = []
    with counting("events") as progress:
        task = progress.add_task("", total=None)
        for item in items:
            if isinstance(item, Checkpoint):
                _take(verifier, batch)
                verifier.take_checkpoint(item)
            else:
                batch.append(_event_and_form(item, ring))
                progress.advance(task)
            if len(batch) >= _BATCH_EVENTS:
                _take(verifier, batch)
        _take(verifier, batch)
    return verifier.finish()


def _take(verifier: Verifier, batch: list[tuple[Event, bytes]]) -> None:
    verifier.take([event for event, _ in batch], [form for _, form in batch])
    batch.clear()


def _event_and_form(item: Event | Outcome, ring: KeyRing) -> tuple[Event, bytes]:
    if isinstance(item, Outcome):
        return item.event, item.form(ring.macs)
    return item, canonical_rest(item.seq, item.prev, item.fields)


def _file_items(path: Path, open_files: ExitStack) -> Iterator[Item]:
    try:
        lines = open_files.enter_context(path.open("rb"))
    except OSError as error:
        raise _unreadable(path, error) from error
    return read_lines(lines, str(path))


def _verify_file(path: Path, ring: KeyRing, *, whole: bool, arrival: bool) -> Report:
    with ExitStack() as open_files:
        report = _verify(_file_items(path, open_files), ring, whole=whole, arrival=arrival)
    replays = {_number(each) for each in report.findings if each.verdict is Verdict.REPLAYED}
    # A sender's retries are lines that are equal to the first of their number that holds.
    copies: list[Copy] = []
    with ExitStack() as open_files:
        for item in _file_items(path, open_files) if replays else ():
            if isinstance(item, Checkpoint):
                continue
            event, form = _event_and_form(item, ring)
            if (event.producer, event.epoch, event.seq) in replays:
                copies.append((event, form, form))
    return report.told_anew(retries_told(report.findings, equal_copies(ring.macs, copies)))


def _retries_stored(api: ApiClient, ring: KeyRing, findings: Sequence[Finding]) -> list[Finding]:
    replays = [each for each in findings if each.verdict is Verdict.REPLAYED]
    return retries_told(findings, equal_copies(ring.macs, stored_copies(api, ring, replays)))


def _number(finding: Finding) -> tuple[str, str, int]:
    return finding.producer, finding.epoch, finding.first_seq


def _compare(api: ApiClient, verified: Report) -> RowsReport:
    report = RowsReport()
    with counting("rows of money") as progress:
        task = progress.add_task("", total=None)
        for page in changed_rows(api):
            report.add(page, verified)
            progress.update(task, completed=report.decisions + report.outcomes)
    return report


def _copied(items: Iterable[Item], path: Path, open_files: ExitStack) -> Iterator[Item]:
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
        "may_have_lapsed": [_finding(finding) for finding in report.lapsed],
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
    counts = ", ".join(f"{n:,} {v.value}" for v, n in report.verdicts.items() if n)
    OUT.print(
        f"{report.events:,} events, {report.checkpoints:,} checkpoints: {counts or 'nothing'}"
    )
    for finding in found[:SHOWN_MAX]:
        OUT.print(_line(_finding(finding)))
    if len(found) > SHOWN_MAX:
        OUT.print(f"and {len(found) - SHOWN_MAX:,} more; --json has all of them")
    if report.late:
        OUT.print(f"{len(report.late):,} events arrived out of order, which is no finding")
    for finding in report.lapsed[:SHOWN_MAX]:
        OUT.print(f"no finding, as it may have lapsed with retention: {_line(_finding(finding))}")
    if report.unproven:
        OUT.print(f"{report.unproven:,} events have no checkpoint yet: what followed is unproven")
    elif report.open_chains:
        OUT.print(f"{report.open_chains:,} chains are not closed: what followed is unproven")


def _line(finding: dict[str, Any]) -> str:
    # As JSON writes it: what a forger put into a name must not reach a terminal as it is.
    where = f"{quoted(finding['producer'])} epoch {quoted(finding['epoch'])}"
    numbers = f"{finding['first_seq']}"
    if finding["last_seq"] != finding["first_seq"]:
        numbers += f" to {finding['last_seq']}"
    trace = f", trace {quoted(finding['trace_id'])}" if finding["trace_id"] else ""
    reason = plain(finding["reason"])
    return f"{finding['verdict']}: {where} event {numbers}{trace}: {reason}"
