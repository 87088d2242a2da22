"""Collectors and requests that several test modules of the receivers use."""

from __future__ import annotations

from pathlib import Path

import httpx
from google.protobuf.message import Message

from collector.core.config import CollectorConfig, StoreConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock

WAIT_S = 30
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = "application/x-protobuf"


def storeless(wal_dir: Path, **limits: object) -> CollectorService:
    """Return a collector, not started, whose store is never asked, because nothing gets so far."""
    return storeless_over(Disk(), wal_dir, **limits)


def storeless_over(disk: Disk, wal_dir: Path, **limits: object) -> CollectorService:
    """Return a collector as `storeless` does, over a disk of the test's own."""
    config = CollectorConfig.model_validate({"grpc_port": 0, "http_port": 0, **limits})
    nowhere = Connections(StoreConfig())
    return CollectorService(config, nowhere, wal_dir, Counters(), ManualClock(NOW_NS), disk=disk)


def post(http: httpx.Client, message: Message, path: str = "/v1/traces") -> httpx.Response:
    """Send one request in Protobuf."""
    body = message.SerializeToString()
    return http.post(path, content=body, headers={"content-type": PROTOBUF})
