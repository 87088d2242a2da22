"""I/O: OTLP over gRPC. Requests are handed on as bytes; nothing is decoded twice.

A call is judged before its message is read: by its token, and by how many calls there are. For
that the handlers are of the streaming kind, which read when they choose; on the wire there is no
difference, nor is there one in CPU: 2.4 us a span, where unary ones, which would have the messages
of all calls read at once, take 2.6. What a message expands to is bounded by gRPC itself, while it
expands it.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import grpc

from collector.auth.gate import Gate, Sender, open_listener
from collector.auth.tls import Certificates
from collector.auth.tokens import Scope
from collector.core.clock import Clock
from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.core.errors import (
    AddressInUseError,
    ClientGoneError,
    DecodeError,
    LogFullError,
    LogWriteError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTooLargeError,
    UnauthenticatedError,
)
from collector.core.http.address import authority, not_ours
from collector.core.worker import Worker
from collector.otlp.check import Signal
from collector.otlp.outcomes import carries_outcome
from collector.receive.grpc_deadlines import SlowReads
from collector.receive.http_app import say_too_large
from collector.receive.pipeline import Intake
from collector.receive.status import rpc_status
from collector.wal.drain_rate import DrainRate

if TYPE_CHECKING:
    # Generic in the stubs alone.
    _GenericRpcHandler = grpc.GenericRpcHandler[bytes, bytes]
else:
    _GenericRpcHandler = grpc.GenericRpcHandler

_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
# A thread waits for the sync of its request, so this is also how many share one sync.
_THREADS = 32
# One connection shall not take all the calls; those over it wait at the sender.
_CALLS_SHARE = 4
# Headers of a call, the token among them.
_METADATA_BYTES_MAX = 16 * 1024
# A peer that has vanished without a word is noticed after these two.
_KEEPALIVE_MS = 60_000
_KEEPALIVE_TIMEOUT_MS = 20_000
# What gRPC itself refuses hears no word of ours, so it takes more than may be taken: less than a
# message of the largest size takes while it is parsed, which is about five times its bytes.
_REFUSED_SHARE = 4
_LISTENER = "grpc"

Behaviour = Callable[[Iterator[bytes], grpc.ServicerContext], bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"


class GrpcReceiver:
    """The gRPC server of the collector."""

    def __init__(
        self, intake: Intake, config: CollectorConfig, gate: Gate, counters: Counters, clock: Clock
    ) -> None:
        self._intake = intake
        self._config = config
        self._gate = gate
        self._counters = counters
        self._clock = clock
        self._port = config.grpc_port
        self._calls = _Calls(config.calls_max, clock)
        self._slow_reads = SlowReads(
            config.read_seconds_max,
            lambda: self._calls.running > _THREADS,
            counters,
            _LISTENER,
            clock,
        )
        # Refusals have a thread of their own: they shall not wait behind the calls that are held.
        self._refusing = ThreadPoolExecutor(1, thread_name_prefix="otlp-grpc-refuse")
        self._refuse_call = grpc.stream_unary_rpc_method_handler(
            _on_pool(self._busy, self._refusing)
        )
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-grpc"),
            options=_options(config),
        )
        for signal, service in _SERVICES.items():
            self._server.add_generic_rpc_handlers((_Service(service, self._handler(signal)),))

    @property
    def worker(self) -> Worker:
        """Return its thread; those that answer are gRPC's own, which outlive what they run."""
        return self._slow_reads.worker

    @property
    def port(self) -> int:
        """Return the port that it listens on, also where any was asked for."""
        return self._port

    def bind(self) -> None:
        """Take the port.

        Raises:
            AddressInUseError: another process has it.
            ConfigError: it is not ours to take, strangers would be let in, or a certificate is not
                good.
        """
        config = self._config
        open_listener("OTLP/gRPC", "collector.host", config.host, config.tls, asks=self._gate.asks)
        credentials = None
        if config.tls.is_on:
            certificates = Certificates(config.tls, "collector.tls", self._clock, self._counters)
            credentials = certificates.grpc_credentials()
        address = authority(config.host, self._port)
        try:
            self._try_port()
            self._port = (
                self._server.add_insecure_port(address)
                if credentials is None
                else self._server.add_secure_port(address, credentials)
            )
        except OSError as error:
            raise not_ours(config.host, self._port, "collector.grpc_port", error) from error
        except RuntimeError as error:
            raise AddressInUseError(
                f"{address} is taken; stop what listens there, or set collector.grpc_port (or "
                "collector.host) to another"
            ) from error

    def _try_port(self) -> None:
        """Take the port for a moment: of one that is taken, gRPC writes lines of its own."""
        family = socket.AF_INET6 if ":" in self._config.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self._config.host, self._port))

    def start(self) -> None:
        """Accept calls."""
        self._slow_reads.start()
        self._server.start()

    def stop(self, grace_seconds: float) -> threading.Event:
        """Accept no more calls; the event is set when those under way are answered."""
        self._slow_reads.stop()
        stopped: threading.Event = self._server.stop(grace_seconds)
        self._refusing.shutdown(wait=False)
        return stopped

    def _handler(self, signal: Signal) -> Callable[[], Handler]:
        export = grpc.stream_unary_rpc_method_handler(self._export(signal))

        def handler() -> Handler:
            return export if self._calls.enter() else self._refuse_call

        return handler

    def _export(self, signal: Signal) -> Behaviour:
        def export(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            try:
                return self._take(signal, requests, context)
            except DecodeError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except RequestTooLargeError as error:
                self._intake.refuse_too_large(signal, _LISTENER, str(error))
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except UnauthenticatedError as error:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            except PermissionDeniedError as error:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
            except RateLimitedError as error:
                _ask_to_retry(
                    context,
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    str(error),
                    error.retry_seconds,
                )
            except LogFullError as error:
                seconds = self._intake.retry_seconds(error)
                _ask_to_retry(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), seconds)
            except (LogWriteError, ClientGoneError) as error:
                seconds = self._intake.retry_seconds(error)
                _ask_to_retry(context, grpc.StatusCode.UNAVAILABLE, str(error), seconds)
            except grpc.RpcError:
                raise  # the call ended, as gRPC knows
            except Exception as error:  # noqa: BLE001  counted, logged and answered
                reason = self._intake.fail(signal, _LISTENER, error)
                context.abort(grpc.StatusCode.INTERNAL, reason)
            finally:
                self._calls.leave()
            raise AssertionError("abort returned")

        return export

    def _take(
        self, signal: Signal, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> bytes:
        sender = self._gate.admit(_LISTENER, _authorization(context), Scope(signal))
        try:
            with self._slow_reads.reading(context):
                request = next(requests, None)
        except grpc.RpcError:
            self._intake.refuse_unread(signal)
            raise
        if request is None:
            # Nothing was sent, or gRPC refused it and has not yet said that the call is over.
            self._intake.refuse_unread(signal)
            raise DecodeError("the call has no message; send an export request")
        if len(request) > self._config.body_bytes_max:
            raise RequestTooLargeError(say_too_large(self._config.body_bytes_max))
        self._gate.charge(sender, len(request))
        self._require_outcomes(sender, signal, request)
        receipt = self._intake.receive(
            signal, request, _LISTENER, is_gone=lambda: not context.is_active()
        )
        receipt.synced.result()
        return receipt.answer.SerializeToString()

    def _require_outcomes(self, sender: Sender, signal: Signal, request: bytes) -> None:
        if signal is Signal.LOGS and not sender.may(Scope.OUTCOMES) and carries_outcome(request):
            self._gate.require(_LISTENER, sender, Scope.OUTCOMES)

    def _busy(self, _: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        # OTLP: RESOURCE_EXHAUSTED may be retried only where RetryInfo says so, and gRPC's own
        # limit on calls says nothing.
        self._counters.connections_refused.labels(_LISTENER, "too_many").inc()
        _ask_to_retry(
            context,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"{self._config.calls_max} calls are under way, which is collector.calls_max; retry",
            self._calls.retry_seconds(),
        )


class _Calls:
    """The calls that are served or wait for a thread, each of which holds memory."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._ended = DrainRate(clock)
        self.running = 0

    def enter(self) -> bool:
        """Take a place; False where there is none."""
        with self._lock:
            if self.running >= self._most:
                return False
            if self.running == 0:
                self._ended.begin()
            self.running += 1
            return True

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.running -= 1
            self._ended.note(1)

    def retry_seconds(self) -> int:
        """Return the seconds until those of now are done, at the rate at which they end."""
        with self._lock:
            return self._ended.seconds_for(self.running)


class _Service(_GenericRpcHandler):
    """One OTLP service, whose handler is chosen anew for each call."""

    def __init__(self, name: str, handler: Callable[[], Handler]) -> None:
        self._method = f"/{name}/Export"
        self._handler = handler

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        """Return what answers a call; called once for each, before anything of it is read."""
        return self._handler() if details.method == self._method else None


def _options(config: CollectorConfig) -> list[tuple[str, int]]:
    options = [
        # Also what a message may expand to, judged while it is expanded.
        ("grpc.max_receive_message_length", _REFUSED_SHARE * config.body_bytes_max),
        # Otherwise a second service binds a taken port, and each gets half the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_allowed_incoming_connections", config.connections_max),
        ("grpc.max_concurrent_streams", max(1, config.calls_max // _CALLS_SHARE)),
        ("grpc.max_metadata_size", _METADATA_BYTES_MAX),
        ("grpc.server_handshake_timeout_ms", round(config.head_seconds_max * 1000)),
        ("grpc.max_connection_idle_ms", round(config.idle_seconds_max * 1000)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
    ]
    if math.isfinite(age_s := config.tls.connection_seconds_max):
        # The client hears that it shall connect anew; calls under way have their time.
        options += [
            ("grpc.max_connection_age_ms", round(age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(config.read_seconds_max * 1000)),
        ]
    return options


def _on_pool(behaviour: Behaviour, pool: ThreadPoolExecutor) -> Behaviour:
    """Return a behaviour that gRPC runs on a pool of its own."""

    def run(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return behaviour(requests, context)

    run.experimental_thread_pool = pool  # type: ignore[attr-defined]  # the name gRPC looks for
    return run


def _authorization(context: grpc.ServicerContext) -> str | None:
    for name, value in context.invocation_metadata():
        if name == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return None


def _ask_to_retry(
    context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, seconds: int
) -> NoReturn:
    status = rpc_status(code.value[0], reason, seconds)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, reason)
    raise AssertionError("abort returned")
