"""I/O: `/metrics`, `/readyz` and `/healthz` of a process without pages, on a port of loopback."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from collector.core.errors import AddressInUseError, ConfigError
from dashboard.health.readiness import HEALTHZ, Answer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class MetricsPort:
    """Serves one registry, and whether the process is ready, until it is closed.

    Args:
        port: 0 for any that is free.
        registry: what is shown.
        ready: returns status and text of `/readyz`, in a thread that ends with the answer.

    Raises:
        AddressInUseError: the port is taken.
        ConfigError: it is not ours to take.
    """

    def __init__(self, port: int, registry: CollectorRegistry, ready: Callable[[], Answer]) -> None:
        self._metrics = make_wsgi_app(registry)
        self._ready = ready
        try:
            self._server = make_server(
                "127.0.0.1", port, self._answer, ThreadingWSGIServer, _SilentHandler
            )
        except OSError as error:
            kind = AddressInUseError if error.errno == errno.EADDRINUSE else ConfigError
            raise kind(
                f"--metrics-port {port} is taken ({error.strerror}); give another"
            ) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            found: Iterable[bytes] = self._metrics(environ, start_response)
            return found
        if path == "/readyz":
            status, text = self._ready()
        elif path == "/healthz":
            status, text = 200, HEALTHZ
        else:
            status, text = 404, "there are /metrics, /readyz and /healthz\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [text.encode()]


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass
