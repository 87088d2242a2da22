"""Pure: what the reference path is made to suffer, and when: the truth that tests compare with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Final

NS_PER_MS: Final = 1_000_000

# Where a delay can be put, and how long the healthy path takes there. Together with about 5 ms of
# real work a decision takes 35 to 40 ms: well inside the 80 ms that it is judged by.
BASE_MS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "ingress/compute": 2.0,
        "transform/store": 4.0,
        "transform/compute": 3.0,
        "decision/store": 5.0,
        "decision/compute": 6.0,
        "egress/network": 4.0,
        "egress/compute": 6.0,
    }
)
SEGMENTS: Final = tuple(BASE_MS)


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A segment that is slower for a while. Seconds count from the start of the traffic."""

    from_s: float
    to_s: float  # exclusive
    region: str  # "" for every region
    segment: str
    added_ms: float

    def __post_init__(self) -> None:
        _require_segment(self.segment)
        if self.added_ms < 0 or self.to_s < self.from_s:
            raise ValueError(f"{self}: neither a delay nor a window is negative")

    def covers(self, segment: str, region: str, elapsed_s: float) -> bool:
        """Return whether a decision of this region suffers here at this moment."""
        return (
            segment == self.segment
            and self.region in ("", region)
            and self.from_s <= elapsed_s < self.to_s
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run of the reference path: its traffic, its speed and its faults."""

    seed: int
    rate_per_s: float
    duration_s: float | None = None  # None until it is told to stop
    regions: tuple[str, ...] = ("eu-west", "us-east", "ap-south")
    base_ms: Mapping[str, float] = field(default_factory=lambda: dict(BASE_MS))
    faults: tuple[FaultWindow, ...] = ()
    action: str = "offer"  # decision.action of every decision
    is_valued: bool = True  # each says what it is expected to earn

    def __post_init__(self) -> None:
        for segment in self.base_ms:
            _require_segment(segment)
        if self.rate_per_s <= 0 or not self.regions:
            raise ValueError("a scenario needs traffic: rate_per_s above 0, and a region")
        for region in self.regions:
            if not re.fullmatch(r"[a-z0-9-]+", region):  # it is a part of the store's keys
                raise ValueError(f"region {region!r}: lower-case letters, digits and - name one")

    def delay_ns(self, segment: str, region: str, elapsed_s: float) -> int:
        """Return what is injected into one decision at one segment.

        Args:
            segment: stage/class, one of `SEGMENTS`.
            region: of the decision.
            elapsed_s: since the start of the traffic; below 0 before it, when no fault is on.
        """
        _require_segment(segment)
        added_ms = sum(
            fault.added_ms for fault in self.faults if fault.covers(segment, region, elapsed_s)
        )
        return round((self.base_ms.get(segment, 0.0) + added_ms) * NS_PER_MS)

    def to_json(self) -> str:
        """Return one line from which `from_json` makes an equal scenario."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        values["regions"] = tuple(values["regions"])
        values["faults"] = tuple(FaultWindow(**fault) for fault in values["faults"])
        return cls(**values)


def _require_segment(segment: str) -> None:
    if segment not in BASE_MS:
        raise ValueError(f"segment {segment!r} cannot be delayed; one of {', '.join(SEGMENTS)} can")
