"""I/O: OTLP over HTTP: the server of `collector.receive.http_app`, on a thread of its own."""

from __future__ import annotations

from collector.auth.gate import Gate, open_listener
from collector.auth.tls import Certificates
from collector.core.clock import Clock
from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.core.http.address import listen
from collector.core.http.server import BoundedServer, Bounds
from collector.core.worker import Worker
from collector.receive.deduplicator import Deduplicator
from collector.receive.http_app import LISTENER, OtlpApp
from collector.receive.pipeline import Intake

# An answer is a few hundred bytes: whoever does not read it is not there.
_WRITE_SECONDS_MAX = 10.0
# Of a body that is refused before it is read, as a multiple of the largest that is taken.
_DISCARD_FACTOR = 4
# What is under way when the service stops has this long to come, to be synced and answered.
_STOP_SECONDS_MAX = 5.0


class HttpReceiver:
    """The HTTP server of the collector, on a thread of its own."""

    def __init__(
        self,
        intake: Intake,
        config: CollectorConfig,
        gate: Gate,
        counters: Counters,
        clock: Clock,
        once: Deduplicator | None = None,
    ) -> None:
        self._config = config
        self._gate = gate
        self._counters = counters
        self._clock = clock
        self._port = config.http_port
        self.app = OtlpApp(
            intake,
            config.body_bytes_max,
            gate,
            host=config.host,
            read_seconds_max=config.read_seconds_max,
            once=once,
        )
        self._server: BoundedServer | None = None

    @property
    def port(self) -> int:
        """Return the port that it listens on, also where any was asked for."""
        return self._port

    def bind(self) -> None:
        """Take the port.

        Raises:
            AddressInUseError: another process has it.
            ConfigError: strangers would be let in, or a certificate is not good.
        """
        config = self._config
        open_listener("OTLP/HTTP", "collector.host", config.host, config.tls, asks=self._gate.asks)
        tls = None
        if config.tls.is_on:
            certificates = Certificates(config.tls, "collector.tls", self._clock, self._counters)
            tls = certificates.http_context()
        listener = listen(config.host, self._port, "collector.http_port")
        self._port = listener.getsockname()[1]
        bounds = Bounds(
            connections_max=config.connections_max,
            head_seconds_max=config.head_seconds_max,
            idle_seconds_max=config.idle_seconds_max,
            body_seconds_max=None,  # the application has both, and answers as OTLP wants
            body_bytes_max=None,
            discard_bytes_max=_DISCARD_FACTOR * config.body_bytes_max,
            write_seconds_max=_WRITE_SECONDS_MAX,
            age_seconds_max=config.tls.connection_seconds_max,
            stop_seconds_max=_STOP_SECONDS_MAX,
        )
        self._server = BoundedServer(
            self.app,
            listener,
            LISTENER,
            bounds,
            self._counters,
            self._clock,
            tls,
            on_stop=self.app.hasten,
        )

    def start(self) -> None:
        """Answer requests; those that came since `bind` wait in the backlog."""
        assert self._server is not None, "bind comes before start"
        self._server.start()

    def stop(self) -> None:
        """Accept no more; return when those under way are answered."""
        if self._server is not None:
            self._server.stop()
        self.app.close()

    @property
    def worker(self) -> Worker:
        """Return the thread that answers."""
        assert self._server is not None, "bind comes before start"
        return self._server.worker

    def ticked_ns(self) -> int:
        """Return the monotonic instant at which its loop last showed that it turns."""
        assert self._server is not None, "bind comes before start"
        return self._server.ticked_ns()
