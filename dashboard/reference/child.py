"""I/O: what every process of the reference path shares: how it is told, and how it ends.

The parent writes lines of JSON to standard input: first the settings, later the instant at which
the traffic starts. The child answers on standard output: `ready` with its ports, then `started`;
when it is asked, it tells every delay that it injected, which is the truth that attribution is held
against. The end of standard input is the death of the parent, and ends the child as SIGTERM does.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import uvicorn
import uvloop

from dashboard.reference.scenario import Scenario

HOST: Final = "127.0.0.1"
NS_PER_S: Final = 1_000_000_000
# Of a run that nobody asks about, the oldest are forgotten.
DELAYS_HELD_MAX: Final = 50_000


class ChildError(Exception):
    """Why a child cannot run: one line, which the parent passes on."""


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What the parent tells a child first."""

    scenario: Scenario
    otlp_endpoint: str  # http://host:port, without a path
    redis_url: str | None = None
    ports: dict[str, int] = field(default_factory=dict)  # of the children that are ready
    seal: dict[str, str] | None = None  # keys as `telemetry.decision_seal` takes them
    experiments_url: str | None = None  # where to ask which delays are registered

    def to_json(self) -> str:
        """Return one line."""
        return json.dumps({**asdict(self), "scenario": self.scenario.to_json()})

    @classmethod
    def from_json(cls, text: str) -> ChildSettings:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "scenario": Scenario.from_json(values["scenario"])})


class Child:
    """One process of the path: its settings, the time since the traffic began, and its end."""

    def __init__(self, settings: ChildSettings) -> None:
        self.settings = settings
        self.started = asyncio.Event()
        self.stopping = asyncio.Event()
        self.start_ns = 0  # monotonic, which all processes of a machine share
        self._reading: asyncio.Task[None] | None = None
        self._delays: deque[tuple[str, str, int, int]] = deque(maxlen=DELAYS_HELD_MAX)

    @property
    def elapsed_s(self) -> float:
        """Return seconds since the traffic began; below 0 before."""
        if not self.started.is_set():
            return -1.0
        return (time.monotonic_ns() - self.start_ns) / NS_PER_S

    async def delay(self, segment: str, region: str) -> None:
        """Take as long as the scenario says; never less, and up to a timer tick (1 ms) more."""
        delay_ns = self.settings.scenario.delay_ns(segment, region, self.elapsed_s)
        await self.wait(segment, region, delay_ns)

    async def wait(self, segment: str, region: str, delay_ns: int) -> None:
        """Take so long at one segment, and remember when that was."""
        if delay_ns <= 0:
            return
        from_ns = time.monotonic_ns()
        await sleep_ns(delay_ns)
        self._delays.append((segment, region, from_ns, time.monotonic_ns()))

    def ready(self, **ports: int) -> None:
        """Tell the parent that requests are answered now, and listen to it."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stopping.set)
        # A full collection would walk all that was imported, and hold up every request meanwhile.
        gc.collect()
        gc.freeze()
        self._reading = loop.create_task(self._listen())
        say(ready=True, ports=ports)

    async def _listen(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            message = json.loads(line)
            if "start_monotonic_ns" in message:
                self.start_ns = message["start_monotonic_ns"]
                self.started.set()
                say(started=True)
            else:
                say(delays=list(self._delays))
                self._delays.clear()
        self.stopping.set()


async def sleep_ns(duration_ns: int) -> None:
    """Sleep for at least so long: timers of the loop tick in milliseconds and may fire early."""
    until_ns = time.monotonic_ns() + duration_ns
    while (left_ns := until_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(max(left_ns / NS_PER_S, 0.001))


def say(**message: object) -> None:
    """Write one line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def run(main: Callable[[Child], Coroutine[Any, Any, None]]) -> None:
    """Read the settings, then run one child until it is told to stop."""
    line = sys.stdin.readline()
    if not line:  # the parent is gone already
        return
    # A thread that exports holds the interpreter for at most so long while a request waits.
    sys.setswitchinterval(0.0005)

    async def start() -> None:
        await main(Child(ChildSettings.from_json(line)))

    try:
        uvloop.run(start())
    except ChildError as error:
        say(error=str(error))
        sys.exit(1)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the child's own decide when it ends."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve_until_stopped(child: Child, name: str, app: Any) -> None:  # noqa: ANN401  # an ASGI application
    """Serve one ASGI application on an ephemeral port of the loopback until the child stops."""
    listener = socket.create_server((HOST, 0))
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            # The callers are ours and keep their connections; the default closes them after 5 s,
            # and a request that meets the close is an error that no scenario injected.
            timeout_keep_alive=3600,
            timeout_graceful_shutdown=5,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    # The socket accepts from here on, whatever the server is still setting up.
    child.ready(**{name: listener.getsockname()[1]})
    await child.stopping.wait()
    server.should_exit = True
    await serving
