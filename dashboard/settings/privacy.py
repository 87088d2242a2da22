"""I/O: what guards personal data, as the settings have it."""

from __future__ import annotations

from pathlib import Path

from collector.privacy.guard import Protection
from collector.privacy.rules import PEER_ADDRESSES
from collector.store.connect import Connections
from dashboard.settings.settings import Settings


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
