"""I/O: what a customer's service imports to stamp its decisions; needs OpenTelemetry alone.

The public names; begin with `DecisionInstrument`.
"""

from collector.core.event_schema import STAGES, DecisionFields
from collector.instrument.decision import Decision
from collector.instrument.delay import DelayInjector
from collector.instrument.export import DecisionExporter
from collector.instrument.hooks import (
    asgi_request_hook,
    httpx_async_response_hook,
    httpx_response_hook,
    mark_packet_sample,
    reporting_connection,
)
from collector.instrument.instrument import DecisionInstrument, StageProcessor, outcome
from collector.instrument.seal import DecisionSeal, OutcomeSeal
from collector.instrument.tcp_info import tcp_call
from collector.provenance.event import MacKey

__all__ = [
    "STAGES",
    "Decision",
    "DecisionExporter",
    "DecisionFields",
    "DecisionInstrument",
    "DecisionSeal",
    "DelayInjector",
    "MacKey",
    "OutcomeSeal",
    "StageProcessor",
    "asgi_request_hook",
    "httpx_async_response_hook",
    "httpx_response_hook",
    "mark_packet_sample",
    "outcome",
    "reporting_connection",
    "tcp_call",
]
