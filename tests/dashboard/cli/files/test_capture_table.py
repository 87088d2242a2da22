from __future__ import annotations

import pytest

from dashboard.cli.files.capture_table import Sort, capture_table, dearest
from packet.decode.columns import ACK, FIN, RST, SYN
from packet.tcp.connections import Direction, WireFlow


def _flow(name: str, first_ns: int = 0, sent: Direction | None = None) -> WireFlow:
    sent = sent or Direction(packets=1)
    ends = ((name, 1), ("10.0.0.2", 2))
    return WireFlow(1, 0, 6, first_ns, first_ns + 5, *ends, None, sent, Direction(packets=1))


def test_each_key_puts_the_dearest_first() -> None:
    """What is dear depends on what is looked for; equals keep the order of their begin."""
    slow = _flow("slow", 1, Direction(packets=1, rtt_count=1, rtt_sum_ns=7))
    big, early = _flow("big", 2, Direction(packets=1, wire_bytes=9)), _flow("early")
    flows = [early, slow, big]
    assert [flow.client[0] for flow in dearest(flows, Sort.BYTES, 1)] == ["big"]
    assert [flow.client[0] for flow in dearest(flows, Sort.RTT, 2)] == ["slow", "early"]
    assert [flow.client[0] for flow in dearest(flows, Sort.BEGIN, 0)] == ["early", "slow", "big"]
    assert all(len(dearest(flows, sort, 0)) == 3 for sort in Sort)


@pytest.mark.parametrize(
    ("client", "server", "answers", "state"),
    [
        (SYN, 0, 0, "unanswered"),
        (SYN | ACK, SYN | ACK, 1, "open"),
        (ACK, 0, 0, "open"),
        (SYN | ACK | FIN, SYN | ACK, 1, "half closed"),
        (ACK | FIN, ACK | FIN, 1, "closed"),
        (ACK | FIN, ACK | RST, 1, "reset"),
    ],
)
def test_state_is_what_the_flags_say(client: int, server: int, answers: int, state: str) -> None:
    """A connection that nobody answered, or that was reset, is what is looked for."""
    flow = _flow("c", 0, Direction(packets=1, flags=client))
    flow.from_server = Direction(packets=answers, flags=server)
    assert flow.state == flow.as_json()["state"] == state


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [
        (1_700_000_000_123_456_789, "2023-11-14 22:13:20.123"),
        (2**64 - 1, "2554-07-21 23:34:33.709"),
        (0, "1970-01-01 00:00:00.000"),
    ],
)
def test_begin_is_told_to_the_millisecond(at_ns: int, text: str) -> None:
    """A capture from outside may say anything that 64 bits hold."""
    assert list(capture_table([_flow("c", at_ns)]).columns[3].cells) == [text]
