"""Pure: the settings of the packet recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from collector.core.config import LocalPath, Section


class PacketConfig(Section):
    """What is recorded, how much of it is held, and what is kept."""

    enabled: bool = Field(default=True, description="Record packet headers where it is permitted")
    interface: str = Field(default="lo", description="Interface to record from")
    host: str = Field(
        default="",
        description="Name of this machine as its spans say in host.name, where several recorders "
        "share a store; empty where one recorder sees all",
    )
    ports: tuple[int, ...] = Field(
        default=(),
        max_length=32,
        description="TCP ports to record, either side; empty records all of them",
    )
    exclude_ports: tuple[int, ...] = Field(
        default=(), max_length=32, description="... but none with one of these at either side"
    )
    snaplen_bytes: int = Field(
        default=96, ge=64, le=512, description="Bytes kept of a packet: headers, no payload"
    )
    request_bytes: int = Field(
        default=512,
        ge=0,
        le=1400,
        description="Payload bytes of a request that are searched in memory for its traceparent, "
        "and then gone: no byte of it is held, kept or written; 0 searches none",
    )
    engine: Literal["ring", "dumpcap", "sample"] = Field(
        default="ring",
        description="ring: the flight recorder; dumpcap: Wireshark's, into files in memory; "
        "sample: only the sample, chosen in the kernel, so that alerts find nothing else",
    )
    dumpcap_dir: LocalPath = Field(
        default=Path("/dev/shm/millworth"),  # noqa: S108  memory, and refused where it is none
        description="Where dumpcap keeps its files, in memory (tmpfs) unless payload_on_disk",
    )
    payload_on_disk: bool = Field(
        default=False,
        description="Let dumpcap, which cannot cut packets behind their headers, write payload "
        "bytes to a disk",
    )
    memory_mib: int = Field(default=128, gt=0, description="Memory of the flight recorder")
    window_s: float = Field(
        default=120.0, ge=1, le=3600, description="... and the age at which it forgets packets"
    )
    analysis: bool = Field(
        default=True,
        description="Count every second of the wire, all packets: bytes, bursts, retransmissions",
    )
    link_mbit: float = Field(
        default=0.0,
        ge=0,
        description="Rate of the link, Mbit/s, for bursts and the queue before it; 0 for neither",
    )
    sample_ratio: float = Field(
        default=0.0004, ge=0, le=1, description="Share of the flows that is always kept"
    )
    sample_epoch_s: int = Field(
        default=10, gt=0, description="How long one draw of flows holds, so that each has its turn"
    )
    trace_ratio: float = Field(
        default=0.0002,
        ge=0,
        le=1,
        description="Share of the traces whose packets are kept, by OpenTelemetry's consistent "
        "probability sampling",
    )
    budget_ratio: float = Field(
        default=0.001,
        gt=0,
        le=1,
        description="Share of the bytes seen that may be kept: sample, traces and dumps together",
    )
    budget_burst_mib: int = Field(
        default=256, gt=0, description="... saved up to so much, which is also there at first"
    )
    trigger_before_s: float = Field(
        default=30.0, ge=0, description="A trigger of the wire asks for so long before it"
    )
    trigger_after_s: float = Field(default=10.0, ge=0, description="... and for so long after it")
    triggers_per_hour_max: int = Field(
        default=60, ge=0, description="Triggers beside alerts; 0 raises none"
    )
    outlier_ratio: float = Field(
        default=3.0,
        gt=1,
        allow_inf_nan=True,  # inf is none; what is no number at all is not above 1
        description="A decision is an outlier at so many times the 99.9th percentile of its action",
    )
    retransmissions_min: int = Field(
        default=20, gt=0, description="Retransmissions in a second that raise a trigger"
    )
    retransmission_ratio: float = Field(
        default=0.02, gt=0, le=1, description="... where they are such a share of its packets"
    )
    queue_ms_min: float = Field(
        default=1.0, gt=0, description="A microburst that makes such a queue raises a trigger"
    )
    settle_s: float = Field(
        default=2.0, ge=0, description="Age at which spans are linked to packets"
    )
    capture_flows_max: int = Field(
        default=2000, gt=0, description="Flows that one alert may pull from the recorder"
    )
