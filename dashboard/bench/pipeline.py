"""I/O: `millworth bench pipeline`: the whole service under decisions that come at a rate.

`millworth up` runs as a command with the shipped settings over a directory of its own; a sender of
another process sends decisions of eight spans, one in four with an outcome, at rates that rise. All
CPU is that of the service and its children, as Linux counts it by thread: the store's threads bear
the store's names, whoever asked. How far each stage is behind is what `/metrics` says.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from collector.bench.harness import Progress, medians, own_directory
from collector.bench.open_sender import OpenSender
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from dashboard.bench.process_figures import cpu_by_thread_s, peak_rss_mib
from dashboard.bench.served import Served, served

RATES: Final = (60, 500, 1_500, 3_000, 5_000, 8_000, 10_000)
QUICK_RATES: Final = (60, 1_500, 8_000)
TRICKLE: Final = 60
BEHIND_S_MAX: Final = 10.0
_SECONDS: Final = 45.0
_QUICK_SECONDS: Final = 20.0
_SETTLE_S: Final = 8.0  # after a start, before idleness is measured
# Until decisions that came first are attributed there is less to do than later.
_RAMP_S: Final = 12.0
_LOOK_S: Final = 2.0
# A service that cannot keep up is left behind after that.
_DRAIN_S_MAX: Final = 90.0
_THREAD_SHARE_MIN: Final = 0.005
_BEHIND: Final = "millworth_stage_behind_seconds"
_PUT_OFF: Final = "millworth_attribution_put_off_seconds"
_JOB_SECONDS: Final = "millworth_job_seconds"


@dataclass(slots=True)
class Window:
    """What was seen of a service over some time."""

    seconds: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)  # by thread, all under ""
    busy_s: dict[str, float] = field(default_factory=dict)  # by job
    behind_s: dict[str, list[float]] = field(default_factory=dict)  # by stage
    put_off_s: float = 0.0  # of what arrived, at the end


@dataclass(slots=True)
class Metrics:
    """What a service says of itself."""

    behind_s: dict[str, float] = field(default_factory=dict)  # by stage
    busy_s: dict[str, float] = field(default_factory=dict)  # by job
    put_off_s: float = 0.0


def run_pipeline(
    runs: int, progress: Progress, *, quick: bool = False, rates: Sequence[int] = ()
) -> dict[str, float]:
    """Return medians over runs, each of a new service.

    Keys: `idle_cores` and `trickle_cores` (60 decisions/s); `rate_within_10s`, the highest of the
    rates at which attribution stayed less than 10 s behind; `whole_rate`, the highest at which
    nothing was put off for it, `sustained_decisions_per_s`, the same as it was sent, and
    `cpu_us_per_decision` at it. By rate N: `cores_N`, `cpu_us_per_decision_N`, `sender_cores_N`,
    `sent_per_s_N`, `ack_p99_ms_N`, `behind_s_STAGE_N` (the most), `put_off_s_N` (how much of what
    arrived waited at the end), `drain_s_N` (until all of it was attributed), `peak_rss_mib_N`;
    `cpu_us_THREAD_N`, and `busy_JOB_N`, the share of time that a job was at work. One run where it
    is quick.
    """
    rates = rates or (QUICK_RATES if quick else RATES)
    seconds = _QUICK_SECONDS if quick else _SECONDS
    done = []
    for run in range(1 if quick else runs):
        done.append(one_run(rates, seconds, progress))
        progress(f"pipeline: run {run + 1}: {done[-1]['rate_within_10s']:.0f} decisions/s")
    shared = set[str].intersection(*(set(each) for each in done))
    return medians([{key: value for key, value in each.items() if key in shared} for each in done])


def one_run(rates: Sequence[int], seconds: float, progress: Progress) -> dict[str, float]:
    """Return the figures of one service that is sent to at each of these rates in turn."""
    figures: dict[str, float] = {"rate_within_10s": 0.0, "whole_rate": 0.0}
    with own_directory() as scratch, served(scratch) as service:
        threading.Event().wait(_SETTLE_S)
        idle = _watched(service, seconds, looks=False)
        figures["idle_cores"] = idle.cpu_s[""] / idle.seconds
        progress(f"pipeline: idle, {figures['idle_cores']:.3f} cores")
        for number, rate in enumerate(rates):
            own = _at_rate(service, number, rate, seconds)
            figures |= {f"{key}_{rate}": value for key, value in own.items()}
            progress(
                f"pipeline: {rate}/s, {own['cores']:.2f} cores, "
                f"attributed {own['behind_s_attributed']:.1f} s behind at most, "
                f"{own['put_off_s']:.0f} s put off"
            )
            is_fresh = own["behind_s_attributed"] < BEHIND_S_MAX
            if is_fresh:
                figures["rate_within_10s"] = float(rate)
            if is_fresh and not own["put_off_s"]:
                figures |= {
                    "whole_rate": float(rate),
                    "sustained_decisions_per_s": own["sent_per_s"],
                    "cpu_us_per_decision": own["cpu_us_per_decision"],
                }
            if rate == TRICKLE:
                figures["trickle_cores"] = own["cores"]
            if own["drain_s"] >= _DRAIN_S_MAX:
                break  # it would begin the next rate with what is left of this one
    return figures


def _at_rate(service: Served, seed: int, rate: int, seconds: float) -> dict[str, float]:
    clock, sender = SystemClock(), OpenSender(service.http_port, seed)
    sender.send(rate, _RAMP_S + seconds)
    threading.Event().wait(_RAMP_S)
    window = _watched(service, seconds, looks=True)
    sent = sender.sent()
    sender.close()
    ended_ns, drain_s = clock.now_ns(), 0.0
    while drain_s < _DRAIN_S_MAX:
        behind = _metrics(service).behind_s
        behind_s = max(behind.get(stage, _DRAIN_S_MAX) for stage in ("attributed", "late"))
        drain_s = (clock.now_ns() - ended_ns) / NS_PER_S
        if behind_s <= drain_s:
            break
        threading.Event().wait(_LOOK_S / 4)
    decisions = sent.decisions * window.seconds / max(sent.seconds, window.seconds)
    return {
        "cores": window.cpu_s[""] / window.seconds,
        "cpu_us_per_decision": window.cpu_s[""] / decisions * 1e6,
        "sender_cores": sent.cpu_s / sent.seconds,
        "sent_per_s": sent.decisions / sent.seconds,
        "ack_p99_ms": sent.ack_p99_ms,
        "put_off_s": window.put_off_s,
        "drain_s": drain_s,
        "peak_rss_mib": peak_rss_mib(service.pid),
        **{f"behind_s_{stage}": max(each) for stage, each in window.behind_s.items()},
        **{
            f"cpu_us_{name}": cpu_s / decisions * 1e6
            for name, cpu_s in window.cpu_s.items()
            if name and cpu_s > _THREAD_SHARE_MIN * window.cpu_s[""]
        },
        **{f"busy_{job}": busy_s / window.seconds for job, busy_s in window.busy_s.items()},
    }


def _watched(service: Served, seconds: float, *, looks: bool) -> Window:
    """Watch for so long; without looks nothing is asked of the service meanwhile."""
    clock, waiting, window = SystemClock(), threading.Event(), Window()
    busy_before, cpu_before = _metrics(service).busy_s, cpu_by_thread_s(service.pid)
    began_ns = clock.monotonic_ns()
    while (past_s := (clock.monotonic_ns() - began_ns) / NS_PER_S) < seconds:
        waiting.wait(min(_LOOK_S, seconds - past_s) if looks else seconds - past_s)
        if looks:
            for stage, behind_s in _metrics(service).behind_s.items():
                window.behind_s.setdefault(stage, []).append(behind_s)
    window.seconds = (clock.monotonic_ns() - began_ns) / NS_PER_S
    cpu = cpu_by_thread_s(service.pid)
    window.cpu_s = {name: each - cpu_before.get(name, 0.0) for name, each in cpu.items()}
    last = _metrics(service)
    window.busy_s = {job: each - busy_before.get(job, 0.0) for job, each in last.busy_s.items()}
    window.put_off_s = last.put_off_s
    return window


def _metrics(service: Served) -> Metrics:
    found = Metrics()
    text = httpx.get(f"{service.pages}/metrics", trust_env=False, timeout=60).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _BEHIND:
                found.behind_s[sample.labels["stage"]] = sample.value
            elif sample.name == f"{_JOB_SECONDS}_sum":
                found.busy_s[sample.labels["job"]] = sample.value
            elif sample.name == _PUT_OFF:
                found.put_off_s = sample.value
    return found
