"""Compare what `millworth capture --packets` says of captures with what tshark says.

    python -m tests.support.packet.tshark_oracle DIR [--jobs N] [--worst N] [--json]

Every file under DIR that either of the two reads is compared frame by frame. Printed are, per
field, precision and recall of ours against tshark's, the share of tshark's round trips that ours
equal within a microsecond, the share of its TCP packets that are listed, how many packets and round
trips are ours alone, and the files that differ most. What an ICMP error quotes of a packet is no
packet, and is left out.

Our rules are those of tshark 4.4 (4.4.19 in Debian 13). 4.0 (4.0.17 in Debian 12) judges otherwise
where an acknowledgement ends inside a segment (no round trip), where a duplicate one has a SACK
block and another window (none), behind a byte sent into a closed window (lost), and where a segment
comes again at once (out of order).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from collector.core.errors import DecodeError, InputError
from packet.decode.columns import PROTOCOL_TCP
from packet.files.analyse import analysed_blocks
from packet.files.json_lines import NAMES
from packet.files.reader import FileReport
from packet.tcp.analysis import NO_RTT

RTT_NEAR_NS = 1000
_TSHARK_S_MAX = 300
_FIELDS = ("frame.number", "tcp.analysis.ack_rtt", *(f"tcp.analysis.{name}" for name in NAMES))
# Its nanoseconds can be garbage where time stamps are, as in "83886080.(1639748000 nanosecon".
_SECONDS = re.compile(r"-?\d+\.\d+$")


@dataclass(frozen=True, slots=True)
class Row:
    """What one side says of one TCP packet."""

    rtt_ns: int | None
    names: frozenset[str]


@dataclass(slots=True)
class Result:
    """Counts of one file, or of several together."""

    name: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    def differences(self) -> int:
        """Return how many answers differ."""
        wrong = sum(self.counts[f"{name} {kind}"] for name in NAMES for kind in ("extra", "missed"))
        unlisted = self.counts["tcp"] - self.counts["listed"] + self.counts["listed extra"]
        untimed = self.counts["rtt"] - self.counts["rtt near"] + self.counts["rtt extra"]
        return wrong + unlisted + untimed


def tshark_version() -> tuple[int, int]:
    """Return the version of the tshark that is installed."""
    command = ["tshark", "--version"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)\.(\d+)\.\d+", text)
    assert match, text
    return int(match[1]), int(match[2])


def tshark_rows(path: Path) -> dict[int, Row]:
    """Return what tshark says, by frame; nothing where it cannot read the file."""
    command = ["tshark", "-n", "-r", str(path), "-o", "tcp.desegment_tcp_streams:FALSE"]
    command += ["-Y", "tcp and not icmp and not icmpv6", "-T", "fields", "-E", "occurrence=f"]
    for name in _FIELDS:
        command += ["-e", name]
    try:
        # A file that is cut off ends in an error, after what could be read.
        result = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TSHARK_S_MAX,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}
    rows = {}
    for line in result.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) != len(_FIELDS):
            continue
        rtt_ns = round(float(cells[1]) * 1e9) if _SECONDS.match(cells[1]) else None
        marked = zip(NAMES, cells[2:], strict=True)
        rows[int(cells[0])] = Row(rtt_ns, frozenset(name for name, cell in marked if cell))
    return rows


def our_rows(path: Path) -> dict[int, Row]:
    """Return what we say, by frame; nothing where the file is no capture."""
    rows = {}
    try:
        for block, analysis in analysed_blocks(path, FileReport()):
            for at in np.flatnonzero(block.columns.protocol == PROTOCOL_TCP).tolist():
                rtt_ns, events = int(analysis.rtt_ns[at]), int(analysis.events[at])
                names = frozenset(name for name, bit in NAMES.items() if events & bit)
                rows[int(block.numbers[at])] = Row(None if rtt_ns == NO_RTT else rtt_ns, names)
    except (DecodeError, InputError):
        pass
    return rows


def compare(theirs: dict[int, Row], ours: dict[int, Row]) -> Counter[str]:
    """Return counts over the packets that either of the two lists."""
    listed = theirs.keys() & ours.keys()
    counts = Counter({"tcp": len(theirs), "listed": len(listed)})
    counts["listed extra"] = len(ours) - len(listed)
    unlisted = Row(None, frozenset())
    for frame in theirs.keys() | ours.keys():
        their, our = theirs.get(frame, unlisted), ours.get(frame, unlisted)
        if their.rtt_ns is not None:
            counts["rtt"] += 1
            is_near = our.rtt_ns is not None and abs(our.rtt_ns - their.rtt_ns) <= RTT_NEAR_NS
            counts["rtt near"] += is_near
        elif our.rtt_ns is not None:
            counts["rtt extra"] += 1
        for name in our.names | their.names:
            kind = "both" if name in our.names & their.names else "missed"
            counts[f"{name} {'extra' if name not in their.names else kind}"] += 1
    return +counts


def compare_file(path: Path) -> Result:
    """Compare one file. A crash of ours is counted, and is the worst there can be."""
    theirs = tshark_rows(path)
    try:
        counts = compare(theirs, our_rows(path))
    except Exception as error:  # noqa: BLE001 - a crash is a result here, and the others go on
        counts = Counter({"tcp": len(theirs), "crashed": 1})
        sys.stderr.write(f"{path}: {type(error).__name__}: {error}\n")
    return Result(str(path), counts)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def figures(total: Counter[str]) -> dict[str, float | int | None]:
    """Return the figures of all files together; null where there was nothing to judge by."""
    found: dict[str, float | int | None] = {
        "tcp_packets": total["tcp"],
        "listed_ratio": _ratio(total["listed"], total["tcp"]),
        "listed_extra": total["listed extra"],
        "rtt_samples": total["rtt"],
        "rtt_near_ratio": _ratio(total["rtt near"], total["rtt"]),
        "rtt_extra": total["rtt extra"],
        "crashed_files": total["crashed"],
    }
    for name in NAMES:
        both = total[f"{name} both"]
        found[f"{name}_count"] = both + total[f"{name} missed"]
        found[f"{name}_precision"] = _ratio(both, both + total[f"{name} extra"])
        found[f"{name}_recall"] = _ratio(both, both + total[f"{name} missed"])
    return found


def _show(console: Console, results: list[Result], worst: int) -> None:
    total = sum((result.counts for result in results), Counter[str]())
    table = Table("field", "tshark's", "precision", "recall")
    values = figures(total)
    for name in NAMES:
        cells = (values[f"{name}_precision"], values[f"{name}_recall"])
        shown = ("-" if cell is None else f"{cell:.4f}" for cell in cells)
        table.add_row(name, str(values[f"{name}_count"]), *shown)
    console.print(f"{len(results)} files, {total['tcp']} TCP packets of tshark's")
    for label in (
        "listed_ratio", "listed_extra", "rtt_near_ratio", "rtt_samples", "rtt_extra",
        "crashed_files",
    ):  # fmt: skip
        console.print(f"{label}: {values[label]}")
    console.print(table)
    differing = sorted(results, key=Result.differences, reverse=True)[:worst]
    table = Table("differences", "file", "what")
    for result in differing:
        if result.differences():
            kept = {k: n for k, n in sorted(result.counts.items()) if not k.endswith("both")}
            table.add_row(str(result.differences()), result.name, json.dumps(kept))
    console.print(table)


def _captures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _results(paths: Iterable[Path], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(compare_file, paths)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(compare_file, paths, chunksize=8)


def main() -> None:
    """Compare every file of a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=1, help="files compared at once")
    parser.add_argument("--worst", type=int, default=20, help="files shown that differ most")
    parser.add_argument("--json", action="store_true", help="one object of figures instead")
    arguments = parser.parse_args()
    paths = list(_captures(arguments.folder))
    console, errors = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = 240  # a pipe has no width, and names of files are long
    results = list(
        track(_results(paths, arguments.jobs), "captures", total=len(paths), console=errors)
    )
    if arguments.json:
        total = sum((result.counts for result in results), Counter[str]())
        sys.stdout.write(json.dumps({"files": len(results), **figures(total)}) + "\n")
    else:
        _show(console, results, arguments.worst)


if __name__ == "__main__":
    main()
