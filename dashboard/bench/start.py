"""I/O: the starts of `millworth bench crash`, as whoever waits for one sees them.

`millworth up` is started as a command over a directory that exists, is asked until it receives and
until `/readyz` is 200, is sent spans, and is killed, so that the next start finds a log to store.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from collector.bench.harness import Progress, own_directory
from collector.bench.spans import make_requests
from collector.core.clock import NS_PER_S, SystemClock
from collector.core.errors import InputError

_START = "import sys; from dashboard.cli.main import main; main()"
_START_S_MAX = 120.0
_LOOK_S = 0.01
_SPANS = 20 * 512
_SETTINGS = """[store]
url = "chdb://{directory}/store"
[collector]
grpc_port = {grpc}
http_port = {http}
[dashboard]
port = {pages}
[packet]
enabled = false
"""


def run_start(runs: int, progress: Progress) -> dict[str, float]:
    """Return how long a start takes from the outside, over what a kill -9 under load left.

    Keys: `restart_s` (median, from the command to `/readyz` 200), `restart_s_max`, and
    `restart_receives_s`, the median until OTLP/HTTP answers.
    """
    ready, receives = list[float](), list[float]()
    with own_directory() as scratch:
        for run in range(runs + 1):
            with _started(scratch) as (http, seconds):
                if run:  # the first one makes the directory
                    receives.append(seconds[0])
                    ready.append(seconds[1])
                    progress(f"start {run} of {runs}: {seconds[1]:.2f} s to /readyz 200")
                now_ns = SystemClock().now_ns()
                for request in make_requests(run, 512, _SPANS, now_ns):
                    headers = {"content-type": "application/x-protobuf"}
                    http.post("/v1/traces", content=request, headers=headers).raise_for_status()
    return {
        "restart_s": statistics.median(ready),
        "restart_s_max": max(ready),
        "restart_receives_s": statistics.median(receives),
    }


@contextmanager
def _started(directory: Path) -> Iterator[tuple[httpx.Client, tuple[float, float]]]:
    """Yield a client of a service's receiver and when it answered; the service is killed."""
    ports = {"grpc": _free_port(), "http": _free_port(), "pages": _free_port()}
    config = directory / "millworth.toml"
    config.write_text(_SETTINGS.format(directory=directory, **ports))
    command = [sys.executable, "-c", _START, "up", "--config", str(config)]
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    with (
        (directory / "lines").open("a") as lines,
        subprocess.Popen(command, stdout=lines, stderr=lines) as service,  # noqa: S603  ourselves
        httpx.Client(base_url=f"http://127.0.0.1:{ports['http']}", trust_env=False) as http,
    ):
        try:
            seconds = [
                (_answered_ns(http, url, clock, service) - began_ns) / NS_PER_S
                for url in (f"{http.base_url}", f"http://127.0.0.1:{ports['pages']}/readyz")
            ]
            yield http, (seconds[0], seconds[1])
        finally:
            service.kill()


def _answered_ns(
    http: httpx.Client, url: str, clock: SystemClock, service: subprocess.Popen[bytes]
) -> int:
    """Return when a service answers at an address, with other than 503 for a path of its own."""
    deadline_ns = clock.monotonic_ns() + round(_START_S_MAX * NS_PER_S)
    while clock.monotonic_ns() < deadline_ns:
        try:
            if http.get(url).status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return clock.monotonic_ns()
        except httpx.TransportError:
            pass
        try:
            service.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    raise InputError("bench crash: `millworth up` did not become ready in 120 s")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
