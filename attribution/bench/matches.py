"""I/O: counts outcomes to decisions in a database of a benchmark, in which no job runs."""

from __future__ import annotations

from typing import Final

from collector.core.sql import sql
from collector.store.connect import Connections

_MATCHES: Final = sql("matches_by_id", __file__)


def count_by_id(store: Connections) -> None:
    """Count every outcome to the one decision that it names by its id; again is no harm."""
    store.client().command(_MATCHES)
