"""I/O: OTLP over gRPC. Requests are handed on as bytes; nothing is decoded twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc

from collector.address import authority
from collector.errors import (
    AddressInUseError,
    DecodeError,
    LogFullError,
    LogWriteError,
    TransientError,
)
from collector.intake import Intake
from collector.otlp import Signal
from collector.rpc_status import rpc_status

_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
# A thread waits for the sync of its request, so this is also how many share one sync.
_THREADS = 32
# Calls that are served or wait for a thread; gRPC itself has no limit, and each holds memory. Over
# it a call ends in RESOURCE_EXHAUSTED before its message is read.
CALLS_MAX = 512


class GrpcReceiver:
    """The gRPC server of the collector."""

    def __init__(self, intake: Intake, host: str, port: int, body_bytes_max: int) -> None:
        self._intake = intake
        self._host = host
        self._port = port
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-grpc"),
            maximum_concurrent_rpcs=CALLS_MAX,
            options=[
                ("grpc.max_receive_message_length", body_bytes_max),
                # Otherwise a second service binds a taken port, and each gets half the calls.
                ("grpc.so_reuseport", 0),
            ],
        )
        for signal, service in _SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(self._export(signal))
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
            )

    @property
    def port(self) -> int:
        """Return the port that it listens on, also where any was asked for."""
        return self._port

    def bind(self) -> None:
        """Take the port.

        Raises:
            AddressInUseError: another process has it.
        """
        try:
            self._try_port()
            self._port = self._server.add_insecure_port(authority(self._host, self._port))
        except (OSError, RuntimeError) as error:
            raise AddressInUseError(
                f"{authority(self._host, self._port)} is taken or not ours to take; stop what "
                "listens there, or set collector.grpc_port (or collector.host) to another"
            ) from error

    def _try_port(self) -> None:
        """Take the port for a moment: of one that is taken, gRPC writes lines of its own."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self._host, self._port))

    def start(self) -> None:
        """Accept calls."""
        self._server.start()

    def stop(self, grace_seconds: float) -> threading.Event:
        """Accept no more calls; the event is set when those under way are answered."""
        stopped: threading.Event = self._server.stop(grace_seconds)
        return stopped

    def _export(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                receipt = self._intake.receive(signal, request, "grpc")
                receipt.synced.result()
            except DecodeError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except LogFullError as error:
                self._ask_to_retry(context, grpc.StatusCode.RESOURCE_EXHAUSTED, error)
            except LogWriteError as error:
                self._ask_to_retry(context, grpc.StatusCode.UNAVAILABLE, error)
            return receipt.answer.SerializeToString()

        return export

    def _ask_to_retry(
        self, context: grpc.ServicerContext, code: grpc.StatusCode, error: TransientError
    ) -> NoReturn:
        # OTLP: RESOURCE_EXHAUSTED may be retried only where RetryInfo says so.
        status = rpc_status(code.value[0], str(error), self._intake.retry_seconds(error))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, str(error))
        raise AssertionError("abort returned")
