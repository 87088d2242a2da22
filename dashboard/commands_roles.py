"""I/O: `millworth collect|alert|serve`: one role each, on a store that is a server.

`millworth attribute` and `millworth capture` are in modules of their own, beside the same work on
files.
"""

from __future__ import annotations

import json
from pathlib import Path

from collector import log
from collector.allocator import return_large_blocks
from dashboard.options import ConfigOption, JsonOption, MetricsOption
from dashboard.settings import load, service_manager
from dashboard.stop import StopSignal


def collect(
    config: ConfigOption = None, metrics_port: MetricsOption = -1, as_json: JsonOption = False
) -> None:
    """Receive OTLP into a store that is a server; brings its schema up first.

    Any number may run, each with a collector.wal_dir of its own.
    """
    run_role("collect", config, metrics_port, as_json=as_json)


def alert(
    config: ConfigOption = None, metrics_port: MetricsOption = -1, as_json: JsonOption = False
) -> None:
    """Judge alert rules and deliver webhooks over a store that is a server. One runs."""
    run_role("alert", config, metrics_port, as_json=as_json)


def serve(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Serve the pages and /api/v1 over a store that is a server. Any number may run."""
    run_role("serve", config, -1, as_json=as_json)


def run_role(name: str, config: Path | None, metrics_port: int, *, as_json: bool) -> None:
    """Run one role until it is told to stop."""
    # Loading the service's side takes a second, which no other command needs.
    from dashboard.roles import Role, RoleProcess
    from dashboard.supervisor import Supervisor

    return_large_blocks()
    log.configure()
    settings = load(config).settings
    process = RoleProcess(Role(name), settings, metrics_port=metrics_port)
    stop = StopSignal()
    what = process.start()
    if as_json:
        ready: dict[str, object] = {"ready": True, "role": name}
        if process.collector is not None:
            ready["grpc_port"] = process.collector.grpc_port
            ready["http_port"] = process.collector.http_port
        if name == "serve":
            ready["dashboard_port"] = process.dashboard_port
        if metrics_port >= 0:
            ready["metrics_port"] = process.metrics_port
        log.say(json.dumps(ready))
    else:
        log.say(f"ready: {what}")
    supervisor = Supervisor(service_manager())
    supervisor.ready(what)
    supervisor.watch(stop, process.stalled)
    supervisor.stopping()
    if not process.stop(settings.collector.drain_seconds_max):
        log.say("stopped; what is not stored yet is in the write-ahead log and follows next time")
