"""I/O: `millworth bench packets`: decode and analysis of a capture, beside tshark, scapy, dpkt.

The unit is packets per second of CPU time, children included, because on a shared machine wall
time says more about the neighbours. All read the same file, page cache warm, in turns. tshark does
what ours does and no more than it does by default; scapy and dpkt only dissect, and only a part.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dpkt

from collector.errors import InputError
from packet.bench_traffic import http_capture
from packet.decode import dissect_all
from packet.files import FileReport
from packet.frames import Frames, parse_pcap
from packet.packet_lines import NAMES
from packet.read_files import analysed_blocks

_PACKETS: Final = 200_000
_SCAPY_PACKETS: Final = 4_000
_DPKT_PACKETS: Final = 20_000
_FIELDS: Final = ("frame.number", "tcp.analysis.ack_rtt", *(f"tcp.analysis.{n}" for n in NAMES))


def run_packets(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    """Return medians over `runs` rounds.

    Returns:
        `packets_per_s`: ours, of one core, with NumPy alone; `x_tshark`, `x_scapy`, `x_dpkt`: how
        many times as many as they, medians of the ratios of each round; `tshark_packets_per_s`,
        `scapy_packets_per_s`, `dpkt_packets_per_s`; `packets`: in the file.

    Raises:
        InputError: tshark is not installed.
    """
    rates: dict[str, list[float]] = {"ours": [], "tshark": [], "scapy": [], "dpkt": []}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "http.pcap"
        path.write_bytes(http_capture(_PACKETS))
        frames = parse_pcap(path.read_bytes())
        few, more = frames.between(0, _SCAPY_PACKETS), frames.between(0, _DPKT_PACKETS)
        count = _analyse(path)  # the first one pays for imports and the page cache
        dissect_all(few.between(0, 10))
        _dissect_with_dpkt(more.between(0, 10))
        for number in range(runs):
            rates["ours"].append(count / _seconds(lambda: _analyse(path)))
            rates["tshark"].append(count / _child_seconds(path))
            rates["scapy"].append(len(few) / _seconds(lambda: dissect_all(few)))
            rates["dpkt"].append(len(more) / _seconds(lambda: _dissect_with_dpkt(more)))
            shown = ", ".join(f"{name} {each[-1]:,.0f}" for name, each in rates.items())
            progress(f"run {number + 1}: {shown} packets/s")
    ours = rates.pop("ours")
    return {
        "packets_per_s": statistics.median(ours),
        **{
            f"x_{name}": statistics.median(a / b for a, b in zip(ours, each, strict=True))
            for name, each in rates.items()
        },
        **{f"{name}_packets_per_s": statistics.median(each) for name, each in rates.items()},
        "packets": float(count),
    }


def _analyse(path: Path) -> int:
    return sum(len(analysis.events) for _, analysis in analysed_blocks(path, FileReport()))


def _dissect_with_dpkt(frames: Frames) -> None:
    for row in range(len(frames)):
        dpkt.ethernet.Ethernet(frames.frame(row))


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _child_seconds(path: Path) -> float:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    for name in _FIELDS:
        command += ["-e", name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        subprocess.run(  # noqa: S603  a file of ours; tshark is where the system has it
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=_quiet()
        )
    except FileNotFoundError as error:
        raise InputError("bench packets: tshark is not installed; apt install tshark") from error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _quiet() -> dict[str, str]:
    """Return an environment in which tshark reads no settings of the user's."""
    return {"PATH": os.defpath, "HOME": "/nonexistent", "LC_ALL": "C"}
