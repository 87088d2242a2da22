"""Pure: how many bytes of packets may be kept, over all three ways of keeping them.

A bucket fills with a fixed share of the bytes that are seen and is emptied by what is kept: the
sample, the connections that are pulled for traces, and the dumps of triggers. Dumps may take all
of it; the other two leave half, so that an incident finds room whatever went before. What finds
none is refused, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from packet.decode.columns import I64


class Tier(StrEnum):
    """Why packets are kept; the value is `kept_for` in the table `packets`."""

    SAMPLED = "sample"
    PULLED = "trace"
    DUMPED = "alert"


@dataclass(slots=True)
class ByteBudget:
    """One bucket, in bytes as they were on the wire."""

    ratio: float  # of the bytes seen
    burst_bytes: int  # what the bucket holds at most, and at first
    left_bytes: int
    seen_bytes: int = 0
    sampled_bytes: int = 0
    pulled_bytes: int = 0
    dumped_bytes: int = 0
    refused_bytes: int = 0

    @classmethod
    def full(cls, ratio: float, burst_bytes: int, left_bytes: int | None = None) -> ByteBudget:
        """Return a bucket; full, or with what was left in it when the last one ended."""
        left = burst_bytes if left_bytes is None else min(left_bytes, burst_bytes)
        return cls(ratio, burst_bytes, left)

    @property
    def kept_bytes(self) -> int:
        """Return what was kept since the start, in all three ways."""
        return self.sampled_bytes + self.pulled_bytes + self.dumped_bytes

    @property
    def kept_ratio(self) -> float | None:
        """Return the share that was kept since the start; None where nothing was seen."""
        return self.kept_bytes / self.seen_bytes if self.seen_bytes else None

    def see(self, wire_bytes: int) -> None:
        """Fill the bucket by what came past."""
        self.seen_bytes += wire_bytes
        filled = self.left_bytes + round(wire_bytes * self.ratio)
        self.left_bytes = min(filled, self.burst_bytes)

    def room(self, tier: Tier) -> int:
        """Return how many bytes a tier may take now."""
        reserve = 0 if tier is Tier.DUMPED else self.burst_bytes // 2
        return max(self.left_bytes - reserve, 0)

    def take(self, tier: Tier, sizes: I64) -> int:
        """Pay for items in their order, as many as there is room for; refuse the rest.

        Args:
            tier: which of the three takes.
            sizes: bytes of each item, the one that matters most first.

        Returns:
            How many of them are paid for.
        """
        sums = sizes.cumsum()
        count = int((sums <= self.room(tier)).sum())
        paid = int(sums[count - 1]) if count else 0
        self.left_bytes -= paid
        self.refused_bytes += int(sizes.sum()) - paid
        if tier is Tier.SAMPLED:
            self.sampled_bytes += paid
        elif tier is Tier.PULLED:
            self.pulled_bytes += paid
        else:
            self.dumped_bytes += paid
        return count
