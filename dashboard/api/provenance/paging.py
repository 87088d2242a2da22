"""Pure: where a page begins: `after` is `next` of the page before, and empty for the first."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from collector.core.errors import InputError
from collector.core.times import INSTANT_NS_MAX

After = Annotated[str, Query(max_length=30, description="`next` of the page before")]


def after_number(text: str) -> int:
    """Return the number after which a page begins. Raises InputError for what no page gave."""
    number = int(text) if text.isascii() and text.isdigit() else 0 if not text else -1
    if not 0 <= number <= INSTANT_NS_MAX:
        raise InputError(
            f"after {text!r} is not where a page ended; give `next` of the page before"
        )
    return number
