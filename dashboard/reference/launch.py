"""I/O: starts and stops the reference decision path, each service in a process of its own."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from dashboard.reference.child import ChildSettings
from dashboard.reference.scenario import Scenario

READY_S_MAX: Final = 60.0  # the imports of four processes, on a machine that has other work
STOP_S_MAX: Final = 20.0  # requests in flight, then the exporters' last batches
START_IN_NS: Final = 100_000_000  # long enough for each child to know it before it comes
# Any real-time priority comes before all that is not real-time; the kernel leaves the rest 5 % of a
# processor whatever happens (sched(7)). A niceness of -10 was measured to be too little: beside a
# browser the path waited for a processor twice as long as it had one.
_FIRST_PRIORITY: Final = 1
_ROOT: Final = Path(__file__).parents[2]


class ReferencePathError(Exception):
    """A process of the reference path did not start, or ended by itself."""


@dataclass(frozen=True, slots=True)
class TrafficSummary:
    """What the generator saw. Latencies count from the intended start, and are None without any."""

    sent: int
    ok: int
    errors: int
    outcomes: int
    lateness_p99_ms: float | None
    p50_ms: float | None
    p99_ms: float | None
    void: bool  # the generator itself was late: the latencies mean nothing
    void_reason: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON takes."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class InjectedDelay:
    """One wait that a process of the path put in; times are this machine's monotonic ns."""

    segment: str
    region: str
    from_ns: int
    to_ns: int


class _Process:
    """One child and what it says."""

    def __init__(self, name: str) -> None:
        self.name = name
        # The stable semantic conventions, which a customer's service switches on the same way.
        conventions = "OTEL_SEMCONV_STABILITY_OPT_IN=http,database"
        self._popen = subprocess.Popen(  # noqa: S603  # our own modules, by name
            ["env", conventions, sys.executable, "-m", f"dashboard.reference.{name}"],  # noqa: S607  # POSIX has it on the path
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            text=True,
            start_new_session=True,  # Ctrl-C is the parent's; it stops its children in order
        )
        self._said: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name=f"reference-{name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    def go_first(self) -> None:
        """Let it run before others, where that is permitted; its threads to come inherit it."""
        if sys.platform == "linux":
            with suppress(PermissionError, ProcessLookupError):
                first = os.sched_param(_FIRST_PRIORITY)
                os.sched_setscheduler(self.pid, os.SCHED_RR, first)

    def tell(self, line: str) -> None:
        """Write one line to it."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line + "\n")
            self._popen.stdin.flush()
        except BrokenPipeError:
            raise ReferencePathError(self._ended()) from None

    def hear(self, key: str, timeout_s: float) -> Any:  # noqa: ANN401  # what JSON gives
        """Return the value of the next line that says `key`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._said.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                raise ReferencePathError(
                    f"reference {self.name}: no {key!r} within {timeout_s:g} s"
                ) from None
            if line is None:
                self._said.put(None)
                raise ReferencePathError(self._ended())
            message = json.loads(line)
            if "error" in message:
                raise ReferencePathError(f"reference {self.name}: {message['error']}")
            if key in message:
                return message[key]

    def stop(self) -> None:
        """Ask it to end, wait, and end it where it does not."""
        if self._popen.poll() is None:
            self._popen.terminate()
        try:
            self._popen.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None
            pipe.close()

    def _ended(self) -> str:
        code = self._popen.wait(STOP_S_MAX)
        return f"reference {self.name} ended with code {code}; its error is on standard error"

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self._said.put(line)
        self._said.put(None)


class ReferencePath:
    """The reference decision path: a store, fulfilment, the path and its traffic."""

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}
        self._ports: dict[str, int] = {}

    @property
    def ports(self) -> tuple[int, ...]:
        """Return every TCP port of the loopback that a span of the path names."""
        return tuple(self._ports.values())

    @property
    def path_port(self) -> int:
        """Return the port of the decision service."""
        return self._ports["path"]

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the process id of each child by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def start(
        self,
        scenario: Scenario,
        *,
        otlp_endpoint: str,
        redis_url: str | None = None,
        seal: dict[str, str] | None = None,
        experiments_url: str | None = None,
        goes_first: bool = False,
    ) -> None:
        """Start every process and return when all answer. Nothing is asked of the path yet.

        Args:
            scenario: what is injected, and how much traffic.
            otlp_endpoint: of OTLP over HTTP: `http://host:port`.
            redis_url: a Valkey or Redis; by default an embedded one.
            seal: keys that decisions are sealed with, by the names that
                `telemetry.decision_seal` gives them; by default they are not.
            experiments_url: of the dashboard whose experiments delay decisions; by default none do.
            goes_first: before all else that wants this machine's processors, as if the path ran on
                machines of its own. Without CAP_SYS_NICE it takes its turn with the others.

        Raises:
            ReferencePathError: a process did not start; all are stopped again.
        """
        try:
            # All import at once; then each is told what it needs as soon as that is known.
            for name in ("identity_store", "fulfilment", "path", "traffic"):
                self._processes[name] = _Process(name)
                if goes_first:
                    self._processes[name].go_first()
            for names in (("identity_store", "fulfilment"), ("path",), ("traffic",)):
                settings = ChildSettings(scenario, otlp_endpoint, redis_url, self._ports)
                for name in names:
                    # A key is told to the one process that seals.
                    own = replace(settings, seal=seal, experiments_url=experiments_url)
                    self._processes[name].tell((own if name == "path" else settings).to_json())
                for name in names:
                    self._ports.update(self._processes[name].hear("ports", READY_S_MAX))
        except BaseException:
            self.stop()
            raise

    def start_traffic(self) -> None:
        """Let the traffic begin, at one instant that every process counts its faults from."""
        start = json.dumps({"start_monotonic_ns": time.monotonic_ns() + START_IN_NS})
        for process in self._processes.values():
            process.tell(start)
        for process in self._processes.values():
            process.hear("started", READY_S_MAX)

    def take_delays(self) -> list[InjectedDelay]:
        """Return every delay that was injected since the last call, in no order."""
        delays = []
        for name in ("identity_store", "fulfilment", "path"):
            self._processes[name].tell(json.dumps({"report": "delays"}))
            report = self._processes[name].hear("delays", STOP_S_MAX)
            delays += [InjectedDelay(*each) for each in report]
        return delays

    def stop_traffic(self) -> TrafficSummary:
        """End the traffic: what is in flight is answered, outcomes are sent."""
        process = self._processes.pop("traffic")
        process.stop()
        return TrafficSummary(**process.hear("summary", 0))

    def stop(self) -> None:
        """Stop every process after its exporters are flushed; a second call does nothing."""
        # Callers before the called, so that no request meets a closed door.
        for name in ("traffic", "path", "fulfilment", "identity_store"):
            if process := self._processes.pop(name, None):
                process.stop()
        self._ports.clear()
