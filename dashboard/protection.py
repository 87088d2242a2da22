"""Pure: what guards personal data, and what was rejected, as the settings have it."""

from __future__ import annotations

from pathlib import Path

from collector.clock import Clock
from collector.counters import Counters
from collector.identifiers_config import PEER_ADDRESSES
from collector.protection import Protection
from collector.rejected import RejectedItems
from collector.store.connect import Connections
from dashboard.sealed_store import SealedStore
from dashboard.settings import Settings


def protection_of(
    settings: Settings, directory: Path | None = None, store: Connections | None = None
) -> Protection:
    """Return the rules and the cipher of a service with these settings, not opened.

    Args:
        settings: of the service.
        directory: of the log, for a command that reads keys only where it needs them.
        store: by which a key that is gone is told from one that nobody has needed yet.

    Where packets are recorded, the address of a server's peer is left: spans find their packets by
    it, and the packets hold it anyway.
    """
    return Protection(
        settings.identifiers,
        settings.encryption,
        settings.attributes,
        keep=PEER_ADDRESSES if settings.packet.enabled else (),
        directory=directory,
        store=store,
    )


def sealed_of(settings: Settings, store: Connections) -> SealedStore:
    """Return the sealed decisions of a store, under a customer's own names."""
    return SealedStore(
        store, settings.attributes, settings.decisions, settings.outcomes, settings.retention
    )


def rejected_of(
    settings: Settings,
    store: Connections,
    protection: Protection,
    counters: Counters,
    clock: Clock,
) -> RejectedItems:
    """Return the rejected items of a store, replayed as a service with these settings receives."""
    return RejectedItems(
        store,
        protection,
        counters,
        clock,
        attributes=settings.attributes,
        retention_days=settings.collector.retention_days,
    )
