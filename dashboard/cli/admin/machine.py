"""I/O: what of the machine a service needs: disk, memory, ports, and files that are its alone."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.core.config import StoreConfig
from collector.core.http.address import authority
from collector.store.memory import engine_memory_bytes, read_memory_bytes
from dashboard.settings.settings import Settings

# A day of 60 decisions a second is about 2 GiB.
DISK_BYTES_MIN = 2 * 1024**3
# With the embedded engine, as docs/operate/sizing.md measures it.
MEMORY_MIB_MIN = 768


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def disk_found(directory: Path) -> Finding:
    """Return how much is free where the data are, or will be."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return Finding(
        "disk",
        free >= DISK_BYTES_MIN,
        f"{free / 1024**3:.1f} GiB free at {existing}, "
        f"{DISK_BYTES_MIN / 1024**3:.0f} GiB are a day of 60 decisions a second",
    )


def memory_found(store: StoreConfig, has_bytes: int | None) -> Finding:
    """Return what may be taken of so much memory, None where nobody says how much there is."""
    if has_bytes is None:
        return Finding("memory", True, "this machine does not say how much it has")
    has = has_bytes // 2**20
    there = f"{has:,} MiB for what is started here"
    if store.embedded_path is None:
        return Finding("memory", True, f"{there}; the store is another process")
    engine = engine_memory_bytes(store, has_bytes) // 2**20
    outside = read_memory_bytes(store, has_bytes, is_outside=True) // 2**20
    detail = (
        f"{there}, of which the engine takes {engine:,} at most and a statement from outside "
        f"{outside:,}"
    )
    if has < MEMORY_MIB_MIN:
        remedy = "raise the limit of the container or the unit"
        detail += f"; the least is {MEMORY_MIB_MIN} MiB, so {remedy}"
    return Finding("memory", has >= MEMORY_MIB_MIN, detail)


def open_to_others(settings: Settings) -> Iterator[Finding]:
    """Name directories of an older version, which made them as the umask said."""
    for path in (settings.store.embedded_path, settings.wal_dir):
        try:
            mode = path.stat().st_mode & 0o777 if path is not None else 0
        except OSError:
            continue  # not made yet, or closed to us as well
        if mode & 0o077:
            yield Finding(
                "files", False, f"{path} is open to other users (0{mode:o}); chmod -R go= {path}"
            )


def ports_found(settings: Settings) -> Iterator[Finding]:
    """Return whether each port can be listened on."""
    collector, dashboard = settings.collector, settings.dashboard
    for key, host, port in (
        ("collector.grpc_port", collector.host, collector.grpc_port),
        ("collector.http_port", collector.host, collector.http_port),
        ("dashboard.port", dashboard.host, dashboard.port),
    ):
        yield _port(key, host, port)


def _port(key: str, host: str, port: int) -> Finding:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            key,
            False,
            f"{authority(host, port)} is not free ({error.strerror}); end what holds it, "
            f"or set {key}",
        )
    return Finding(key, True, f"{authority(host, port)} is free")
