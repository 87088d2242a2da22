"""A comparison as `/api/v1/compare` answers, for what says it in words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from attribution.whatif.answers import (
    CompareAnswer,
    FailedDifference,
    Latencies,
    Lost,
    SegmentDifference,
    ValueDifference,
)

EU = ValueDifference(
    "region", "eu-west", 30, 40, 90.0, 300.0, 66.0, 60.0, 72.0, 1e-9, 0, 0, 1.0, True,
    Decimal("412.5"), Decimal(0),
)  # fmt: skip
WEB = replace(EU, dimension="channel", value="", q=0.6, is_different=False, usd_per_hour=None,
              failed_usd_per_hour=None)  # fmt: skip
STORE = SegmentDifference(
    "decision/store", 14.0, 134.0, 120.0, 110.0, 130.0, 1e-9, True, Decimal(800)
)
FOUND = CompareAnswer(
    verdict="different",
    decisions_before=180,
    decisions_after=60,
    before=Latencies(100.0, 99.0, 120.0, 130.0),
    after=Latencies(300.0, 299.0, 320.0, 330.0),
    change_ms=200.0,
    mix_ms=0.0,
    uncompared=0,
    slope="assumed rate",
    segments=[STORE],
    values=[EU, WEB],
    one_in_before=7,
    one_in_after=1,
    is_assumed=True,
    usd_per_hour=Decimal(800),
    failures=FailedDifference(0, 0, -0.02, 0.06, 1.0, False, Decimal(0)),
    lost_before=Lost(0, 0, Decimal(3), Decimal(0)),
    lost_after=Lost(0, 0, Decimal(20), Decimal(0)),
)
FAILING = FailedDifference(0, 6, 0.03, 0.2, 1e-4, True, Decimal(700))
FAILED = replace(
    FOUND,
    values=[replace(EU, failed_after=6, failed_q=1e-4, failed_usd_per_hour=Decimal(350))],
    failures=FAILING,
    lost_after=Lost(2, 0, Decimal(20), Decimal(18)),
)
