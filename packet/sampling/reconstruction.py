"""Pure: how likely it is that an incident can be rebuilt from packets, and what that rests on.

An incident is rebuilt where every packet of every request that it touched is kept. The flight
recorder does that whatever the size, where it still held the time when it was asked, lost nothing
and had room; sampling alone has to have drawn a request that the incident touched.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Captured:
    """What is known of one request to the recorder when it is closed."""

    requests: int  # that the incident touched, as far as decisions are stored
    looked_at: int  # ... of these, the slowest ones
    rebuilt: int  # ... of these, with every exchange of every call in a time that was all kept
    spans: int  # of these requests: calls, and what answers where it names its connection
    packets: int  # kept
    unproven: int  # places where another may have been: before or behind it nothing was seen
    held_s: float  # how far back the recorder reached when it was asked
    needed_s: float  # ... and how far it had to
    recorded: int  # packets that the recorder saw while the incident lasted
    dropped: int  # ... and that the kernel dropped before it
    refused_flows: int  # over packet.capture_flows_max
    refused_bytes: int  # over the byte budget
    cut_packets: int  # left out of answers of the recorder that grew too large
    sample_ratio: float


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """One row of `reconstructions`."""

    probability: float  # that every packet of every request is kept
    sampled_probability: float  # that sampling alone kept one request whole
    grounds: tuple[str, ...]  # what the probability rests on, in a person's words


def judge(captured: Captured) -> Reconstruction:
    """Return the probability that nothing of an incident is missing, and its grounds.

    A packet that the kernel dropped leaves a gap in the numbers of its connection, unless nothing
    was seen before or behind it: there it may have been, by the share that was dropped. Everything
    else is seen and not assumed; what was not looked at counts as missing.
    """
    total = captured.recorded + captured.dropped
    drop_ratio = captured.dropped / total if total else 0.0
    covered = captured.held_s >= captured.needed_s
    refused = captured.refused_flows + captured.refused_bytes + captured.cut_packets > 0
    unlinked = captured.requests - captured.rebuilt
    whole = covered and not refused and captured.requests > 0 and unlinked == 0
    kept = (1 - drop_ratio) ** captured.unproven if whole else 0.0
    return Reconstruction(
        probability=kept,
        sampled_probability=1 - (1 - captured.sample_ratio) ** captured.requests,
        grounds=(
            f"requests touched: {captured.requests}, looked at: {captured.looked_at}, with all "
            f"packets of every call: {captured.rebuilt} (measured)",
            f"calls and answers: {captured.spans} spans (measured)",
            f"recorder reached back {captured.held_s:.3f} s, needed {captured.needed_s:.3f} s "
            "(measured)",
            f"kernel dropped {captured.dropped} of {total} packets meanwhile (measured)",
            f"refused: {captured.refused_flows} connections over packet.capture_flows_max, "
            f"{captured.refused_bytes} bytes over the budget, {captured.cut_packets} packets of "
            "too large an answer (measured)",
            f"sampling alone at {captured.sample_ratio:g} would have one request whole with "
            f"probability {1 - (1 - captured.sample_ratio) ** captured.requests:.3f} (reckoned)",
        ),
    )
