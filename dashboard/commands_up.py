"""I/O: `millworth up`: the whole service in one process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from collector import log
from collector.address import authority
from collector.allocator import return_large_blocks
from dashboard.options import ConfigOption, JsonOption
from dashboard.settings import load, service_manager
from dashboard.stop import StopSignal
from dashboard.supervisor import Supervisor

if TYPE_CHECKING:
    from dashboard.runtime import Service


def up(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run the whole service: receivers, jobs, alerts and dashboard.

    The embedded store has one owner: a second `up` on the same directory is refused.
    """
    # What serves is of no use to any other command.
    from dashboard.runtime import Service

    return_large_blocks()
    log.configure()
    stop = StopSignal()
    service = Service(load(config).settings)
    service.start()
    try:
        service.start_packets()
    except BaseException:
        # The engine's threads do not survive an interpreter that ends under them.
        service.stop(drain_seconds=0)
        raise
    _say_ready(service, as_json=as_json)
    ports = service.ports
    supervisor = Supervisor(service_manager())
    supervisor.ready(f"OTLP on ports {ports.grpc} and {ports.http}, pages on {ports.dashboard}")
    supervisor.watch(stop, service.stalled)
    supervisor.stopping()
    drained = service.stop(service.settings.collector.drain_seconds_max)
    if not drained:
        log.say("stopped; what is not stored yet is in the write-ahead log and follows next time")


def _say_ready(service: Service, *, as_json: bool) -> None:
    ports = service.ports
    if as_json:
        ready = {"ready": True, "grpc_port": ports.grpc, "http_port": ports.http}
        log.say(json.dumps(ready | {"dashboard_port": ports.dashboard}))
        return
    collector, dashboard = service.settings.collector, service.settings.dashboard
    scheme = "https" if dashboard.tls.is_on else "http"
    log.say(
        f"ready: OTLP on {authority(collector.host, ports.grpc)} (gRPC) and "
        f":{ports.http} (HTTP); dashboard {scheme}://{authority(dashboard.host, ports.dashboard)}"
    )
    if service.recorder is None:
        log.say(f"packets: off. {service.capture_off_reason}")
