"""I/O: serves the pages and `/api/v1` from a thread of the process that owns the store."""

from __future__ import annotations

from collector.auth.gate import Gate, open_listener
from collector.auth.tls import Certificates
from collector.core.clock import Clock, SystemClock
from collector.core.counters import Counters
from collector.core.http.address import listen
from collector.core.http.server import BoundedServer, Bounds
from collector.core.worker import Worker
from dashboard.api.caller import LISTENER
from dashboard.health.readiness import Asgi
from dashboard.settings.config import IMPORT_BYTES_MAX, DashboardConfig
from dashboard.web.security import AccessGuard
from dashboard.web.sessions import Sessions


class DashboardServer:
    """uvicorn in a thread of its own; Dash's own `run` would start a child process."""

    def __init__(
        self,
        app: Asgi,
        config: DashboardConfig,
        gate: Gate | None = None,
        counters: Counters | None = None,
        clock: Clock | None = None,
        session_hours: float = 12,
    ) -> None:
        self._app = app
        self._session_hours = session_hours
        self._config = config
        self._counters = counters or Counters()
        self._clock = clock or SystemClock()
        self._gate = gate or Gate((), self._counters, self._clock)
        self._server: BoundedServer | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Return the port that is listened on, 0 before `start`."""
        return self._port

    def start(self) -> None:
        """Listen, and return once requests are answered.

        Raises:
            AddressInUseError: the address cannot be listened on.
            ConfigError: strangers would be let in, or a certificate is not good.
        """
        config = self._config
        open_listener(
            "the dashboard", "dashboard.host", config.host, config.tls, asks=self._gate.asks_people
        )
        tls = None
        if config.tls.is_on:
            certificates = Certificates(config.tls, "dashboard.tls", self._clock, self._counters)
            tls = certificates.http_context()
        sessions = Sessions(self._gate, self._clock, self._session_hours, config.public_url)
        listener = listen(config.host, config.port, "dashboard.port")
        self._port = listener.getsockname()[1]
        self._server = BoundedServer(
            AccessGuard(self._app, self._gate, sessions),
            listener,
            LISTENER,
            Bounds(
                connections_max=config.connections_max,
                head_seconds_max=10.0,
                idle_seconds_max=75.0,  # longer than browsers keep what they do not use
                body_seconds_max=300.0,  # a large import over a slow line
                body_bytes_max=IMPORT_BYTES_MAX + 1024 * 1024,
                discard_bytes_max=4 * IMPORT_BYTES_MAX,
                write_seconds_max=60.0,
                age_seconds_max=config.tls.connection_seconds_max,
                stop_seconds_max=3.0,
                says_why=True,
            ),
            self._counters,
            self._clock,
            tls,
        )
        self._server.start()

    def stop(self) -> None:
        """Let requests under way end, then close the port; does nothing before `start`."""
        if self._server is None:
            return
        self._server.stop()
        self._server = None

    @property
    def worker(self) -> Worker:
        """Return the thread that answers."""
        assert self._server is not None, "asked for after start"
        return self._server.worker

    def ticked_ns(self) -> int:
        """Return the monotonic instant at which its loop last showed that it turns."""
        assert self._server is not None, "asked for after start"
        return self._server.ticked_ns()
