"""I/O: what every class of decisions lost since some instants, from `revenue_cells`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from alerts.rules.burn_rate import EMPTY_WINDOW, Window
from alerts.state.subject import Subject


def read_sums(
    rows_of: Callable[..., list[Any]], starts_ns: Iterable[int], end_ns: int
) -> dict[Subject, dict[int, Window]]:
    """Return what every class lost from each instant to the end; a class that lost nothing is out.

    Args:
        rows_of: asks the store.
        starts_ns: the instants, Unix ns.
        end_ns: where all windows end.
    """
    newest_first = sorted(starts_ns, reverse=True)
    if not newest_first:
        return {}
    rings: dict[Subject, dict[int, Window]] = {}
    rows = rows_of(
        "loss_rings",
        __file__,
        end_ns=end_ns,
        from_ns=max(0, newest_first[-1]),
        starts_ns=[max(0, each) for each in newest_first],
    )
    for action, region, ring, *figures in rows:
        rings.setdefault(Subject(str(action), str(region)), {})[int(ring)] = Window(*figures)
    return {each: dict(_added_up(newest_first, found)) for each, found in rings.items()}


def _added_up(
    newest_first: Sequence[int], rings: Mapping[int, Window]
) -> Iterator[tuple[int, Window]]:
    """Yield the losses since each start: those of its ring and of all rings after it."""
    total = EMPTY_WINDOW
    for at, start_ns in enumerate(newest_first):
        total += rings.get(at, EMPTY_WINDOW)
        yield start_ns, total
