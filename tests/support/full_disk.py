"""What several tests of full disk share."""

from __future__ import annotations

from collections.abc import Callable

TRIES = 2_000


def until(happens: Callable[[], bool]) -> None:
    """Try until something happens."""
    assert any(happens() for _ in range(TRIES))
