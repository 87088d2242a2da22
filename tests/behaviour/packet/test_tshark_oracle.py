from __future__ import annotations

from tests.support.packet.tshark_oracle import Result, Row, compare, figures


def _row(rtt_ns: int | None = None, *names: str) -> Row:
    return Row(rtt_ns, frozenset(names))


def test_what_either_of_the_two_lists_is_counted() -> None:
    """Packets that tshark does not list were believed, and nobody was told."""
    theirs = {1: _row(5_000, "keep_alive"), 2: _row(None, "zero_window"), 3: _row()}
    ours = {1: _row(5_900, "keep_alive"), 2: _row(7_000), 4: _row(None, "retransmission")}
    counts = compare(theirs, ours)
    assert (counts["tcp"], counts["listed"], counts["listed extra"]) == (3, 2, 1)
    assert (counts["rtt"], counts["rtt near"], counts["rtt extra"]) == (1, 1, 1)
    assert (counts["zero_window missed"], counts["retransmission extra"]) == (1, 1)
    assert Result("one", counts).differences() == 5
    found = figures(counts)
    assert (found["listed_extra"], found["rtt_extra"], found["keep_alive_recall"]) == (1, 1, 1.0)
    assert found["retransmission_precision"] == 0.0


def test_file_that_both_see_alike_has_no_difference() -> None:
    """Nothing of it is in the list of the worst."""
    rows = {1: _row(5_000, "keep_alive"), 2: _row()}
    assert Result("one", compare(rows, rows)).differences() == 0
