"""What a replay reads of the store is what a rule reads of it live."""

from __future__ import annotations

from decimal import Decimal

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.replay.stored import read_classes
from alerts.rules.rings import read_sums
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.scene import HURT, WELL, write_seconds

BEGIN_NS = NOW_NS - NOW_NS % (3_600 * NS_PER_S)


def test_windows_of_the_store_are_those_of_the_rule(store: Connections) -> None:
    """Of failures, of lateness at a slope, and of lateness of which nobody knows what it costs."""
    client = store.client()
    nothing = {name: Decimal(0) for name in ("loss_usd", "loss_low_usd", "loss_high_usd")}
    write_seconds(client, BEGIN_NS, 20, HURT, slow_ms=120, failed=1)
    write_seconds(
        client, BEGIN_NS + 20 * NS_PER_S, 30, HURT, slow_ms=120, **nothing, loss_squared=0.0,
        slope_source="unknown", late=3, failed=3, value_usd=Decimal(70),
    )  # fmt: skip
    write_seconds(client, BEGIN_NS, 60, WELL)
    found = read_classes(store, BEGIN_NS, BEGIN_NS + 60 * NS_PER_S)
    reader = AlertReader(store, Calendars(()).budget_factor)

    unknown = []
    for seconds in (10, 35, 60):
        begin_ns, end_ns = BEGIN_NS + (60 - seconds) * NS_PER_S, BEGIN_NS + 60 * NS_PER_S
        sums = read_sums(reader.rows, [begin_ns], end_ns)
        live = {subject: windows[begin_ns] for subject, windows in sums.items()}
        assert {each: found[each].window(seconds, end_ns) for each in live} == live
        unknown += [live[each].unknown_usd for each in live if each.region == HURT]
    assert unknown == [25 * 28, 30 * 28]
