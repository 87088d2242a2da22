from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.recorder import RecorderProcess
from packet.decode.columns import PacketColumns
from packet.decode.decode import decode
from packet.decode.sampler import Selection, epochs, keep
from packet.lab.network import Cable, cable
from tests.integration.lab.traffic import exchange, recording

pytestmark = [pytest.mark.integration, pytest.mark.alone]

_CLOCK = SystemClock()
_RATIO = 0.3


def _talk(wire: Cable, connections: int) -> None:
    for place in range(connections):
        exchange(wire.a, wire.b, rounds=1, v6=place % 2 == 1)


def _packets(process: RecorderProcess, from_ns: int) -> PacketColumns:
    return decode(process.pull(Selection(from_ns, _CLOCK.now_ns()))).columns


def _names(packets: PacketColumns) -> set[tuple[int, ...]]:
    """Return what tells each packet from every other, its time left out."""
    parts = (packets.flow_hash, packets.src_port, packets.tcp_seq, packets.tcp_ack,
             packets.tcp_flags, packets.payload_bytes)  # fmt: skip
    return set(zip(*(part.tolist() for part in parts), strict=True))


def test_sample_is_the_same_on_both_ends_in_the_kernel_and_in_numpy() -> None:
    """Four recorders, two families, one sample: whole connections, or nothing of them."""
    hour = {"sample_ratio": _RATIO, "sample_epoch_s": 3_600}
    with cable() as wire, ExitStack() as stack:
        every = stack.enter_context(recording(wire.a))
        sampling = [
            stack.enter_context(recording(host, engine="sample", **hour))
            for host in (wire.a, wire.b)
        ]
        from_ns = _CLOCK.now_ns()
        _talk(wire, connections=40)
        chosen = Selection(from_ns, _CLOCK.now_ns(), sample_ratio=_RATIO, sample_epoch_s=3_600)
        everything = _packets(every, from_ns)
        pulled = [decode(process.pull(chosen)).columns for process in (every, *sampling)]
    in_numpy = everything.take(keep(everything.flow_hash, epochs(everything.ts_ns, 3_600), _RATIO))
    names = _names(in_numpy)
    assert [_names(packets) == names for packets in pulled] == [True, True, True]
    flows = len(np.unique(in_numpy.flow_hash))
    assert 0 < flows < 40
    assert len(np.unique(everything.flow_hash)) == 40


def test_kernel_sample_goes_on_over_the_end_of_an_epoch() -> None:
    """Each second has its own draw, and no connection is missing around the seam."""
    second = {"sample_ratio": _RATIO, "sample_epoch_s": 1}
    with (
        cable() as wire,
        recording(wire.a) as every,
        recording(wire.a, engine="sample", **second) as sampling,
    ):
        from_ns = _CLOCK.now_ns()
        # Until a second has ended of which at least a quarter was left, and a quarter of the next.
        until_ns = (from_ns + NS_PER_S // 4) // NS_PER_S * NS_PER_S + 5 * NS_PER_S // 4
        while _CLOCK.now_ns() < until_ns:
            _talk(wire, connections=2)
        to_ns = _CLOCK.now_ns()
        everything = _packets(every, from_ns)
        chosen = Selection(from_ns, to_ns, sample_ratio=_RATIO, sample_epoch_s=1)
        sampled = decode(sampling.pull(chosen)).columns
        overshoot = sampling.stats().packets
    everything = _inside(everything, to_ns)
    epoch = epochs(everything.ts_ns, 1)
    assert len(np.unique(epoch)) >= 2
    in_numpy = everything.take(keep(everything.flow_hash, epoch, _RATIO))
    # What one socket stamps within the bound the other may stamp a microsecond outside of it.
    assert _names(_inside(sampled, to_ns, 2 * NS_PER_MS)) <= _names(in_numpy)
    assert _names(_inside(in_numpy, to_ns, 2 * NS_PER_MS)) <= _names(_inside(sampled, to_ns))
    assert len(sampled) <= overshoot < len(everything)


def _inside(packets: PacketColumns, to_ns: int, edge_ns: int = NS_PER_MS) -> PacketColumns:
    """Leave out what is near an edge: each socket has a stamp of its own."""
    since = packets.ts_ns % NS_PER_S
    is_clear = (since > edge_ns) & (since < NS_PER_S - edge_ns)
    return packets.take(is_clear & (packets.ts_ns < to_ns - edge_ns))
