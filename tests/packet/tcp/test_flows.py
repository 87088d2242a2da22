from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from packet.decode.columns import ACK, FIN, SYN
from packet.tcp.flows import IDLE_NS, Flow, analyse
from tests.support.packet.build import CLIENT, SERVER, Packet, columns

_SYN = Packet(1_000, flags=SYN, seq=100)
_SYN_ACK = Packet(1_300, SERVER, CLIENT, flags=SYN | ACK, seq=900, ack=101)
_DONE = Packet(1_350, seq=101, ack=901)


def _only(packets: list[Packet]) -> Flow:
    (flow,) = analyse(columns(packets))
    return flow


def test_handshake_names_the_client_and_gives_a_round_trip() -> None:
    """SYN to ACK is one round trip wherever the capture stands between the two."""
    flow = _only([_SYN, _SYN_ACK, _DONE])
    assert (flow.client_address, flow.client_port) == CLIENT
    assert (flow.server_address, flow.server_port) == SERVER
    assert flow.handshake_rtt_ns == 350
    assert (flow.first_ns, flow.last_ns) == (1_000, 1_350)
    assert (flow.packets, flow.wire_bytes) == (3, 3 * 66)


def test_known_listener_is_the_server_of_a_connection_without_a_handshake() -> None:
    """A pooled connection is older than the recording, and its server may have the higher port."""
    low, high = (CLIENT[0], 40_000), (SERVER[0], 46_000)
    packets = columns([Packet(1_000, low, high, seq=1), Packet(2_000, high, low, seq=1)])

    (guessed,) = analyse(packets)
    (known,) = analyse(packets, frozenset({46_000}))

    assert (guessed.client_port, guessed.server_port) == (46_000, 40_000)
    assert (known.client_port, known.server_port) == (40_000, 46_000)


def test_wait_for_a_lost_syn_is_no_round_trip() -> None:
    """The last SYN before the answer is the one that was answered."""
    again = replace(_SYN, ts_ns=1_200)
    flow = _only([_SYN, again, _SYN_ACK, _DONE])
    assert flow.handshake_rtt_ns == 150
    assert flow.retransmissions == 1


def test_round_trip_of_half_a_handshake_is_unknown() -> None:
    """Unknown is no number, and least of all zero."""
    assert _only([_SYN, _DONE]).handshake_rtt_ns is None
    assert _only([_SYN_ACK, _DONE]).handshake_rtt_ns is None
    assert _only([_SYN, _SYN_ACK]).handshake_rtt_ns is None


def test_syn_ack_alone_still_names_the_client() -> None:
    """The capture may begin in the middle of a handshake, even to an unusual port."""
    low = (CLIENT[0], 443)
    flow = _only([Packet(1, SERVER, low, flags=SYN | ACK), Packet(2, low, SERVER)])
    assert (flow.client_port, flow.server_port) == (443, SERVER[1])


def test_lower_port_listens_where_no_handshake_was_seen() -> None:
    """Either side may speak first in what was recorded."""
    for first in (Packet(1), Packet(1, SERVER, CLIENT)):
        flow = _only([first])
        assert (flow.client_port, flow.server_port) == (CLIENT[1], SERVER[1])


def test_bytes_sent_again_are_counted_and_keep_alives_are_not() -> None:
    """A keep-alive repeats one byte that was acknowledged long ago, on purpose."""
    sent = Packet(1, seq=1000, payload=100)
    following = Packet(2, seq=1100, payload=100)
    keep_alive = Packet(4, seq=1199, payload=1)
    assert _only([sent, following, keep_alive]).retransmissions == 0
    assert _only([sent, following, replace(sent, ts_ns=3)]).retransmissions == 1


def test_sequence_numbers_wrap() -> None:
    """A busy connection passes 2^32 within minutes."""
    before = Packet(1, seq=2**32 - 50, payload=100)
    after = Packet(2, seq=50, payload=100)
    assert _only([before, after]).retransmissions == 0
    assert _only([before, after, replace(before, ts_ns=3)]).retransmissions == 1


def test_closed_window_is_counted_but_not_at_the_end() -> None:
    """A reset carries a window of zero that means nothing."""
    full = Packet(1, SERVER, CLIENT, window=0)
    assert _only([full, replace(full, ts_ns=2, flags=FIN | ACK)]).zero_windows == 1


def test_reused_ports_are_another_connection() -> None:
    """A busy client takes the same port again within a minute."""
    flows = analyse(columns([_SYN, _SYN_ACK, _DONE, replace(_SYN, ts_ns=9_000, seq=7)]))
    assert [(flow.first_ns, flow.last_ns) for flow in flows] == [(1_000, 1_350), (9_000, 9_000)]


def test_connection_that_was_not_kept_for_a_while_goes_on_in_another_row() -> None:
    """The sample takes a pooled connection now and then; the time between was not seen."""
    later = Packet(1 + IDLE_NS + 1)
    assert len(analyse(columns([Packet(1), later]))) == 2
    assert len(analyse(columns([Packet(2), later]))) == 1


_PACKETS = st.lists(
    st.builds(
        lambda ts_ns, port, back, flags, seq, payload: Packet(
            ts_ns,
            SERVER if back else ("127.0.0.1", port),
            ("127.0.0.1", port) if back else SERVER,
            flags=flags,
            seq=seq,
            payload=payload,
        ),
        st.integers(0, 3 * IDLE_NS),
        st.integers(40_000, 40_003),
        st.booleans(),
        st.sampled_from([ACK, SYN, SYN | ACK, FIN | ACK]),
        st.integers(0, 2**32 - 1),
        st.integers(0, 1500),
    ),
    max_size=30,
)


@given(_PACKETS)
def test_every_packet_is_in_one_connection_whatever_the_order(
    packets: list[Packet],
) -> None:
    """Blocks of several cores interleave; the rows must not depend on it."""
    flows = analyse(columns(packets))
    assert sum(flow.packets for flow in flows) == len(packets)
    assert sum(flow.wire_bytes for flow in flows) == sum(p.payload + 66 for p in packets)
    keys = [(flow.flow_hash, flow.first_ns) for flow in flows]
    assert keys == sorted(keys)
    assert all(flow.first_ns <= flow.last_ns for flow in flows)
    by_time = {p.ts_ns for p in packets}
    if len(by_time) == len(packets):
        assert analyse(columns(sorted(packets, key=lambda p: -p.ts_ns))) == flows
