"""I/O: `/metrics` of a process that has no pages, on a port of loopback."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, start_http_server

from collector.core.errors import AddressInUseError


class MetricsPort:
    """Serves one registry until it is closed.

    Args:
        port: 0 for any that is free.
        registry: what is shown.

    Raises:
        AddressInUseError: the port is taken.
    """

    def __init__(self, port: int, registry: CollectorRegistry) -> None:
        try:
            self._server, self._thread = start_http_server(
                port, addr="127.0.0.1", registry=registry
            )
        except OSError as error:
            raise AddressInUseError(
                f"--metrics-port {port} is taken ({error.strerror}); give another"
            ) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
