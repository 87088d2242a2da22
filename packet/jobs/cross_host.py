"""I/O: links spans to what other hosts' recorders saw of their exchanges, minute by minute.

A minute is looked at once it is complete, and again for as long as packets of it may still be kept:
what an alert asks for is as old as a recorder's memory reaches. Every recorder does it for all
pairs of hosts, and comes to the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from packet.correlate.claims import WINDOW_MARGIN_NS
from packet.correlate.cross_host import links_elsewhere
from packet.correlate.messages import of_messages
from packet.correlate.spans import SpanFlow
from packet.jobs.requests import LATE_NS
from packet.store.reader import Reader
from packet.store.writer import Writer

_CURSOR = "packet.seq"
_SETTLE_NS = 15 * NS_PER_S  # as for clocks: spans are exported every 5 s, packets follow
_MINUTES_MAX = 10
_HOSTS_MAX = 16  # of more the first are looked at


class SeqJob:
    """Adds rows to `span_flows` where hosts see a connection under different names."""

    def __init__(self, store: Connections, reader: Reader, writer: Writer, memory_ns: int) -> None:
        """Join what is kept by recorders whose memory reaches so far back."""
        self._again_ns = -(-(memory_ns + LATE_NS) // NS_PER_MINUTE) * NS_PER_MINUTE
        self._store = store
        self._reader = reader
        self._writer = writer
        self._done_ns = 0

    def run_once(self, now_ns: int) -> int:
        """Join the minutes that are complete, when another one is; return how many links came."""
        end_ns = (now_ns - _SETTLE_NS) // NS_PER_MINUTE * NS_PER_MINUTE
        if end_ns <= self._done_ns:
            return 0
        cursor_ns = read_cursor(self._store.client(), _CURSOR)  # other recorders move it too
        if end_ns <= cursor_ns:
            self._done_ns = cursor_ns
            return 0
        begin_ns = max(cursor_ns, end_ns - _MINUTES_MAX * NS_PER_MINUTE) - self._again_ns
        joined = 0
        for window_ns in range(begin_ns, end_ns, NS_PER_MINUTE):
            links = self._minute(window_ns)
            self._writer.span_flows(links, now_ns)
            joined += len(links)
        write_cursor(self._store.client(), _CURSOR, end_ns)
        self._done_ns = end_ns
        return joined

    def _minute(self, from_ns: int) -> list[SpanFlow]:
        to_ns = from_ns + NS_PER_MINUTE
        hosts = self._reader.packet_hosts(from_ns, to_ns)[:_HOSTS_MAX]
        if len(hosts) < 2:
            return []
        links = self._reader.links(from_ns, to_ns)
        if not links:
            return []
        begin_ns = from_ns - WINDOW_MARGIN_NS
        end_ns = max(to_ns, *(link.to_ns for link in links)) + WINDOW_MARGIN_NS
        packets_by_host = {
            host: of_messages(
                self._reader.packets(begin_ns, end_ns, host=host),
                self._reader.contexts(begin_ns, end_ns, host=host),
            )
            for host in hosts
        }
        return [
            replace(link, host=there)
            for here, there in permutations(hosts, 2)
            for link in links_elsewhere(
                _seen_by(here, links), packets_by_host[here], packets_by_host[there]
            )
        ]


def _seen_by(host: str, links: Sequence[SpanFlow]) -> list[SpanFlow]:
    """Return the links by the clock of one recorder, and those that do not say whose they are."""
    return [link for link in links if link.host in ("", host)]
