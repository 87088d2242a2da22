"""I/O: what a service says of itself at an instant: CPU, rows read, how far it is behind."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MINUTE
from dashboard.bench.process_figures import cpu_by_thread_s
from dashboard.bench.served import Served

# A service answers before its pages are loaded, and has no figures until then.
_LOADED_S: Final = 0.2
_LOADED_NS_MAX: Final = NS_PER_MINUTE
_LATE_JOB: Final = "job late"
_SETTLED_S: Final = 4.0  # what is late came longer ago before it is known to be
_QUIET_LOOKS: Final = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What `/metrics` says at an instant, with the CPU time of the service."""

    at_ns: int
    cpu_s: float
    behind_s: Mapping[str, float]  # by stage
    rows: Mapping[str, float]  # by who asked
    read_bytes: Mapping[str, float]  # likewise, before compression

    @property
    def rows_read(self) -> float:
        """Return rows that all have read."""
        return sum(self.rows.values())

    def rows_asked_since(self, before: Look) -> float:
        """Return rows that routes and pages, and not jobs, have read since another look."""
        return _asked_since(self.rows, before.rows)

    def bytes_asked_since(self, before: Look) -> float:
        """Return bytes that routes and pages have read since another look."""
        return _asked_since(self.read_bytes, before.read_bytes)


def late_done_at(sent: Look, looks: Sequence[Look]) -> int:
    """Return after how many looks everything late was done, 0 where it may not be.

    It has read since it was sent, and then nothing more while it was not behind: how far behind it
    is the job says between its runs alone, and a thousand decisions may be done in one.
    """
    rows = [each.rows.get(_LATE_JOB, 0.0) for each in looks]
    quiet = looks[-_QUIET_LOOKS:]
    is_quiet = len(quiet) == _QUIET_LOOKS and len(set(rows[-_QUIET_LOOKS:])) == 1
    has_begun = bool(rows) and rows[-1] > sent.rows.get(_LATE_JOB, 0.0)
    is_behind = any(each.behind_s["late"] > _SETTLED_S for each in quiet)
    return len(looks) - _QUIET_LOOKS + 1 if is_quiet and has_begun and not is_behind else 0


def _asked_since(now: Mapping[str, float], before: Mapping[str, float]) -> float:
    return sum(
        value - before.get(asker, 0.0)
        for asker, value in now.items()
        if not asker.startswith("job ")
    )


def look(service: Served) -> Look:
    """Return what a service says of itself now."""
    text, waiting, clock = "", threading.Event(), SystemClock()
    deadline_ns = clock.monotonic_ns() + _LOADED_NS_MAX
    while not text:
        answer = httpx.get(f"{service.pages}/metrics", trust_env=False, timeout=60)
        if answer.status_code == httpx.codes.OK:
            text = answer.text
        elif clock.monotonic_ns() > deadline_ns:
            answer.raise_for_status()
        else:
            waiting.wait(_LOADED_S)
    behind, rows, read_bytes = dict[str, float](), dict[str, float](), dict[str, float]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "millworth_stage_behind_seconds":
                behind[sample.labels["stage"]] = sample.value
            elif sample.name == "millworth_store_read_rows_total":
                rows[sample.labels["asker"]] = sample.value
            elif sample.name == "millworth_store_read_bytes_total":
                read_bytes[sample.labels["asker"]] = sample.value
    cpu_s = cpu_by_thread_s(service.pid)[""]
    return Look(SystemClock().monotonic_ns(), cpu_s, behind, rows, read_bytes)
