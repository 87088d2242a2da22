from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packet.correlate.span_windows import within_windows
from packet.decode.columns import SYN
from tests.support.packet.build import Packet, client_span, columns


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), max_size=8),
    st.lists(st.integers(0, 800), max_size=40),
    st.integers(0, 30),
)
def test_window_keeps_what_a_span_can_have_caused(
    spans: list[tuple[int, int]], times: list[int], margin_ns: int
) -> None:
    """A pooled connection would otherwise bring in every other decision it carries."""
    made = [client_span(f"s{start}", start, start + length) for start, length in spans]
    wanted = [
        any(start - margin_ns <= at <= start + length + margin_ns for start, length in spans)
        for at in times
    ]
    kept = within_windows(columns([Packet(at) for at in times]), made, margin_ns)
    assert kept.tolist() == wanted


def test_window_keeps_the_handshake_of_a_connection() -> None:
    """A new connection's round trip is known from its first three packets only."""
    packets = [Packet(1, flags=SYN), Packet(3), Packet(400), Packet(1_000)]
    kept = within_windows(columns(packets), [client_span("s1", 990, 1_010)], 20)
    assert kept.tolist() == [True, True, False, True]
    assert not within_windows(columns(packets), []).any()
