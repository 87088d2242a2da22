"""Units whose draw falls into an arm, so that a test decides who is delayed."""

from __future__ import annotations

import itertools
from bisect import bisect_right

from attribution.sensitivity.registered import Experiment
from collector.core.assignment import arm_ends, draw, unit_digest
from collector.core.clock import NS_PER_MINUTE


def unit_in(experiment: Experiment, arm: str, ingress_ns: int, seed: str = "") -> str:
    """Return what `decision.unit` says of somebody who is in an arm in the minute of an instant."""
    names = [each.name for each in experiment.arms]
    ends = arm_ends([each.share for each in experiment.arms])
    for number in itertools.count():
        unit = unit_digest(experiment.name, f"{seed}/{number}")
        drawn = draw(experiment.name, ingress_ns // NS_PER_MINUTE, unit)
        if names[bisect_right(ends, drawn)] == arm:
            return unit
    raise AssertionError("there is always another unit")
