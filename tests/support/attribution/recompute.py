"""What several tests of recompute share."""

from __future__ import annotations

from collector.core.times import NS_PER_S
from tests.support.attribution.stored import (
    BASE_NS,
)

HOUR_NS = 3_600 * NS_PER_S


RANGE = (BASE_NS - HOUR_NS, BASE_NS + HOUR_NS)
