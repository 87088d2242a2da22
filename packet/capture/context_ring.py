"""I/O: a ring of requests that are searched for their trace context, and the contexts of late.

The kernel hands over what begins like a request, with `packet.request_bytes` of its payload, on a
socket of its own; half a second later it was searched and is gone. What is held is an id of a trace
and of a span, and which packet said them, and which packets are of their connection alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np

from collector.core.times import NS_PER_S
from packet.capture.mapped_ring import MappedRing
from packet.config import PacketConfig
from packet.correlate.trace_context import ContextRows, chosen, find_contexts, naming, no_contexts
from packet.decode.frames import parse_blocks
from packet.decode.sampler import Selection

# 8 MiB in the kernel: a second of 12,000 requests that are as long as is searched.
_BLOCK_COUNT = 32
# Of half a second. A request costs 3 us: 6 % of a core at the most; the rest is counted.
_SEARCHED_MAX = 10_000
# Of the recorder's memory: an id is 48 bytes and a packet that carried one about 150.
_MEMORY_SHARE = 8


class ContextMemory:
    """Contexts of the last `packet.window_s`, the oldest first."""

    def __init__(self, config: PacketConfig, now_ns: int) -> None:
        """Open the ring. Raises as `MappedRing` does."""
        self._ring = MappedRing(
            config,
            _BLOCK_COUNT,
            now_ns // (config.sample_epoch_s * NS_PER_S),
            request_bytes=config.request_bytes,
        )
        self._waiting: list[bytes] = []
        self._waiting_packets = 0
        self._batches: deque[ContextRows] = deque()
        self._held_bytes = 0
        self._held_bytes_max = config.memory_mib * 1024 * 1024 // _MEMORY_SHARE
        self._left_out = 0
        self.context_count = 0

    def drain(self) -> None:
        """Take every retired block; what is more than can be searched is let go, and counted."""
        for packets, _, block in self._ring.drain():
            if self._waiting_packets >= _SEARCHED_MAX:
                self._left_out += packets
            else:
                self._waiting.append(block)
                self._waiting_packets += packets

    def search(self) -> None:
        """Find the contexts in what came since the last time, and let its payload go."""
        waiting, self._waiting, self._waiting_packets = self._waiting, [], 0
        if not waiting:
            return
        rows = find_contexts(parse_blocks(waiting))
        if len(rows):
            self.context_count += len(naming(rows))
            self._batches.append(rows)
            self._held_bytes += rows.nbytes
        while self._held_bytes > self._held_bytes_max:
            self._held_bytes -= self._batches.popleft().nbytes

    def forget(self, before_ns: int) -> None:
        """Let contexts go that were said before."""
        while self._batches and int(self._batches[0]["ts_ns"][-1]) < before_ns:
            self._held_bytes -= self._batches.popleft().nbytes

    def reseed(self, epoch: int) -> None:
        """Sample another epoch's flows, see `MappedRing.reseed`."""
        self._ring.reseed(epoch)

    def select(self, selection: Selection, trace_ids: Collection[str] | None) -> ContextRows:
        """Return the contexts of the selected packets, of the given traces, None for any."""
        selected = [chosen(rows, selection, trace_ids) for rows in self._batches]
        return np.concatenate(selected) if selected else no_contexts()

    def count_unsearched(self) -> int:
        """Return how many requests were not searched, since the start."""
        return self._left_out + self._ring.count_drops()
