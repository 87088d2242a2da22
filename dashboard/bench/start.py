"""I/O: the starts of `millworth bench crash`, as whoever waits for one sees them.

`millworth up` is started as a command over a directory that exists, is asked until it receives and
until `/readyz` is 200, is sent spans, and is killed, so that the next start finds a log to store.
"""

from __future__ import annotations

import statistics

import httpx

from collector.bench.harness import Progress, own_directory
from collector.bench.spans import make_requests
from collector.core.clock import SystemClock
from dashboard.bench.served import NO_PACKETS, served

_SPANS = 20 * 512


def run_start(runs: int, progress: Progress) -> dict[str, float]:
    """Return how long a start takes from the outside, over what a kill -9 under load left.

    Keys: `restart_s` (median, from the command to `/readyz` 200), `restart_s_max`, and
    `restart_receives_s`, the median until OTLP/HTTP answers.
    """
    ready, receives = list[float](), list[float]()
    with own_directory() as scratch, httpx.Client(trust_env=False) as http:
        for run in range(runs + 1):
            with served(scratch, NO_PACKETS) as service:
                if run:  # the first one makes the directory
                    receives.append(service.receives_s)
                    ready.append(service.ready_s)
                    progress(f"start {run} of {runs}: {service.ready_s:.2f} s to /readyz 200")
                url = f"http://127.0.0.1:{service.http_port}/v1/traces"
                headers = {"content-type": "application/x-protobuf"}
                for request in make_requests(run, 512, _SPANS, SystemClock().now_ns()):
                    http.post(url, content=request, headers=headers).raise_for_status()
    return {
        "restart_s": statistics.median(ready),
        "restart_s_max": max(ready),
        "restart_receives_s": statistics.median(receives),
    }
