"""I/O: `millworth bench packets`: decode and analysis of a capture, beside tshark, scapy, dpkt.

The file is a mix of connections, three in four of them in a tunnel. The unit is packets per second
of CPU time, children included, because on a shared machine wall time says more about the
neighbours. All read the same file, page cache warm, in turns. tshark does what ours does and no
more than it does by default; scapy and dpkt only dissect, and only a part. What a user runs is
measured as a user runs it, from the start of the process to its last line.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from collector.bench.harness import Progress, medians, own_directory
from collector.core.errors import InputError
from packet.bench.traffic import http_capture
from packet.decode.decode import dissect_all
from packet.decode.frames import Frames, parse_pcap
from packet.files.analyse import analysed_blocks
from packet.files.json_lines import NAMES
from packet.files.reader import FileReport

_PACKETS: Final = 200_000
_SCAPY_PACKETS: Final = 4_000
_DPKT_PACKETS: Final = 20_000
_FIELDS: Final = ("frame.number", "tcp.analysis.ack_rtt", *(f"tcp.analysis.{n}" for n in NAMES))
# What a user asks of both: a line a packet, and the connections.
_LISTS: Final = ("-T", "fields", *(part for name in _FIELDS for part in ("-e", name)))
_COMMANDS: Final = {"lines": (("--packets",), _LISTS), "table": ((), ("-q", "-z", "conv,tcp"))}


def run_packets(
    runs: int, progress: Progress, capture: Sequence[str], packets: int = _PACKETS
) -> dict[str, float]:
    """Return medians over `runs` rounds.

    Args:
        runs: rounds.
        progress: is told each of them.
        capture: the command that reads a file, which comes behind it.
        packets: in the file, at least.

    Returns:
        `packets_per_s`: ours, of one core, with NumPy alone; `x_tshark`, `x_scapy`, `x_dpkt`: how
        many times as many as they, medians of the ratios of each round; `tshark_packets_per_s`,
        `scapy_packets_per_s`, `dpkt_packets_per_s`; `packets`: in the file; `lines_packets_per_s`
        and `table_packets_per_s`: of the command with `--packets` and without, `x_tshark_lines`
        and `x_tshark_table`: how many times as many as tshark that prints the same.

    Raises:
        InputError: tshark or dpkt is not installed.
    """
    dissect_with_dpkt = _dpkt()
    results = []
    with own_directory() as folder:
        path = folder / "mix.pcap"
        path.write_bytes(http_capture(packets, tunnelled=True))
        frames = parse_pcap(path.read_bytes())
        few, more = frames.between(0, _SCAPY_PACKETS), frames.between(0, _DPKT_PACKETS)
        count = _analyse(path)  # the first one pays for imports and the page cache
        dissect_all(few.between(0, 10))
        dissect_with_dpkt(more.between(0, 10))
        for number in range(runs):
            ours = count / _seconds(lambda: _analyse(path))
            rivals = {
                "scapy": len(few) / _seconds(lambda: dissect_all(few)),
                "dpkt": len(more) / _seconds(lambda: dissect_with_dpkt(more)),
            }
            figures = {"packets_per_s": ours, "packets": float(count)}
            for name, (our_command, theirs) in _COMMANDS.items():
                rate = count / _child_seconds([*capture, str(path), *our_command])
                tshark = count / _child_seconds(["tshark", "-n", "-r", str(path), *theirs])
                figures |= {f"{name}_packets_per_s": rate, f"x_tshark_{name}": rate / tshark}
                rivals.setdefault("tshark", tshark)  # with its lines, the first of the commands
            figures |= {f"x_{name}": ours / rate for name, rate in rivals.items()}
            figures |= {f"{name}_packets_per_s": rate for name, rate in rivals.items()}
            results.append(figures)
            text = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
            progress(f"run {number + 1}: {text}")
    return medians(results)


def _analyse(path: Path) -> int:
    return sum(len(analysis.events) for _, analysis in analysed_blocks(path, FileReport()))


def _dpkt() -> Callable[[Frames], None]:
    try:
        import dpkt
    except ImportError as error:
        raise InputError(
            "the benchmark needs dpkt, which is not installed; pip install 'millworth[bench]'"
        ) from error

    def dissect(frames: Frames) -> None:
        for row in range(len(frames)):
            dpkt.ethernet.Ethernet(frames.frame(row))

    return dissect


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _child_seconds(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        subprocess.run(  # noqa: S603  a file of ours; tshark is where the system has it
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=_quiet()
        )
    except FileNotFoundError as error:
        raise InputError("bench packets: tshark is not installed; apt install tshark") from error
    usage_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage_after.ru_utime + usage_after.ru_stime - before.ru_utime - before.ru_stime


def _quiet() -> dict[str, str]:
    """Return an environment in which tshark reads no settings of the user's."""
    return {"PATH": os.defpath, "HOME": "/nonexistent", "LC_ALL": "C"}
