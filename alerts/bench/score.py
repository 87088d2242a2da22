"""Pure: what alerts are worth against incidents whose cost is known."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Final

import numpy as np

from alerts.bench.approaches import Alert, Alerts
from alerts.bench.world import STEP_S, Incident, World

# An alert this long after an incident is still about it: windows are behind.
_GRACE: Final = 300 // STEP_S


def score(world: World, alerts: Alerts) -> dict[str, float]:
    """Return how good the alerts are.

    Returns:
        `pages` in the 30 days; `precision`: significant incidents that paged over pages, so that
        two pages of one incident count twice; `recall`; `silent_ratio`: significant incidents with
        neither page nor ticket; `detect_p50_s`, `lost_before_p50`, `reset_p50_min`: seconds from
        the beginning of an incident to its page, the share of its loss until then, and minutes from
        its end to that of its last page.
    """
    paged: dict[Incident, list[Alert]] = {}
    for page in alerts.pages:
        about = _about(world.incidents, page)
        if about is not None and about.is_significant:
            paged.setdefault(about, []).append(page)
    ticketed = {_about(world.incidents, ticket) for ticket in alerts.tickets}
    significant = [each for each in world.incidents if each.is_significant]
    silent = [each for each in significant if each not in paged and each not in ticketed]
    lost = np.concatenate([[0.0], np.cumsum(world.lost_usd)])
    before = [
        float(lost[min(pages[0].begin, each.end)] - lost[each.start]) / each.lost_usd
        for each, pages in paged.items()
    ]
    return {
        "pages": float(len(alerts.pages)),
        "precision": len(paged) / max(1, len(alerts.pages)),
        "recall": len(paged) / len(significant),
        "silent_ratio": len(silent) / len(significant),
        "detect_p50_s": _median((p[0].begin - each.start) * STEP_S for each, p in paged.items()),
        "lost_before_p50": _median(before),
        "reset_p50_min": _median(
            max(0, p[-1].end - each.end) * STEP_S / 60 for each, p in paged.items()
        ),
    }


def _about(incidents: Iterable[Incident], alert: Alert) -> Incident | None:
    """Return the incident that an alert is about: the latest that began before it."""
    begun = [each for each in incidents if each.start < alert.begin <= each.end + _GRACE]
    return max(begun, key=lambda each: each.start, default=None)


def _median(values: Iterable[float]) -> float:
    return statistics.median([*values] or [float("nan")])
