"""I/O: how far one recorder has come in what it holds itself."""

from __future__ import annotations

from collector.store.connect import Connections
from collector.store.cursors import UNWRITTEN_NS_MAX, read_cursor, write_cursor


class OwnCursor:
    """One cursor of one recorder, that no other process moves.

    The store keeps the furthest that it ever was. Where the clock was set back that is a time to
    come, in which nothing would be kept until then: this process goes by where it is itself.
    """

    def __init__(self, store: Connections, name: str, host: str) -> None:
        """Resume where the last process ended; `host` is the recorder's `packet.host`."""
        self._store = store
        self._name = f"{name}.{host}" if host else name
        self._at_ns: int | None = None
        self._written_ns = 0

    def read(self, now_ns: int) -> int:
        """Return how far it is, `now_ns` at most; 0 where it never ran."""
        if self._at_ns is None:
            self._at_ns = read_cursor(self._store.client(), self._name)
        self._at_ns = min(self._at_ns, now_ns)
        return self._at_ns

    def write(self, at_ns: int, *, has_news: bool = True) -> None:
        """Record that everything up to an instant was looked at; without news now and then."""
        if has_news or not 0 <= at_ns - self._written_ns < UNWRITTEN_NS_MAX:
            write_cursor(self._store.client(), self._name, at_ns)
            self._written_ns = at_ns
        self._at_ns = at_ns
