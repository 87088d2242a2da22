"""I/O: a whole service over a store of its own, for drills and benchmarks, and spans for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from collector.core.http.address import authority
from dashboard.service.process import Service
from dashboard.settings.settings import Settings

_FREE_PORTS = {"collector": {"grpc_port": 0, "http_port": 0}, "dashboard": {"port": 0}}


@contextmanager
def own_service(**settings: Mapping[str, object]) -> Iterator[Service]:
    """Run a service on free ports; its store is removed with it.

    Args:
        settings: each section that differs from the defaults.
    """
    with tempfile.TemporaryDirectory(prefix="millworth-", ignore_cleanup_errors=True) as directory:
        service = Service(own_settings(Path(directory), **{**_FREE_PORTS, **settings}))
        service.start()
        try:
            yield service
        finally:
            service.stop(drain_seconds=0)
            # The engine's directory is the working directory, and goes away.
            if Path.cwd().is_relative_to(Path(directory).resolve()):
                os.chdir("/")


def own_settings(directory: Path, **settings: Mapping[str, object]) -> Settings:
    """Return the defaults with these sections, over a store in a directory.

    No file and no environment: they are of a service whose alerts reach people, whose state lies
    elsewhere, and whose rules for a decision are not those of the spans that are sent here.
    """
    store = {"url": f"chdb://{directory}/store"}
    return Settings.model_validate({"store": store, **settings})


def endpoint(service: Service) -> str:
    """Return where a service takes OTLP over HTTP."""
    return f"http://{authority(service.settings.collector.host, service.ports.http)}"


def send(service: Service, message: ExportTraceServiceRequest) -> None:
    """Send spans, as an SDK does. Raises httpx.HTTPError where the service refuses them."""
    httpx.post(
        f"{endpoint(service)}/v1/traces",
        content=message.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
        timeout=60,
        trust_env=False,
    ).raise_for_status()


def rows(service: Service, query: str) -> list[tuple[Any, ...]]:
    """Return what the service's own store answers."""
    return [tuple(row) for row in service.store.client().query(query).result_rows]


def scope_of(message: ExportTraceServiceRequest, service_name: str) -> ScopeSpans:
    """Return a place for the spans of one service."""
    resource = message.resource_spans.add()
    put(resource.resource.attributes, "service.name", service_name)
    return resource.scope_spans.add()


def add_span(
    scope: ScopeSpans, trace_id: bytes, span_id: bytes, parent: bytes, kind: int, name: str
) -> Span:
    """Return a new span, whose times are still to be set."""
    span = scope.spans.add()
    span.trace_id, span.span_id, span.parent_span_id = trace_id, span_id, parent
    span.kind = kind  # type: ignore[assignment]  # an enum is an int on the wire
    span.name = name
    return span


def put(attributes: Any, key: str, value: str | int) -> None:  # noqa: ANN401  protobuf's repeated field
    """Add an attribute."""
    attribute = attributes.add()
    attribute.key = key
    if isinstance(value, int):
        attribute.value.int_value = value
    else:
        attribute.value.string_value = value
