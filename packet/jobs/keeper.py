"""I/O: what one run of the packet job has done so far, and how it keeps packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from packet.capture.recorder import Recorder
from packet.correlate.claims import WINDOW_MARGIN_NS, SpanEndpoints
from packet.correlate.span_windows import with_ports
from packet.correlate.spans import SpanFlow
from packet.correlate.trace_context import ContextRows, as_contexts, carried_by
from packet.decode.columns import PacketColumns, concat_columns
from packet.decode.decode import decode
from packet.decode.sampler import Selection
from packet.sampling.byte_budget import Tier
from packet.store.reader import Reader
from packet.store.writer import Writer


@dataclass(slots=True)
class Tally:
    """A report in the making, and the ranges of time to link."""

    sampled: int = 0
    pulled_for_traces: int = 0
    captured: int = 0
    flows: int = 0
    linked: int = 0
    ambiguous: int = 0
    joined: int = 0
    open_requests: int = 0
    refused_flows: int = 0
    triggers: int = 0
    undecoded: Counter[str] = field(default_factory=Counter)
    capture_lost: str | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    contexts: list[ContextRows] = field(default_factory=list)  # of the packets that were pulled
    # Links by a lag that all packets of a connection agree on; those that are kept may not.
    lagged: list[SpanFlow] = field(default_factory=list)

    def pulled(self, recorder: Recorder, selection: Selection) -> PacketColumns:
        """Return the selected packets; frames of no use are counted, contexts are put aside."""
        decoded = decode(recorder.pull(selection))
        self.contexts.append(recorder.contexts(selection))
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

    def analyse(self, contexts: Sequence[ContextRows], now_ns: int) -> int:
        """Write the connections of what was kept since the last call; return how many.

        Of the contexts those that a kept packet carried are written, and no others.

        Once for all: a connection is analysed from all of its kept packets, and one that several
        requests are about would be read and analysed for each of them.
        """
        touched, self._touched = self._touched, []
        if not touched:
            return 0
        kept = concat_columns(touched)
        self._writer.wire_contexts(carried_by(kept, contexts), now_ns)
        return self._writer.flows(self._reader, kept, now_ns)


def on_the_wire(recorder: Recorder, spans: Sequence[SpanEndpoints]) -> list[SpanEndpoints]:
    """Return the spans whose ports are known; who does not name them has them of its request.

    Raises:
        CaptureError: the recorder does not answer.
    """
    unknown = [span for span in spans if not span.port_pair]
    if not unknown:
        return list(spans)
    selection = Selection(
        min(span.start_ns for span in unknown) - WINDOW_MARGIN_NS,
        max(span.end_ns for span in unknown) + WINDOW_MARGIN_NS,
    )
    contexts = as_contexts(recorder.contexts(selection, {span.trace_id for span in unknown}))
    return [span for span in with_ports(spans, contexts) if span.port_pair]
