from __future__ import annotations

import pytest

from attribution.bench.kernel import run_kernel


@pytest.mark.integration
@pytest.mark.alone
def test_a_kernel_finds_injected_delay_and_loss_and_never_charges_too_much() -> None:
    """How near it comes is a machine's matter; that it is the least is the promise."""
    lines: list[str] = []
    figures = run_kernel(1, lines.append, calls=60)

    assert set(figures) == {
        "tcp_rtt_error_us",
        "tcp_rtt_over_us",
        "tcp_lost_requests",
        "tcp_lost_found",
        "tcp_lost_error_ms",
        "tcp_lost_over_ms",
    }
    assert figures["tcp_lost_requests"] > 0
    assert figures["tcp_lost_found"] == 1.0
    # Of 10 ms. What the hosts themselves take is in it, and is the machine's.
    assert figures["tcp_rtt_over_us"] < 5_000
    # Of 200 ms and more; a forwarder that is woken late sees the first packet late.
    assert figures["tcp_lost_over_ms"] < 20
    assert len(lines) == 1
