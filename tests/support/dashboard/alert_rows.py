"""A row of the pages of alerts that is valid in all its parts."""

from __future__ import annotations

from decimal import Decimal

from dashboard.read.alerts.rows import AlertRow
from tests.conftest import NOW_NS

BURN = AlertRow(
    episode_id="01",
    seq=1,
    rule="burn",
    severity="page",
    action="checkout",
    region="eu-west",
    state="firing",
    first_ns=NOW_NS,
    at_ns=NOW_NS,
    started_ns=NOW_NS,
    window_s=60,
    loss_usd=Decimal(100),
    loss_low_usd=Decimal(50),
    loss_high_usd=Decimal(200),
    revenue_at_risk_usd_per_h=Decimal(6_000),
    burn=5.0,
    basis="margin",
    blamed_stage="decision",
    blamed_class="store",
    blamed_excess_ns=1,
    reason="$6,000/h at risk",
)
