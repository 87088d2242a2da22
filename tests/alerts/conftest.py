"""Settings of the property tests."""

from __future__ import annotations

from hypothesis import settings

# A deadline asserts a time, and on a busy machine it asserts the neighbours' time.
settings.register_profile("millworth", deadline=None)
settings.load_profile("millworth")
