"""I/O: the clocks of each pair of hosts, minute by minute, into `clock_offsets`.

A minute is looked at once it is complete. Every recorder does it for all pairs, and comes to the
same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import read_cursor, write_cursor
from packet.correlate.clock_offset import (
    ClockOffset,
    ClockState,
    Samples,
    estimate,
    one_way,
    two_ways,
)
from packet.store.reader import HostCall, Reader
from packet.store.writer import ClockRow, Writer

_CURSOR = "packet.clocks"
# Spans are exported every 5 s, and stored a second later; packets of an alert follow those.
_SETTLE_NS = 15 * NS_PER_S
_MINUTES_MAX = 10  # what is older when a job comes back is left alone
# The pairs of 16 hosts: of more the first are looked at, and the report says how many were not.
_PAIRS_MAX = 120


@dataclass(frozen=True, slots=True)
class ClockReport:
    """What one run found."""

    pairs: int  # rows written
    unsure: int  # of these, pairs that are not synchronised
    one_way_only: int  # pairs of which one way alone was seen
    segments: int
    excluded: int  # one-way times no longer than their bound
    pairs_refused: int


class ClockJob:
    """Writes `clock_offsets`."""

    def __init__(self, store: Connections, reader: Reader, writer: Writer) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._done_ns = 0
        self.latest: list[ClockRow] = []  # of the last minute that had any, since the start

    def run_once(self, now_ns: int) -> ClockReport:
        """Estimate every complete minute that was not looked at yet."""
        end_ns = (now_ns - _SETTLE_NS) // NS_PER_MINUTE * NS_PER_MINUTE
        if end_ns <= self._done_ns:
            return ClockReport(0, 0, 0, 0, 0, 0)
        cursor_ns = read_cursor(self._store.client(), _CURSOR)
        begin_ns = max(cursor_ns, end_ns - _MINUTES_MAX * NS_PER_MINUTE)
        rows: list[ClockRow] = []
        one_way_only = refused = 0
        for window_ns in range(begin_ns, end_ns, NS_PER_MINUTE):
            offsets, lonely, left_out = self._minute(window_ns)
            rows += offsets
            self.latest = offsets or self.latest
            one_way_only += lonely
            refused += left_out
        self._writer.clock_offsets(rows, now_ns)
        if end_ns > cursor_ns:
            write_cursor(self._store.client(), _CURSOR, end_ns)
        self._done_ns = end_ns
        return ClockReport(
            pairs=len(rows),
            unsure=sum(row.offset.state is not ClockState.SYNCHRONISED for row in rows),
            one_way_only=one_way_only,
            segments=sum(row.segments for row in rows),
            excluded=sum(row.excluded for row in rows),
            pairs_refused=refused,
        )

    def _minute(self, window_ns: int) -> tuple[list[ClockRow], int, int]:
        rows = list[ClockRow]()
        lonely = 0
        calls = self._reader.host_calls(window_ns, window_ns + NS_PER_MINUTE)
        unsynchronised = {
            host
            for call in calls
            for host, synced in (
                (call.client_host, call.client_synced),
                (call.server_host, call.server_synced),
            )
            if synced == "false"
        }
        pairs, refused = self._packet_pairs(window_ns)
        for source, pairs_of_source in (("spans", _span_pairs(calls)), ("packets", pairs)):
            for host_a, host_b, forward, reverse in pairs_of_source:
                offset = estimate(forward, reverse)
                if offset is None:
                    lonely += bool(len(forward) or len(reverse))
                    continue
                unsynchronised_hosts = tuple(sorted({host_a, host_b} & unsynchronised))
                rows.append(
                    _row(
                        window_ns,
                        host_a,
                        host_b,
                        source,
                        offset,
                        unsynchronised_hosts,
                        forward,
                        reverse,
                    )
                )
        return rows, lonely, refused

    def _packet_pairs(
        self, window_ns: int
    ) -> tuple[Iterator[tuple[str, str, Samples, Samples]], int]:
        hosts = self._reader.packet_hosts(window_ns, window_ns + NS_PER_MINUTE)
        pairs = list(combinations(hosts, 2))

        def read() -> Iterator[tuple[str, str, Samples, Samples]]:
            end_ns = window_ns + NS_PER_MINUTE - 1
            packets_by_host = {
                host: self._reader.packets(window_ns, end_ns, host=host) for host in sorted(hosts)
            }
            for host_a, host_b in pairs[:_PAIRS_MAX]:
                yield host_a, host_b, *two_ways(packets_by_host[host_a], packets_by_host[host_b])

        return read() if pairs else iter(()), len(pairs[_PAIRS_MAX:])


def _span_pairs(calls: Sequence[HostCall]) -> Iterator[tuple[str, str, Samples, Samples]]:
    """Return the samples of each pair of hosts: a call is one message each way."""
    by_pair: dict[tuple[str, str], list[HostCall]] = defaultdict(list)
    for call in calls:
        one, other = sorted((call.client_host, call.server_host))
        by_pair[one, other].append(call)
    for (host_a, host_b), group in sorted(by_pair.items()):
        from_a = [call for call in group if call.client_host == host_a]
        from_b = [call for call in group if call.client_host == host_b]
        forward = [(call.client_start_ns, call.server_start_ns) for call in from_a]
        forward += [(call.server_end_ns, call.client_end_ns) for call in from_b]
        reverse = [(call.server_end_ns, call.client_end_ns) for call in from_a]
        reverse += [(call.client_start_ns, call.server_start_ns) for call in from_b]
        yield host_a, host_b, _samples(forward), _samples(reverse)


def _samples(stamps: Iterable[tuple[int, int]]) -> Samples:
    table = np.array(list(stamps), np.int64).reshape(-1, 2)
    return Samples(table[:, 0], table[:, 1])


def _row(
    window_ns: int,
    host_a: str,
    host_b: str,
    source: str,
    offset: ClockOffset,
    unsynchronised_hosts: tuple[str, ...],
    forward: Samples,
    reverse: Samples,
) -> ClockRow:
    if unsynchronised_hosts and offset.state is ClockState.SYNCHRONISED:
        # Not to be told apart by what was seen; the kernel knows that nothing holds it there.
        offset = replace(offset, state=ClockState.UNSYNCHRONISED)
    ways = one_way(forward, offset, from_a=True), one_way(reverse, offset, from_a=False)
    usable = sum(int(way.usable.sum()) for way in ways)
    total = len(forward) + len(reverse)
    return ClockRow(
        window_ns, host_a, host_b, source, offset, unsynchronised_hosts, total, total - usable
    )
