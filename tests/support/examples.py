"""How many examples a property draws, in a usual run and in a deep one."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

_USUAL = 100  # what Hypothesis draws where nothing is said
_DEEP = 50 * _USUAL

# Where `CI` is set Hypothesis has a profile of its own by now, which draws the same examples each
# time, and this one goes on from it: a run says what a change did, and not what luck did.
# A property that is slow on a busy machine is not wrong: time is never asserted in a test.
_SLOW: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("millworth", max_examples=_USUAL, **_SLOW)
# New ones, and more of them: `make test-deep`.
settings.register_profile("deep", max_examples=_DEEP, derandomize=False, **_SLOW)


def examples(count: int) -> int:
    """Return how many a property draws that is too dear for the usual hundred, or cheaper."""
    assert settings.default is not None
    return count * settings.default.max_examples // _USUAL
