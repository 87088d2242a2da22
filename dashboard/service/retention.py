"""I/O: brings changes of retention and holds to their end while the service runs."""

from __future__ import annotations

from collector.core.log import get_logger
from collector.store.connect import Connections
from collector.store.ttl_change import finish_changes

_log = get_logger("dashboard")


class RetentionJob:
    """Waits for tables whose parts are recalculated for another TTL, and lets them lapse again.

    Args:
        store: whose tables they are.
    """

    def __init__(self, store: Connections) -> None:
        self._store = store
        self.to_do: dict[str, int] = {}  # parts by table, as the last run found them

    def run_once(self, _: int) -> None:
        """End what is done."""
        before = self.to_do
        self.to_do = finish_changes(self._store.client(), self._store.config.cluster)
        if ended := sorted(before.keys() - self.to_do.keys()):
            _log.info("retention_applied", tables=ended)
