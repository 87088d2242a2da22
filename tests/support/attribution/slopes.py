"""Versions of the slope, as the store has them."""

from __future__ import annotations

import math

from attribution.sensitivity.versions import SlopeModel
from collector.core.times import NS_PER_MS
from tests.support.attribution.stored import BASE_NS


def halving(source: str = "estimate", reason: str = "", effective_ns: int = 0) -> SlopeModel:
    """Return a slope of half the value per 100 ms, measured from 80 to 250 ms."""
    beta = math.log(2) / (100 * NS_PER_MS)
    return SlopeModel(
        version=1, effective_ns=effective_ns, computed_ns=BASE_NS, from_ns=0, to_ns=BASE_NS,
        source=source, status="identified" if source == "estimate" else "wide", reason=reason,
        outcome="margin", decisions=5, minutes=1, decisions_needed=9, mean_outcome=10.0,
        median_per_ns=beta, low_per_ns=beta, high_per_ns=beta, backend_per_ms=None,
        backend_se=None, injection_per_ms=None, injection_se=None, delay_max_ns=80 * NS_PER_MS,
        latency_low_ns=80 * NS_PER_MS, latency_high_ns=250 * NS_PER_MS, not_randomised=0,
        experiments=["e1"], config_hash="",
    )  # fmt: skip
