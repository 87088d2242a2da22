from __future__ import annotations

from dataclasses import replace

import pytest

from packet.sampling.reconstruction import Captured, judge

_WHOLE = Captured(
    requests=300,
    looked_at=300,
    rebuilt=300,
    spans=600,
    packets=1_500,
    unproven=500,
    held_s=100,
    needed_s=40,
    recorded=10_000_000,
    dropped=0,
    refused_flows=0,
    refused_bytes=0,
    cut_packets=0,
    sample_ratio=0.001,
)


def test_incident_that_is_whole_is_rebuilt_for_sure() -> None:
    """Nothing was lost, nothing refused: the recorder has it, and sampling would have a quarter."""
    judged = judge(_WHOLE)
    assert judged.probability == 1.0
    assert judged.sampled_probability == pytest.approx(0.259, abs=0.001)


def test_packets_that_the_kernel_dropped_may_be_the_ones() -> None:
    """One in ten million; it may lie behind what was seen last, at 500 places."""
    assert judge(replace(_WHOLE, dropped=1)).probability == pytest.approx(1 - 5e-5, rel=1e-6)
    assert judge(replace(_WHOLE, dropped=10**6)).probability < 1e-20


@pytest.mark.parametrize(
    "captured",
    [
        pytest.param(replace(_WHOLE, held_s=39), id="the recorder had forgotten the beginning"),
        pytest.param(replace(_WHOLE, refused_flows=1), id="too many connections"),
        pytest.param(replace(_WHOLE, refused_bytes=1), id="no room in the budget"),
        pytest.param(replace(_WHOLE, rebuilt=299), id="a request without its packets"),
        pytest.param(replace(_WHOLE, requests=301), id="a request that was not looked at"),
        pytest.param(replace(_WHOLE, cut_packets=1), id="an answer that was cut"),
        pytest.param(replace(_WHOLE, requests=0, rebuilt=0), id="nothing is known of it"),
    ],
)
def test_incident_that_misses_something_is_not_rebuilt(captured: Captured) -> None:
    """What is seen to be missing has no probability."""
    assert judge(captured).probability == 0.0


def test_grounds_name_every_figure_and_where_it_is_from() -> None:
    """A probability that cannot be checked is an opinion."""
    grounds = judge(replace(_WHOLE, dropped=7, refused_bytes=5)).grounds
    assert grounds == (
        "requests touched: 300, looked at: 300, with all packets of every call: 300 (measured)",
        "calls and answers: 600 spans (measured)",
        "recorder reached back 100.000 s, needed 40.000 s (measured)",
        "kernel dropped 7 of 10000007 packets meanwhile (measured)",
        "refused: 0 connections over packet.capture_flows_max, 5 bytes over the budget, 0 packets "
        "of too large an answer (measured)",
        "sampling alone at 0.001 would have one request whole with probability 0.259 (reckoned)",
    )
