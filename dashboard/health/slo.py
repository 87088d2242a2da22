"""Pure: what the Health page says of latency budgets and of the calibration canary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attribution.core.slo import Verdict
from dashboard.health.items import HealthItem

if TYPE_CHECKING:
    from dashboard.health.running import KnownDelays, RunningService

# Below this, or above that, the page warns: what `millworth bench recovery` has to reach.
_RIGHT_SEGMENT_RATIO_MIN = 0.99
_ERROR_RATIO_MAX = 0.02


def promise_items(service: RunningService) -> Iterator[HealthItem]:
    """Yield how each budget stands, and whether known delays were found."""
    for budget in service.budgets.standings:
        missed = budget.verdict is Verdict.MISSED
        detail = "; ".join(
            f"p{each.quantile * 100:.0f} {_ms(each.measured_ms)}, promised {each.target_ms:g} ms"
            for each in budget.promises
        )
        yield HealthItem(
            f"budget.{budget.name}",
            str(budget.verdict),
            "",
            "warn" if missed else "ok",
            f"{detail}; decisions: {budget.decisions}",
        )
    if service.canary is not None:
        yield from _canary_items(service.canary)


def _canary_items(canary: KnownDelays) -> Iterator[HealthItem]:
    recovery = canary.recovery
    right, error = recovery.right_segment_ratio, recovery.error_ratio_p99
    yield HealthItem(
        "calibration.right_segment",
        None if right is None else round(right, 4),
        "of known delays",
        "warn" if right is not None and right < _RIGHT_SEGMENT_RATIO_MIN else "ok",
        f"decisions: {recovery.decisions}, not attributed in time: {canary.lost}",
    )
    yield HealthItem(
        "calibration.error",
        None if error is None else round(error, 4),
        "of a known delay, p99",
        "warn" if error is not None and error > _ERROR_RATIO_MAX else "ok",
        "what went to other segments",
    )


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} ms"
