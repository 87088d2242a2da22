"""Pure: a host and a port as one text."""

from __future__ import annotations


def authority(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets, as URLs and gRPC want it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
