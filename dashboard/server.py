"""I/O: serves the pages and `/api/v1` from a thread of the process that owns the store."""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from collector.address import authority
from collector.errors import AddressInUseError, InputError
from dashboard.config import DashboardConfig

if TYPE_CHECKING:
    from dash import Dash

# What is under way when the service stops has this long to end.
_GRACE_S = 3


class DashboardServer:
    """uvicorn in a thread of its own; Dash's own `run` would start a child process."""

    def __init__(self, app: Dash, config: DashboardConfig) -> None:
        self._app = app
        self._config = config
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Return the port that is listened on, 0 before `start`."""
        return self._port

    def start(self) -> None:
        """Listen, and return once requests are answered.

        Raises:
            AddressInUseError: another program has the port.
            InputError: the address cannot be listened on.
        """
        listener = self._listen()
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app.server,
                log_config=None,
                access_log=False,
                # Dash's handler there adds a catch-all to whichever app was made last.
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name="dashboard",
            daemon=True,
        )
        self._thread.start()
        self._server.answering.wait()

    def stop(self) -> None:
        """Let requests under way end, then close the port; does nothing before `start`."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None

    def _listen(self) -> socket.socket:
        host, port = self._config.host, self._config.port
        address = authority(host, port)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise AddressInUseError(
                    f"dashboard: {address} is in use by another program; stop that one, or set "
                    "dashboard.port (MILLWORTH__DASHBOARD__PORT)"
                ) from error
            raise InputError(
                f"dashboard: cannot listen on {address}: {error.strerror}; set dashboard.host "
                "and dashboard.port"
            ) from error
        return listener


class _Server(uvicorn.Server):
    """Says when it answers, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answering.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().serve(sockets=sockets)
        finally:
            self.answering.set()
