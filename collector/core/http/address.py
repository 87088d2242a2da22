"""I/O: a host and a port as one text, and a socket that listens there."""

from __future__ import annotations

import errno
import socket

from collector.core.errors import AddressInUseError, ConfigError, MillworthError

# Connections that wait to be taken: more than a start under load leaves.
_BACKLOG = 2048


def authority(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets, as URLs and gRPC want it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, key: str) -> socket.socket:
    """Listen on an address; port 0 takes any that is free.

    Raises:
        AddressInUseError: another process has it; `key`, such as dashboard.port, is what the text
            names.
        ConfigError: it cannot be had whoever asks again.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise not_ours(host, port, key, error) from error


def not_ours(host: str, port: int, key: str, error: OSError) -> MillworthError:
    """Return the error of ours where the machine refuses an address that a setting names."""
    what = f"{authority(host, port)} cannot be listened on ({error.strerror})"
    change = f"set {key} (or {key.partition('.')[0]}.host) to another"
    if error.errno == errno.EADDRINUSE:
        return AddressInUseError(f"{what}; stop what listens there, or {change}")
    if error.errno == errno.EADDRNOTAVAIL:  # an interface may come up after the service
        return AddressInUseError(f"{what}; give this machine that address, or {change}")
    return ConfigError(f"{what}; {change}")
