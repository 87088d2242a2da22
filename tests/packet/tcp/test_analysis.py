from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packet.decode.columns import ACK, FIN, RST, SYN, PacketColumns, concat_columns
from packet.files.json_lines import NAMES
from packet.tcp.analysis import NO_RTT, analyse_packets
from packet.tcp.streaming import BlockAnalysis, Spans
from tests.support.examples import examples
from tests.support.packet.build import CLIENT, SERVER, Packet, columns

_MS = 1_000_000
_SYN = Packet(0, flags=SYN, seq=100)
_SYN_ACK = Packet(10 * _MS, SERVER, CLIENT, flags=SYN | ACK, seq=900, ack=101)
_DONE = Packet(11 * _MS, seq=101, ack=901)
_HANDSHAKE = [_SYN, _SYN_ACK, _DONE]


def _sent(at_ms: float, seq: int, payload: int = 100, flags: int = ACK) -> Packet:
    """Return what the client sends after the handshake."""
    return Packet(int(at_ms * _MS), flags=flags, seq=seq, ack=901, payload=payload)


def _acked(at_ms: float, ack: int, window: int = 512, sack: tuple[int, ...] = ()) -> Packet:
    """Return an ACK of the server's."""
    return Packet(int(at_ms * _MS), SERVER, CLIENT, seq=901, ack=ack, window=window, sack=sack)


def _events(packets: list[Packet]) -> list[set[str]]:
    """Return what each packet is; all of them exactly, and the fast way where it is taken."""
    built = columns(packets)
    analysis = analyse_packets(built)
    exact = analyse_packets(built, only_exact=True)
    assert analysis.events.tolist() == exact.events.tolist()
    assert analysis.rtt_ns.tolist() == exact.rtt_ns.tolist()
    return [
        {name for name, bit in NAMES.items() if events & bit} for events in analysis.events.tolist()
    ]


def _rtts(packets: list[Packet]) -> list[tuple[int | None, bool]]:
    analysis = analyse_packets(columns(packets))
    return [
        (None if rtt == NO_RTT else rtt, valid)
        for rtt, valid in zip(analysis.rtt_ns.tolist(), analysis.rtt_valid.tolist(), strict=True)
    ]


_NOTHING: set[str] = set()


def test_quiet_connection_has_no_events_and_a_round_trip_an_ack() -> None:
    """SYN, SYN-ACK, data and FIN: each ACK that moves forward is a sample, from either end."""
    packets = [
        *_HANDSHAKE,
        _sent(20, 101),
        _acked(30, 201),
        replace(_acked(31, 201), payload=50),
        _sent(33, 201, 0, flags=ACK | FIN),
    ]
    packets[-1] = replace(packets[-1], ack=951)
    assert _events(packets) == [_NOTHING] * 7
    assert _rtts(packets) == [
        (None, False),
        (10 * _MS, True),
        (1 * _MS, True),
        (None, False),
        (10 * _MS, True),
        (None, False),
        (2 * _MS, True),
    ]


def test_ack_of_a_part_is_a_round_trip_too() -> None:
    """Where the host's card cuts segments, one large one is seen and acknowledged in parts."""
    packets = [*_HANDSHAKE, _sent(20, 101, 3000), _acked(25, 1601), _acked(26, 3101)]
    assert [rtt for rtt, _ in _rtts(packets)[-2:]] == [5 * _MS, 6 * _MS]


def test_reset_that_names_an_ack_without_the_flag_is_a_round_trip() -> None:
    """Wireshark takes the number for what it is."""
    packets = [*_HANDSHAKE, _sent(20, 101), replace(_acked(26, 201), flags=RST)]
    assert _rtts(packets)[-1] == (6 * _MS, True)
    exact = analyse_packets(columns(packets), only_exact=True)
    assert exact.rtt_ns.tolist()[-1] == 6 * _MS


def test_reset_without_an_ack_acknowledges_nothing() -> None:
    """Zero is behind all numbers, or before them, as one looks at it."""
    far = 3_900_000_000
    packets = [
        Packet(0, flags=SYN, seq=far),
        Packet(1, SERVER, CLIENT, flags=SYN | ACK, seq=7, ack=far + 1),
        Packet(2, seq=far + 1, ack=8, payload=100),
        Packet(3, SERVER, CLIENT, flags=RST, seq=8),
    ]
    assert _events(packets)[-1] == _NOTHING
    assert _rtts(packets)[-1] == (None, False)


def test_ack_of_what_was_sent_twice_is_a_round_trip_that_cannot_be_trusted() -> None:
    """It is from the first sending, as Wireshark has it, and whether that was answered is open."""
    packets = [*_HANDSHAKE, _sent(20, 101), _sent(250, 101), _acked(260, 201)]
    assert _events(packets)[4] == {"retransmission"}
    assert _rtts(packets)[5] == (240 * _MS, False)


def test_round_trip_of_nothing_is_unknown() -> None:
    """All packets of some captures have the same time, which measures nothing."""
    packets = [
        replace(packet, ts_ns=5) for packet in (*_HANDSHAKE, _sent(20, 101), _acked(30, 201))
    ]
    assert _rtts(packets) == [(None, False)] * 5


_LOST = [_sent(20, 201), _acked(21, 101), _acked(22, 101), _acked(23, 101)]
_TWICE = [_sent(20, 101), _sent(20.1, 201)]


@pytest.mark.parametrize(
    ("packets", "found"),
    [
        pytest.param([_sent(20, 201)], {"lost_segment"}, id="a gap"),
        pytest.param(
            [_sent(20, 101), _acked(30, 201), _sent(31, 201 + 2**31)],
            {"lost_segment", "retransmission", "spurious_retransmission"},
            id="half of all numbers away, which is before and behind",
        ),
        pytest.param([_sent(20, 500, 0, flags=RST)], _NOTHING, id="a reset may lie anywhere"),
        pytest.param([*_TWICE, _sent(300, 101)], {"retransmission"}, id="seen before"),
        pytest.param(
            [_sent(20, 101), _sent(20.2, 301), _sent(20.3, 201)], {"out_of_order"}, id="overtaken"
        ),
        pytest.param(
            [_sent(20, 101), _sent(20.2, 301), _sent(40, 201)],
            {"retransmission"},
            id="later than the handshake's round trip",
        ),
        pytest.param(
            [*_LOST, _sent(30, 101)],
            {"retransmission", "fast_retransmission"},
            id="asked for three times, and soon",
        ),
        pytest.param([*_LOST, _sent(60, 101)], {"retransmission"}, id="asked for, and late"),
        pytest.param(
            [_sent(20, 101), _acked(30, 201), _sent(31, 101)],
            {"retransmission", "spurious_retransmission"},
            id="acknowledged already",
        ),
        pytest.param([_acked(20, 101), _acked(21, 101)], {"duplicate_ack"}, id="the same ACK"),
        pytest.param(
            [_acked(20, 101), _acked(21, 101, window=600)], _NOTHING, id="the window moved"
        ),
        pytest.param(
            [_acked(20, 101), _acked(21, 101, window=600, sack=(201, 301))],
            {"duplicate_ack"},
            id="the window moved, and a SACK block says why",
        ),
        pytest.param([_acked(20, 101, window=0)], {"zero_window"}, id="a closed window"),
        pytest.param(
            [replace(_acked(20, 101, window=0), flags=RST)], _NOTHING, id="a reset has none"
        ),
        pytest.param([_sent(20, 101), _sent(99, 200, 1)], {"keep_alive"}, id="a byte again"),
        pytest.param([_sent(20, 101), _sent(99, 200, 0)], {"keep_alive"}, id="no byte again"),
        pytest.param(
            [_sent(20, 101), _sent(99, 200, 1), _acked(100, 201)],
            _NOTHING,
            id="a keep-alive is answered",
        ),
        pytest.param(
            [_sent(20, 101), _acked(21, 201, window=0), _sent(22, 201, 1)],
            _NOTHING,
            id="a probe of a closed window",
        ),
        pytest.param([replace(_SYN, ts_ns=900 * _MS)], {"retransmission"}, id="the same SYN"),
        pytest.param([replace(_SYN, ts_ns=900 * _MS, seq=7)], _NOTHING, id="the ports again"),
    ],
)
def test_last_packet_after_a_handshake_is_named(packets: list[Packet], found: set[str]) -> None:
    """Each rule of Wireshark's, by the shortest capture that shows it."""
    assert _events([*_HANDSHAKE, *packets])[-1] == found


def test_probe_does_not_move_what_comes_next() -> None:
    """Its byte is sent again with the rest when the window opens, and that is no repetition."""
    packets = [
        _sent(20, 101),
        _acked(21, 201, window=0),
        _sent(22, 201, 1),
        _acked(23, 201, window=0),
        _acked(500, 201, window=512),
        _sent(501, 201, 100),
    ]
    assert _events([*_HANDSHAKE, *packets])[-1] == _NOTHING


def test_selective_request_is_answered_by_fast_retransmissions() -> None:
    """A sender may fill several holes for one row of duplicate ACKs that end in a SACK block."""
    far = 10**9
    asks = [_acked(21 + each, far, sack=(far + 200, far + 300 + each)) for each in range(4)]
    fills = [_sent(25, far), _sent(25.1, far + 100)]
    packets = [_sent(19, far - 100), _acked(20, far), _sent(20.5, far + 200), *asks, *fills]
    assert _events(packets)[-2:] == [{"retransmission", "fast_retransmission"}] * 2
    without = [replace(packet, sack=()) for packet in packets]
    assert _events(without)[-1] == {"retransmission"}


def test_sequence_numbers_wrap() -> None:
    """A busy connection passes 2^32 within minutes."""
    begin = 2**32 - 150
    packets = [
        Packet(1, seq=begin, payload=100, ack=5),
        Packet(2, seq=begin + 100, payload=100, ack=5),
        Packet(3_000_000, SERVER, CLIENT, seq=5, ack=50),
        Packet(900_000_000, seq=begin, payload=100, ack=5),
    ]
    assert _events(packets)[-1] == {"retransmission", "spurious_retransmission"}
    assert _rtts(packets)[2] == (2_999_998, True)


def test_partial_and_udp_packets_are_left_blank() -> None:
    """Their numbers were not captured, or there are none."""
    built = columns([_sent(20, 101), _sent(21, 101), _sent(22, 101)])
    udp = np.array([6, 6, 17], np.uint8)
    built = PacketColumns(**{**_fields(built), "protocol": udp})
    analysis = analyse_packets(built, np.array([False, True, False]))
    assert analysis.events.tolist() == [0, 0, 0]


def _fields(built: PacketColumns) -> dict[str, np.ndarray]:
    return {name: getattr(built, name) for name in PacketColumns.__dataclass_fields__}


_SEGMENTS = st.lists(
    st.builds(
        lambda at, port, back, flags, seq, ack, window, payload, sack: Packet(
            at * 100_000,
            SERVER if back else ("127.0.0.1", port),
            ("127.0.0.1", port) if back else SERVER,
            flags=flags,
            seq=seq % 2**32,
            ack=ack % 2**32,
            window=window,
            payload=payload,
            sack=sack,
        ),
        st.integers(0, 3000),
        st.integers(40_000, 40_001),
        st.booleans(),
        st.sampled_from([ACK, ACK, ACK, ACK, SYN, SYN | ACK, FIN | ACK, RST, RST | ACK]),
        st.sampled_from([-1, 0, 1, 100, 101, 200, 201, 300, 2**31, 2**31 + 101]),
        st.sampled_from([0, 1, 100, 101, 200, 201, 300, 2**31 + 101, 2**31 + 201]),
        st.sampled_from([0, 512, 512, 600]),
        st.sampled_from([0, 0, 1, 100, 100]),
        st.sampled_from([(), (), (201, 301), (101, 201, 301, 401)]),
    ),
    max_size=40,
)


# Of the second end the first segment ends exactly half of all numbers behind what was acknowledged.
_HALF_AWAY = [Packet(0, seq=1, ack=1), Packet(1, SERVER, CLIENT, seq=2**31, ack=1, payload=1)]


@settings(max_examples=examples(300))
@given(_SEGMENTS)
@example(_HALF_AWAY)
def test_fast_and_exact_way_agree_on_anything(packets: list[Packet]) -> None:
    """What the fast way takes for quiet is quiet, however it came about."""
    _events(packets)


@given(st.integers(1, 6), st.lists(st.integers(0, 3), min_size=1, max_size=6), st.randoms())
def test_quiet_connections_are_the_same_interleaved(
    count: int, sizes: list[int], order: object
) -> None:
    """Packets of other connections between those of one change nothing for it."""
    one = _exchange(sizes)
    alone = _rtts(one)
    many = [
        (packet.ts_ns, row, _on_port(packet, 40_000 + number))
        for number in range(count)
        for row, packet in enumerate(one)
    ]
    many.sort(key=lambda each: each[:2])
    together = _rtts([packet for _, _, packet in many])
    assert sorted(map(str, together)) == sorted(map(str, alone * count))


def _exchange(sizes: list[int]) -> list[Packet]:
    packets, seq, ack, at_ms = list(_HANDSHAKE), 101, 901, 20
    for size in sizes:
        packets.append(Packet(at_ms * _MS, seq=seq, ack=ack, payload=size * 500 + 1))
        seq += size * 500 + 1
        packets.append(
            Packet((at_ms + 5) * _MS, SERVER, CLIENT, seq=ack, ack=seq, payload=size * 1000)
        )
        ack += size * 1000
        at_ms += 10
    return packets


def _on_port(packet: Packet, port: int) -> Packet:
    client = ("127.0.0.1", port)
    if packet.src == SERVER:
        return replace(packet, dst=client)
    return replace(packet, src=client)


@given(_SEGMENTS, st.integers(1, 39))
def test_blocks_of_a_file_give_what_the_whole_gives(packets: list[Packet], cut: int) -> None:
    """A connection is followed over the end of a block, whoever speaks first in the next."""
    whole = columns(packets)
    parts = [whole.take(np.arange(0, min(cut, len(whole)))), whole.take(np.arange(cut, len(whole)))]
    spans = Spans()
    for part in parts:
        spans.add(part)
    blocks = BlockAnalysis(spans)
    found = [blocks.analyse(part, np.zeros(len(part), np.bool_)) for part in parts]
    wanted = analyse_packets(whole)
    assert len(concat_columns(parts)) == len(whole)
    for name in ("events", "rtt_ns", "rtt_valid", "connection"):
        joined = np.concatenate([getattr(each, name) for each in found])
        assert joined.tolist() == getattr(wanted, name).tolist()
