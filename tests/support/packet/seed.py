"""I/O: spans, alerts and frames as the job finds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from collector.core.errors import CaptureError
from collector.store.connect import Connections
from packet.capture.recorder import RecorderStats
from packet.correlate.trace_context import ContextRows, chosen, no_contexts
from packet.decode.decode import decode
from packet.decode.frames import Frames, frames_of
from packet.decode.sampler import Selection
from packet.tcp.per_second import WireSecond
from tests.support.packet.build import Packet


@dataclass(frozen=True, slots=True)
class Span:
    """One row of `otel_traces`."""

    trace_id: str
    span_id: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    kind: str = "Client"
    received_ns: int = 0  # 0: when it ended
    parent_span_id: str = ""
    resource: Mapping[str, str] = field(default_factory=dict)
    trace_state: str = ""


def insert_spans(store: Connections, spans: Sequence[Span]) -> None:
    """Store spans; those with `decision.action` become decisions through the store's own view."""
    count = len(spans)
    attributes = pa.array(
        [list(span.attributes.items()) for span in spans], pa.map_(pa.string(), pa.string())
    )
    table = pa.table(
        {
            "Timestamp": pa.array([span.start_ns for span in spans], pa.timestamp("ns")),
            "TraceId": [span.trace_id for span in spans],
            "SpanId": [span.span_id for span in spans],
            "TraceState": [span.trace_state for span in spans],
            "ParentSpanId": [span.parent_span_id for span in spans],
            "ResourceAttributes": pa.array(
                [list(span.resource.items()) for span in spans],
                pa.map_(pa.string(), pa.string()),
            ),
            "SpanName": ["exchange"] * count,
            "SpanKind": [span.kind for span in spans],
            "ServiceName": ["shop"] * count,
            "SpanAttributes": attributes,
            "Duration": pa.array([span.end_ns - span.start_ns for span in spans], pa.uint64()),
            "StatusCode": ["Unset"] * count,
            "received_ns": pa.array(
                [span.received_ns or span.end_ns for span in spans], pa.uint64()
            ),
        }
    )
    store.client().insert_arrow("otel_traces_in", table)


def insert_request(
    store: Connections, trigger_id: str, from_ns: int, to_ns: int, region: str = ""
) -> None:
    """Store what an alert asks for."""
    store.client().insert(
        "capture_requests",
        [[trigger_id, to_ns, from_ns, to_ns, "", region]],
        column_names=["trigger_id", "at_ns", "from_ns", "to_ns", "action", "region"],
    )


def frames(packets: Sequence[Packet]) -> Frames:
    """Return packets as the recorder holds them: headers without payload."""
    records = []
    for packet in packets:
        transport = TCP(
            sport=packet.src[1],
            dport=packet.dst[1],
            flags=packet.flags,
            seq=packet.seq,
            ack=packet.ack,
            window=packet.window,
        )
        network = IP(src=packet.src[0], dst=packet.dst[0])
        whole = bytes(Ether() / network / transport / Raw(b"x" * packet.payload))
        records.append((packet.ts_ns, len(whole), whole[:54]))
    return frames_of(records)


class HeldFrames:
    """A recorder whose network card is a list of frames."""

    def __init__(
        self,
        held: Frames,
        seconds: Sequence[WireSecond] = (),
        since_ns: int = 0,
        said: ContextRows | None = None,
    ) -> None:
        self.held = held
        self.said = no_contexts() if said is None else said
        self.since_ns = since_ns
        self.figures = list(seconds)

    def pull(self, selection: Selection) -> Frames:
        """Return the selected frames."""
        decoded = decode(self.held)
        return self.held.take(decoded.rows[selection.of(decoded.columns)])

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Return the chosen contexts."""
        return chosen(self.said, selection, trace_ids)

    def stats(self) -> RecorderStats:
        """Return what is held."""
        held = len(self.held)
        oldest_ns = int(self.held.ts_ns.min()) if held else None
        return RecorderStats(held, 0, held, self.held.data.nbytes, oldest_ns, self.since_ns, 0)

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Return the figures that the test gave."""
        return [second for second in self.figures if second.second_ns > after_ns]


class LostRecorder:
    """A recorder that has ended."""

    def pull(self, selection: Selection) -> Frames:
        """Fail."""
        raise CaptureError("the packet recorder has ended")

    def contexts(
        self, selection: Selection, trace_ids: Collection[str] | None = None
    ) -> ContextRows:
        """Fail."""
        raise CaptureError("the packet recorder has ended")

    def stats(self) -> RecorderStats:
        """Fail."""
        raise CaptureError("the packet recorder has ended")

    def seconds(self, after_ns: int) -> list[WireSecond]:
        """Fail."""
        raise CaptureError("the packet recorder has ended")
