"""I/O: how a service of the reference path exports, like any customer: stock OTLP over HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from opentelemetry._logs import Logger
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector.instrument import DecisionInstrument, DecisionSeal, MacKey, StageProcessor

SCHEDULE_MS: Final = 500
BATCH_MAX: Final = 64  # a larger batch holds the interpreter for longer than a decision takes
TIMEOUT_S: Final = 5.0


def resource(service: str) -> Resource:
    """Return who speaks."""
    return Resource.create(
        {
            "service.name": service,
            "service.namespace": "reference",
            "service.instance.id": f"{service}-{os.getpid()}",
            "host.name": socket.gethostname(),
        }
    )


def tracer_provider(service: str, otlp_endpoint: str) -> TracerProvider:
    """Return a provider that exports in batches; whoever makes it shuts it down."""
    # The service shuts it down after its last request; a second time at exit would be noise.
    provider = TracerProvider(resource=resource(service), shutdown_on_exit=False)
    provider.add_span_processor(StageProcessor())
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(f"{otlp_endpoint}/v1/traces", timeout=TIMEOUT_S),
            schedule_delay_millis=SCHEDULE_MS,
            max_export_batch_size=BATCH_MAX,
        )
    )
    return provider


def decision_instrument(
    service: str, otlp_endpoint: str, seal: DecisionSeal | None = None
) -> DecisionInstrument:
    """Return the instrument of the decisions themselves."""
    return DecisionInstrument(
        OTLPSpanExporter(f"{otlp_endpoint}/v1/traces", timeout=TIMEOUT_S),
        resource(service),
        seal=seal,
    )


def decision_seal(service: str, keys: Mapping[str, str], logger: Logger) -> DecisionSeal:
    """Return what seals the decisions of a service.

    Args:
        service: names the chain.
        keys: `mac_kid`, `mac_secret`, `sign_kid` and `sign_private`, the secrets in hex.
        logger: sends the checkpoints.
    """
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys["sign_private"]))
    return DecisionSeal(
        MacKey(keys["mac_kid"], bytes.fromhex(keys["mac_secret"])),
        service,
        sign=private.sign,
        sign_kid=keys["sign_kid"],
        logger=logger,
    )


def logger_provider(service: str, otlp_endpoint: str) -> tuple[LoggerProvider, Logger]:
    """Return a provider of log records, and a logger of it."""
    provider = LoggerProvider(resource=resource(service), shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(
            OTLPLogExporter(f"{otlp_endpoint}/v1/logs", timeout=TIMEOUT_S),
            schedule_delay_millis=SCHEDULE_MS,
            max_export_batch_size=BATCH_MAX,
        )
    )
    return provider, provider.get_logger("dashboard.reference")
