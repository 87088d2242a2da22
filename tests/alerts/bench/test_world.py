"""The truth of the bench of alerts is what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.bench.world import KINDS, make_world


def test_world_is_that_of_its_seed_and_its_incidents_cost_what_was_lost() -> None:
    """Figures over seeds mean nothing where a seed gives another world each time."""
    first, again, other = make_world(3), make_world(3), make_world(4)

    assert first.incidents == again.incidents != other.incidents
    assert np.array_equal(first.lost_usd, again.lost_usd)
    assert len(first.incidents) == sum(kind.count for kind in KINDS)
    for each in first.incidents:
        assert each.lost_usd == pytest.approx(first.lost_usd[each.start : each.end].sum())
    outage = next(each for each in first.incidents if each.kind == "outage")
    requests = sum(each.requests[outage.start : outage.end].sum() for each in first.classes)
    bad = sum(each.bad[outage.start : outage.end].sum() for each in first.classes)
    assert bad == requests > 0
