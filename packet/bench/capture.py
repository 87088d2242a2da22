"""I/O: `millworth bench capture`: what recording costs, and what it loses.

Requests cross a pair of virtual interfaces at 20 k packets a second, each with a trace context, in
interleaved rounds: nobody records; the recorder alone; the recorder with its figures of every
second; and with the search for contexts too, as it runs by default. The order is shuffled in each
run, and each mode is compared with the other of the same run, since a machine's own mood
shifts from one second to the next by more than a recorder does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from collector.bench.harness import Progress
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from packet.bench.ends import REQUEST_BYTES
from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig
from packet.decode.decode import decode
from packet.decode.sampler import Selection
from packet.lab.network import Cable, cable

_REQUESTS_PER_S = 10_000  # and an answer each: 20 k packets a second
_SECONDS = 2.0
_CLOCK = SystemClock()
_ENDS = "packet.bench.ends"


@dataclass(frozen=True, slots=True)
class _Round:
    """One round of one mode."""

    p50_us: float
    p99_us: float
    packets_per_s: float
    cpu_share: float  # of the recorder's process, in cores; 0 where there is none
    lost: int
    unfound: int = 0  # requests whose context was not found, where it was searched


def run_capture(runs: int, progress: Progress, seconds: float = _SECONDS) -> dict[str, float]:
    """Return medians over the runs of four rounds; what was lost or not found is the sum of all."""
    shuffled = random.Random(20261125)  # noqa: S311  an order, not a secret
    modes: dict[str, PacketConfig | None] = {
        "none": None,
        "recorder": PacketConfig(analysis=False, request_bytes=0, memory_mib=64),
        "analysis": PacketConfig(request_bytes=0, memory_mib=64, link_mbit=10_000),
        "everything": PacketConfig(memory_mib=64, link_mbit=10_000),
    }
    runs_done: list[dict[str, _Round]] = []
    with cable() as wire, wire.b.serving(_ENDS) as port:
        _ask(wire, port, seconds)
        for number in range(runs):
            names = list(modes)
            shuffled.shuffle(names)
            rounds = {name: _round(wire, port, modes[name], seconds) for name in names}
            runs_done.append(rounds)
            progress(f"run {number + 1}: {_text(rounds)}")
    return _figures(runs_done)


def _figures(runs: Sequence[Mapping[str, _Round]]) -> dict[str, float]:
    def added(name: str, mode: str) -> float:
        more: list[float] = [getattr(run[mode], name) - getattr(run["none"], name) for run in runs]
        return median(more)

    cpu = median(run["recorder"].cpu_share for run in runs)
    rounds = [run[mode] for run in runs for mode in ("recorder", "analysis", "everything")]
    return {
        "added_p50_us": added("p50_us", "everything"),
        "added_p50_us_recorder_alone": added("p50_us", "recorder"),
        "added_p99_us": added("p99_us", "everything"),
        "base_p50_us": median(run["none"].p50_us for run in runs),
        "cpu_share": cpu,
        "analysis_cpu_share": median(
            run["analysis"].cpu_share - run["recorder"].cpu_share for run in runs
        ),
        "search_cpu_share": median(
            run["everything"].cpu_share - run["analysis"].cpu_share for run in runs
        ),
        "lost": sum(round_.lost for round_ in rounds),
        "unfound": sum(round_.unfound for round_ in rounds),
        "packets_per_s": median(round_.packets_per_s for round_ in rounds),
    }


def _round(wire: Cable, port: int, config: PacketConfig | None, seconds: float) -> _Round:
    if config is None:
        return _measured(*_ask(wire, port, seconds), cpu_share=0.0, lost=0)
    host = wire.a
    with host.entered():
        recorder = RecorderProcess.start(
            config.model_copy(update={"interface": host.interface, "ports": (port,)})
        )
    try:
        recorder.stats()  # it is past its imports
        from_ns, cpu_ns, begin_ns = _CLOCK.now_ns(), _cpu_ns(recorder.pid), _CLOCK.monotonic_ns()
        took, elapsed_s = _ask(wire, port, seconds)
        cpu_share = (_cpu_ns(recorder.pid) - cpu_ns) / (_CLOCK.monotonic_ns() - begin_ns)
        selection = Selection(from_ns, _CLOCK.now_ns())
        packets = decode(recorder.pull(selection)).columns
        unfound = len(took) - len(recorder.contexts(selection)) if config.request_bytes else 0
        carried = int(packets.payload_bytes.sum())
        missing = 2 * len(took) - carried // REQUEST_BYTES
        lost = max(missing, recorder.stats().kernel_drops)
    finally:
        recorder.stop()
    return _measured(took, elapsed_s, cpu_share=cpu_share, lost=lost, unfound=unfound)


def _measured(
    took: Sequence[int], elapsed_s: float, *, cpu_share: float, lost: int, unfound: int = 0
) -> _Round:
    ordered = sorted(took)
    return _Round(
        p50_us=ordered[len(ordered) // 2] / 1e3,
        p99_us=ordered[len(ordered) * 99 // 100] / 1e3,
        packets_per_s=2 * len(took) / elapsed_s,
        cpu_share=cpu_share,
        lost=lost,
        unfound=unfound,
    )


def _ask(wire: Cable, port: int, seconds: float) -> tuple[list[int], float]:
    """Return the time of each request, and of all of them in seconds."""
    begin_ns = _CLOCK.monotonic_ns()
    numbers = map(str, (port, _REQUESTS_PER_S, round(_REQUESTS_PER_S * seconds)))
    with wire.a.started(_ENDS, "client", wire.b.address, *numbers) as client:
        assert client.stdout is not None
        took: list[int] = json.loads(client.stdout.read())
    return took, (_CLOCK.monotonic_ns() - begin_ns) / NS_PER_S


def _cpu_ns(pid: int) -> int:
    """Return the time on a CPU; /proc/PID/stat counts in ticks of 10 ms, which is too coarse."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _text(rounds: Mapping[str, _Round]) -> str:
    return "; ".join(
        f"{name} p50 {round_.p50_us:.1f} us, p99 {round_.p99_us:.1f} us, "
        f"{round_.packets_per_s:,.0f} packets/s, CPU {round_.cpu_share:.2%}, lost {round_.lost}"
        for name, round_ in sorted(rounds.items())
    )
