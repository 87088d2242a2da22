"""What classes lost since some instants, from the cells that are stored."""

from __future__ import annotations

from decimal import Decimal

import pytest

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules.rings import read_sums
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.scene import HURT, START_NS, UNKNOWN_SLOPE, WELL, write_seconds


@pytest.mark.parametrize(
    ("late", "failed", "value", "unknown"),
    [(1, 0, 500, 1_000), (5, 5, 500, 0), (5, 4, 500, 1_000), (5, 0, -500, 0), (0, 0, 500, 0)],
)
def test_value_of_late_decisions_of_unknown_slope_is_read(
    store: Connections, late: int, failed: int, value: int, unknown: int
) -> None:
    """Of ten seconds of five decisions: those that failed are in the loss already."""
    client = store.client()
    changes = {**UNKNOWN_SLOPE, "late": late, "failed": failed, "value_usd": Decimal(value)}
    write_seconds(client, START_NS, 10, HURT, **changes)
    write_seconds(client, START_NS, 10, WELL, **{**changes, "slope_source": "prior"})
    reader = AlertReader(store, Calendars(()).budget_factor)
    found = read_sums(reader.rows, [START_NS], START_NS + 10 * NS_PER_S)
    sums = {of.region: windows[START_NS].unknown_usd for of, windows in found.items()}
    assert sums == {HURT: Decimal(unknown), WELL: Decimal(0)}
