"""I/O: `millworth capture`: what is in capture files, without a service; without one, the role."""

from __future__ import annotations

import glob
import ipaddress
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from collector.core.errors import DecodeError, InputError
from collector.core.times import instant_ns
from dashboard.cli.console import print_table
from dashboard.cli.files.capture_table import TOP, Sort, capture_table, dearest
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, MetricsOption
from packet.files.analyse import analysed_blocks, flows_of_file
from packet.files.json_lines import packet_lines
from packet.files.reader import FileReport
from packet.files.selection import Chosen
from packet.tcp.connections import WireFlow


def capture(
    files: Annotated[
        list[Path] | None, typer.Argument(help="More files, as a shell's *.pcap gives them.")
    ] = None,
    read: Annotated[
        list[Path] | None,
        typer.Option("--read", "-r", help="A pcap or pcapng file, or a pattern of such."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine output: one JSON object a flow.")
    ] = False,
    packets: Annotated[
        bool, typer.Option("--packets", help="One JSON object a TCP packet instead of a flow.")
    ] = False,
    top: Annotated[
        int, typer.Option(min=0, help="Rows of the table, the dearest; 0 for all.")
    ] = TOP,
    sort: Annotated[Sort, typer.Option(help="What makes a connection dear.")] = Sort.BYTES,
    host: Annotated[
        str | None, typer.Option(help="Only packets from or to an address, or a network.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Only packets from or to a port.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="Only packets since, ISO 8601, UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", help="Only packets until, ISO 8601, UTC.")
    ] = None,
    config: ConfigOption = None,
    metrics_port: MetricsOption = -1,
) -> None:
    """Show the connections in capture files, or what each TCP packet is; without any, record.

    Without files this is a role of the service: it records the packets of this machine, one of
    each that share a store that is a server, until it is told to stop. With files it needs no
    running service.

    What a packet is (a retransmission, a duplicate ACK, ...) is decided as Wireshark does. Files
    may be compressed with gzip. Exit 1 if a file could not be read to its end: it is named on
    standard error, and the rest is done. Frames that are neither TCP nor UDP are counted there.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    paths = _expanded([*(read or []), *(files or [])])
    chosen = _chosen(host, port, begin, end)
    if not paths:
        if packets or not chosen.is_all:
            raise InputError(
                "capture: --packets, --host, --port, --from and --until are of files; name one "
                "with --read"
            )
        # Loading the service's side takes a second, which a file does not need.
        from dashboard.cli.running.up import run_service

        run_service(config, as_json=as_json, role="capture", metrics_port=metrics_port)
        return
    session = _Session(console, paths, chosen, is_lines=as_json or packets)
    with _progress(console) as track:
        for path in paths:
            with track(path) as progress:
                session.one(path, progress, packets=packets)
    session.finish(sort, top)


class _Session:
    """Several files, their output and whether all of them could be read."""

    def __init__(
        self, console: Console, paths: list[Path], chosen: Chosen, *, is_lines: bool
    ) -> None:
        self._console = console
        self._chosen = chosen
        self._is_lines = is_lines
        self._names = _names(paths)
        self._flows = list[WireFlow]()
        self._is_incomplete = False

    def one(self, path: Path, progress: Callable[[int], None], *, packets: bool) -> None:
        """Read one file; what is wrong with it is said, and is no reason to stop."""
        report = FileReport()
        try:
            if packets:
                for block, analysis in analysed_blocks(path, report, progress, chosen=self._chosen):
                    lines = packet_lines(block, analysis, self._names.get(path))
                    sys.stdout.writelines(lines)
            else:
                self._show(path, flows_of_file(path, report, progress, chosen=self._chosen))
        except (DecodeError, InputError) as error:
            self._console.print(f"{path}: {error}")
            self._is_incomplete = True
            return
        if report.left_out:
            reasons = ", ".join(f"{name} {n}" for name, n in sorted(report.left_out.items()))
            self._console.print(f"{path}: frames not shown: {reasons}")
        if report.unread_bytes:
            self._console.print(
                f"{path}: the last {report.unread_bytes} bytes are cut off or malformed"
            )
            self._is_incomplete = True

    def _show(self, path: Path, flows: list[WireFlow]) -> None:
        if not self._is_lines:
            self._flows += flows
            return
        named: dict[str, Any] = {"file": self._names[path]} if self._names else {}
        for flow in flows:
            print_json(named | flow.as_json())

    def finish(self, sort: Sort, top: int) -> None:
        """Print the table, where there is one, and exit 1 if a file was not read to its end."""
        if not self._is_lines:
            rows = dearest(self._flows, sort, top)
            print_table(Console(highlight=False, markup=False), capture_table(rows))
            if len(rows) < len(self._flows):
                self._console.print(
                    f"{len(rows):,} of {len(self._flows):,} connections by {sort}; --top 0 shows "
                    "all of them"
                )
        sys.stdout.flush()
        if self._is_incomplete:
            raise typer.Exit(1)


def _chosen(host: str | None, port: int | None, begin: str | None, end: str | None) -> Chosen:
    """Return what is asked for. Raises InputError where an address or a time is none."""
    try:
        network = None if host is None else ipaddress.ip_network(host)
    except ValueError as error:
        raise InputError(
            f"--host {host!r} is neither an address nor a network; give 10.0.0.1 or 10.0.0.0/24"
        ) from error
    return Chosen(
        host=network,
        port=port,
        from_ns=0 if begin is None else instant_ns(begin, "--from"),
        to_ns=2**64 - 1 if end is None else instant_ns(end, "--until"),
    )


def _expanded(paths: list[Path]) -> list[Path]:
    """Return files; a pattern that the shell left alone becomes those it matches.

    Raises:
        InputError: there is none of that name, and none that matches.
    """
    files: list[Path] = []
    for path in paths:
        matches = [] if path.exists() else sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not matches and not path.exists():
            raise InputError(f"{path}: there is no such file; correct the path, or the pattern")
        files += [Path(match) for match in matches] or [path]
    return files


def _names(paths: list[Path]) -> dict[Path, str]:
    """Return what objects call the file they are from, none where there is but one file.

    A path is as long as it was given where its name alone could be another's.
    """
    if len(paths) == 1:
        return {}
    count = Counter(path.name for path in dict.fromkeys(paths))
    return {path: path.name if count[path.name] == 1 else str(path) for path in paths}


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Path], Any]]:
    """Show a bar a file on a terminal, by bytes; elsewhere nothing."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Lines of JSON go where the shell sends them, also while the bar is drawn.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:

        @contextmanager
        def track(path: Path) -> Iterator[Callable[[int], None]]:
            size = path.stat().st_size if path.is_file() else None
            task = progress.add_task(path.name, total=size)
            yield lambda done: progress.update(task, completed=done)
            progress.remove_task(task)

        yield track
