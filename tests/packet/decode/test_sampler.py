from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packet.decode.columns import U8, U16, U32, U64
from packet.decode.sampler import Selection, epochs, flow_hashes, keep
from tests.support.packet.build import CLIENT, Packet, columns

_WORDS = st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4)
_PORT = st.integers(0, 65535)


def _one(words: list[int]) -> U32:
    return np.array([words], np.uint32)


def _port(port: int) -> U16:
    return np.array([port], np.uint16)


_TCP: U8 = np.array([6], np.uint8)


def _pool(ports: int = 20_000, services: int = 10) -> U64:
    """Return the flows of one loopback: what differs is a port that counts up."""
    local = np.tile(np.array([[0, 0, 0xFFFF, 0x7F000001]], np.uint32), (ports * services, 1))
    client = np.tile(np.arange(32_768, 32_768 + ports, dtype=np.uint16), services)
    server = np.repeat(np.arange(8000, 8000 + services, dtype=np.uint16), ports)
    return flow_hashes(local, local, client, server, np.full(len(client), 6, np.uint8))


@given(_WORDS, _WORDS, _PORT, _PORT)
def test_both_directions_of_a_connection_share_a_hash(
    one: list[int], other: list[int], one_port: int, other_port: int
) -> None:
    """Half a conversation is no evidence."""
    there = flow_hashes(_one(one), _one(other), _port(one_port), _port(other_port), _TCP)
    back = flow_hashes(_one(other), _one(one), _port(other_port), _port(one_port), _TCP)
    assert there == back


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50),
    st.integers(0, 2**33),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_higher_ratio_keeps_what_a_lower_one_keeps(
    hashes: list[int], epoch: int, one: float, other: float
) -> None:
    """Hosts with different budgets still share whole flows."""
    flows, when = np.array(hashes, np.uint64), np.array([epoch])
    low, high = keep(flows, when, min(one, other)), keep(flows, when, max(one, other))
    assert not (low & ~high).any()


def test_nothing_is_kept_at_zero_and_everything_at_one() -> None:
    """The ends of the scale are exact, not nearly so."""
    flows = _pool()
    assert not keep(flows, np.array([7]), 0.0).any()
    assert keep(flows, np.array([7]), 1.0).all()


@pytest.mark.parametrize("ratio", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("epoch", [0, 1, 178_000_000])
def test_share_kept_is_the_ratio(ratio: float, epoch: int) -> None:
    """The byte budget rests on it; neighbouring ports are the worst case and the usual one."""
    flows = _pool()
    kept = int(keep(flows, np.array([epoch]), ratio).sum())
    expected = ratio * len(flows)
    assert abs(kept - expected) < 5 * (expected * (1 - ratio)) ** 0.5


def test_hash_names_a_flow() -> None:
    """Tables know a connection by its hash alone."""
    flows = _pool()
    assert len(np.unique(flows)) == len(flows)


def test_hashes_fill_their_range_evenly() -> None:
    """Chi-squared over 256 buckets of both halves; 5 sigma of its distribution at 255 degrees."""
    flows = _pool()
    for half in (flows & np.uint64(0xFFFFFFFF), flows >> np.uint64(32)):
        counts = np.bincount((half >> np.uint64(24)).astype(np.int64), minlength=256)
        expected = len(flows) / 256
        chi_squared = float(((counts - expected) ** 2 / expected).sum())
        assert chi_squared < 255 + 5 * (2 * 255) ** 0.5


def test_every_connection_of_a_pool_has_its_turn() -> None:
    """With one draw for life, a pool of 50 at 0.1 % is never seen with probability 95 %."""
    pool = _pool(ports=50, services=1)
    seen = np.zeros(50, np.bool_)
    for epoch in range(20_000):
        seen |= keep(pool, np.array([epoch]), 0.001)
    assert seen.all()


def test_selection_takes_a_time_and_its_connections() -> None:
    """The end of the time is left to the next pull, so that no packet comes twice."""
    other = ("127.0.0.1", 40_001)
    packets = columns([Packet(1), Packet(2), Packet(2, src=other), Packet(3)])
    by_time = Selection(2, 3).of(packets)
    assert by_time.tolist() == [False, True, True, False]
    by_ports = Selection(0, 9, frozenset({8080 << 16 | CLIENT[1]})).of(packets)
    assert by_ports.tolist() == [True, True, False, True]
    sampled = Selection(0, 9, sample_ratio=0.5).of(packets)
    assert sampled.tolist() == keep(packets.flow_hash, epochs(packets.ts_ns, 10), 0.5).tolist()
