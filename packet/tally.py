"""I/O: what one run of the packet job has done so far, and how it keeps packets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from packet.byte_budget import Tier
from packet.columns import PacketColumns, concat_columns
from packet.decode import decode
from packet.queries import Reader
from packet.recorder import Recorder
from packet.sampler import Selection
from packet.store import Writer


@dataclass(slots=True)
class Tally:
    """A report in the making, and the ranges of time to link."""

    sampled: int = 0
    pulled_for_traces: int = 0
    captured: int = 0
    flows: int = 0
    linked: int = 0
    ambiguous: int = 0
    open_requests: int = 0
    refused_flows: int = 0
    triggers: int = 0
    undecoded: Counter[str] = field(default_factory=Counter)
    capture_lost: str | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def pulled(self, recorder: Recorder, selection: Selection) -> PacketColumns:
        """Return the selected packets; frames of no use are counted."""
        decoded = decode(recorder.pull(selection))
        self.undecoded.update(decoded.undecoded)
        return decoded.columns


class Keeper:
    """Writes packets at once, and the connections they belong to at the end of a run."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._touched: list[PacketColumns] = []

    def keep(self, packets: PacketColumns, tier: Tier, trigger_id: str) -> None:
        """Write packets."""
        if len(packets):
            self._writer.packets(packets, tier.value, trigger_id)
            self._touched.append(packets)

    def analyse(self, now_ns: int) -> int:
        """Write the connections of what was kept since the last call; return how many.

        Once for all: a connection is analysed from all of its kept packets, and one that several
        requests are about would be read and analysed for each of them.
        """
        touched, self._touched = self._touched, []
        if not touched:
            return 0
        return self._writer.flows(self._reader, concat_columns(touched), now_ns)
