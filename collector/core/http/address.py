"""I/O: a host and a port as one text, and a socket that listens there."""

from __future__ import annotations

import socket

from collector.core.errors import AddressInUseError

# Connections that wait to be taken: more than a start under load leaves.
_BACKLOG = 2048


def authority(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets, as URLs and gRPC want it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, key: str) -> socket.socket:
    """Listen on an address; port 0 takes any that is free.

    Raises:
        AddressInUseError: it cannot be had; `key`, such as dashboard.port, is what the text names.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        section = key.partition(".")[0]
        raise AddressInUseError(
            f"{authority(host, port)} cannot be listened on ({error.strerror}); stop what listens "
            f"there, or set {key} (or {section}.host) to another"
        ) from error
