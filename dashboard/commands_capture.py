"""I/O: `millworth capture --read`: the connections in capture files, without a service."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from collector.clock import NS_PER_MS
from collector.errors import DecodeError, InputError
from packet.columns import concat_columns
from packet.decode import decode
from packet.frames import parse_pcap
from packet.pcapng import SECTION_MAGIC, parse_pcapng
from packet.tcp import Flow, analyse

_PIPE_COLUMNS = 200  # two IPv6 addresses with their ports, and the figures


def capture(
    read: Annotated[
        list[Path], typer.Option("--read", "-r", help="A pcap or pcapng file; may be repeated.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine output: one JSON object a flow.")
    ] = False,
) -> None:
    """Show the connections in capture files. Needs no running service.

    Exit 1 if a file could not be read to its end: it is named on standard error, and the rest is
    done. Frames that are neither TCP nor UDP are counted there by reason.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    flows, incomplete = list[Flow](), False
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        for path in progress.track(read, description="capture files"):
            try:
                found, left_out, unread_bytes = _read(path)
            except (DecodeError, InputError) as error:
                console.print(f"{path}: {error}")
                incomplete = True
                continue
            flows += found
            if left_out:
                reasons = ", ".join(f"{name} {count}" for name, count in sorted(left_out.items()))
                console.print(f"{path}: frames not shown: {reasons}")
            if unread_bytes:
                console.print(f"{path}: the last {unread_bytes} bytes are cut off or malformed")
                incomplete = True
    if as_json:
        for flow in flows:
            sys.stdout.write(json.dumps(asdict(flow)) + "\n")
    else:
        out = Console(highlight=False, markup=False)
        if not out.is_terminal:
            # A pipe has no width, and a table cut to 80 columns would lose addresses.
            out.width = _PIPE_COLUMNS
        out.print(_table(flows))
    if incomplete:
        raise typer.Exit(1)


def _read(path: Path) -> tuple[list[Flow], Counter[str], int]:
    """Return the flows of one file, the frames left out by reason, and the bytes left unread."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    if data.startswith(SECTION_MAGIC):
        parts = [group.frames for group in parse_pcapng(data)]
    else:
        parts = [parse_pcap(data)]
    decoded = [decode(frames) for frames in parts]
    left_out: Counter[str] = Counter()
    for one in decoded:
        left_out.update(one.undecoded)
    unread_bytes = max((frames.unread_bytes for frames in parts), default=0)
    return analyse(concat_columns([one.columns for one in decoded])), left_out, unread_bytes


def _table(flows: list[Flow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("client", "server", "protocol"):
        table.add_column(name)
    for name in ("packets", "bytes", "handshake RTT (ms)", "retransmissions", "zero windows"):
        table.add_column(name, justify="right")
    for flow in flows:
        rtt_ns = flow.handshake_rtt_ns
        table.add_row(
            f"{flow.client_address} {flow.client_port}",
            f"{flow.server_address} {flow.server_port}",
            {6: "TCP", 17: "UDP"}[flow.protocol],
            f"{flow.packets:,}",
            f"{flow.wire_bytes:,}",
            "unknown" if rtt_ns is None else f"{rtt_ns / NS_PER_MS:,.3f}",
            f"{flow.retransmissions:,}",
            f"{flow.zero_windows:,}",
        )
    return table
