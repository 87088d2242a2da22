"""What several tests of readme share."""

from __future__ import annotations

from collector.core.clock import NS_PER_S

# The day after the README's outcomes, which have to be of the last thirty days.
READ_NS = 1_795_651_200 * NS_PER_S
