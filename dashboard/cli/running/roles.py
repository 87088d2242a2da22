"""I/O: `millworth collect|alert|serve`: one role each, on a store that is a server.

`millworth attribute` and `millworth capture` are in modules of their own, beside the same work on
files.
"""

from __future__ import annotations

from dashboard.cli.options import ConfigOption, JsonOption, MetricsOption
from dashboard.cli.running.up import run_service


def collect(
    config: ConfigOption = None, metrics_port: MetricsOption = -1, as_json: JsonOption = False
) -> None:
    """Receive OTLP into a store that is a server; brings its schema up first.

    Any number may run, each with a collector.wal_dir of its own.
    """
    run_service(config, as_json=as_json, role="collect", metrics_port=metrics_port)


def alert(
    config: ConfigOption = None, metrics_port: MetricsOption = -1, as_json: JsonOption = False
) -> None:
    """Judge alert rules and deliver webhooks over a store that is a server. One runs."""
    run_service(config, as_json=as_json, role="alert", metrics_port=metrics_port)


def serve(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Serve the pages and /api/v1 over a store that is a server. Any number may run."""
    run_service(config, as_json=as_json, role="serve")
