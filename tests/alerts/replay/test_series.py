from __future__ import annotations

from decimal import Decimal

import numpy as np

from alerts.replay.series import Ints, Series, Steps
from alerts.rules.burn_rate import EMPTY_WINDOW, Window
from collector.core.times import NS_PER_MINUTE, NS_PER_S

START_NS = 2_000_000_000 * NS_PER_S


def of_steps(**changes: Ints) -> Steps:
    """Return four steps of one decision each that loses nothing."""
    one, none = np.ones(4, np.int64), np.zeros(4, np.int64)
    fields = {
        "decisions": one, "unvalued": none, "loss": none, "loss_low": none, "loss_high": none,
        "loss_squared": none.astype(np.float64), "basis": {"margin": one},
        "slope_source": {"prior": one}, "unknown": none, **changes,
    }  # fmt: skip
    return Steps(**fields)  # type: ignore[arg-type]  # fields by name


def test_window_is_the_sum_of_its_steps() -> None:
    """A window that begins before the data holds what there is."""
    lost = np.array([1, 2_000_000, 4, 8], np.int64)
    starts_ns = START_NS + NS_PER_MINUTE * np.arange(4, dtype=np.int64)
    found = Series(starts_ns, of_steps(loss=lost))

    window = found.window(120, START_NS + 3 * NS_PER_MINUTE)

    assert (window.decisions, window.loss_usd) == (2, Decimal("2.000004"))
    assert (window.basis, window.slope_source) == ("margin", "prior")
    assert window.newest_ns == START_NS + 2 * NS_PER_MINUTE
    assert found.window(10**6, START_NS + 9 * NS_PER_MINUTE).loss_usd == Decimal("2.000013")
    empty: Window = found.window(60, START_NS)
    assert empty == EMPTY_WINDOW
