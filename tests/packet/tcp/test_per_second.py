from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.decode.columns import ACK, SYN
from packet.tcp.per_second import WireSecond, WireWatch
from tests.support.packet.build import CLIENT, SERVER, Packet, columns

_T0 = 1_800_000_000 * NS_PER_S
_MS = NS_PER_MS
_PAIR = SERVER[1] << 16 | CLIENT[1]


def _watched(
    packets: list[Packet], *, batches: int = 1, link_mbit: float = 0.0
) -> list[WireSecond]:
    watch = WireWatch(link_mbit)
    for part in np.array_split(np.arange(len(packets)), batches):
        chosen = [packets[place] for place in part]
        watch.add(columns(chosen), max(packet.ts_ns for packet in chosen))
    watch.add(columns([]), packets[-1].ts_ns + 3 * NS_PER_S)
    assert watch.late == 0
    return watch.seconds(0)


def _data(at_ns: int, seq: int, payload: int = 100, flags: int = ACK) -> Packet:
    return Packet(_T0 + at_ns, seq=seq, payload=payload, flags=flags)


def test_each_second_has_its_own_figures() -> None:
    """What is counted is the second of the packet, whenever it is handed over."""
    answer = Packet(_T0 + 1_500 * _MS, SERVER, CLIENT, payload=1_000)
    seconds = _watched([_data(0, 1), _data(999 * _MS, 101), answer], batches=3)
    assert [(s.second_ns, s.packets, s.wire_bytes, s.flows) for s in seconds] == [
        (_T0, 2, 332, 1),
        (_T0 + NS_PER_S, 1, 1_066, 1),
    ]
    assert (seconds[0].queue_bytes, seconds[0].queue_ns) == (None, None)
    assert seconds[0].peak_1ms_bytes == 166


def test_retransmission_is_known_across_seconds() -> None:
    """A timeout is 200 ms at the least: the original is often in the second before."""
    packets = [_data(900 * _MS, 1), _data(901 * _MS, 101), _data(1_200 * _MS, 101)]
    seconds = _watched(packets, batches=3)
    assert [s.retransmissions for s in seconds] == [0, 1]
    assert seconds[1].retransmitting == (_PAIR,)


def test_new_connection_on_the_same_ports_repeats_nothing() -> None:
    """Its numbers begin anywhere; a SYN sent twice is a repeat."""
    packets = [
        _data(0, 2**32 - 50),  # runs over the end of the numbers
        _data(1 * _MS, 50),
        _data(2 * _MS, 7, 0, SYN),
        _data(3 * _MS, 7, 0, SYN),
        _data(4 * _MS, 8),
        _data(1_001 * _MS, 3_000_000_000),  # and one whose SYN was not recorded
    ]
    assert [s.retransmissions for s in _watched(packets)] == [1, 0]


def test_keep_alive_is_no_retransmission() -> None:
    """It asks with a byte that was acknowledged long ago."""
    assert [s.retransmissions for s in _watched([_data(0, 1), _data(1 * _MS, 100, 1)])] == [0]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3_000), st.integers(1, 9)), min_size=1),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_count_is_that_of_one_packet_at_a_time(
    sent: list[tuple[bool, int, int]], batches: int, base: int
) -> None:
    """Vectorised or not, and however it is cut into batches and seconds."""
    ends: dict[bool, int] = {}
    packets, expected = [], 0
    for place, (forward, at, length) in enumerate(sorted(sent, key=lambda one: one[1])):
        ends_here = ends.get(forward)
        seq = 100 + place * 5
        if ends_here is not None and seq < ends_here and not (length == 1 and seq == ends_here - 1):
            expected += 1
        ends[forward] = max(ends_here or 0, seq + length)
        one, other = (CLIENT, SERVER) if forward else (SERVER, CLIENT)
        number = (base + seq) % 2**32
        packets.append(Packet(_T0 + at * _MS, one, other, seq=number, payload=length))
    batches = min(batches, len(packets))
    assert sum(s.retransmissions for s in _watched(packets, batches=batches)) == expected


def test_queue_goes_on_from_one_second_to_the_next() -> None:
    """A burst at the end of a second is still in the queue when the next begins."""
    size = 62_500 - 66  # with its headers 5 ms at 100 Mbit/s
    packets = [_data(999 * _MS, 1, size), _data(1_000 * _MS, 1 + size, size)]
    first, second = _watched(packets, link_mbit=100)
    assert first.queue_bytes == 62_500
    assert second.queue_bytes == 62_500 * 2 - 12_500
    assert second.queue_ns == 9 * _MS
    assert [len(first.bursts), len(second.bursts)] == [1, 1]
    assert second.bursts[0].port_pairs == (_PAIR,)


@given(
    st.integers(10, 86_400 * 365),
    st.lists(st.integers(1, 3 * NS_PER_S), min_size=1, max_size=40),
)
def test_clock_that_is_set_back_holds_up_nothing(back_s: int, steps_ns: list[int]) -> None:
    """Until it had caught up every packet was held, and no second had figures."""
    watch, now_ns = WireWatch(1_000), _T0
    for _ in range(10):
        now_ns += NS_PER_S // 2
        watch.add(columns([Packet(now_ns)]), now_ns)
    now_ns -= back_s * NS_PER_S
    begin_ns = now_ns
    for step_ns in steps_ns:
        now_ns += step_ns
        watch.add(columns([Packet(now_ns)]), now_ns)
    watch.add(columns([]), now_ns + 2 * NS_PER_S)
    seconds = watch.seconds(0)
    assert all(begin_ns - NS_PER_S < second.second_ns <= now_ns for second in seconds)
    assert sum(second.packets for second in seconds) == len(steps_ns)
    assert watch.late <= 3


def test_closed_window_is_counted() -> None:
    """A receiver that does not read."""
    shut = replace(_data(0, 1, 0), window=0)
    assert [s.zero_windows for s in _watched([shut, _data(1, 1)])] == [1]


def test_late_reader_gets_what_it_missed_and_nothing_twice() -> None:
    """The reader remembers the last second it has; the figures are there for five minutes."""
    watch = WireWatch(0)
    for second in range(3):
        watch.add(columns([_data(second * NS_PER_S, 1)]), _T0 + second * NS_PER_S)
    watch.add(columns([]), _T0 + 9 * NS_PER_S)
    assert [s.second_ns for s in watch.seconds(_T0)] == [_T0 + NS_PER_S, _T0 + 2 * NS_PER_S]
    watch.add(columns([_data(1, 1)]), _T0 + 10 * NS_PER_S)
    watch.add(columns([]), _T0 + 12 * NS_PER_S)
    assert watch.late == 1
