"""Pure: where links to alerts, and from them, lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from dashboard.pages.explore.box import with_box
from dashboard.read.alerts.detail import AlertDetail
from dashboard.read.decisions.brush import format_between, format_latency
from dashboard.read.scope import WINDOWS, Scope, format_scope

# What is shown after an alert's end, to see that it is over.
_AFTER_NS: Final = NS_PER_MINUTE


def alert_href(episode_id: str) -> str:
    """Return the address of an alert's page."""
    return f"/alerts/{quote(episode_id, safe='')}"


def overview_href(alert: AlertDetail) -> str:
    """Return the Overview of one alert: live while it is open, else frozen after its end.

    Of an alert that is not about decisions the whole of it: a service is not an action.
    """
    return "/" + format_scope(_scope(alert))


def like_it_href(alert: AlertDetail) -> str:
    """Return the alerts of the same rule, action and region of the last days."""
    scope = replace(_scope(alert), window=WINDOWS[-1], until_ns=None)
    return "/alerts" + format_scope(replace(scope, filters=(("rule", alert.rule),)))


def decisions_href(alert: AlertDetail) -> str:
    """Return the late or the failed decisions of one alert's class and time, the dearest first.

    Of a rule that names a latency of its own they are those over it.
    """
    filters = [("segment", alert.blamed)] if alert.blamed else []
    if alert.slow_over_ms is None:
        filters.append(("failed" if is_of_failures(alert) else "late", "1"))
    scope = replace(_scope(alert), low_ms=alert.slow_over_ms, filters=(*filters, ("sort", "lost")))
    return "/decisions" + format_scope(scope)


def explore_href(alert: AlertDetail, target_ns: int, now_ns: int) -> str:
    """Return what the late decisions of one alert share: its time over their target in a box.

    Of a rule that names a latency of its own it is over that.
    """
    scope, until_ns = _scope(alert), now_ns if alert.is_open else alert.at_ns
    from_ns = alert.since_ns - alert.window_s * NS_PER_S
    box = {
        "brush": format_between(max(from_ns, until_ns - scope.window_ns), until_ns),
        "brush_ms": format_latency(alert.slow_over_ms or target_ns / NS_PER_MS, None),
    }
    return "/explore" + format_scope(with_box(scope, box, now_ns))


def is_of_failures(alert: AlertDetail) -> bool:
    """Return whether the decision that shows best what the alert is about failed.

    Of a rule that names a latency it never is: a slow one that failed is there for its time.
    """
    failed = bool(alert.exemplars) and bool(alert.exemplars[0].is_error)
    return failed and alert.slow_over_ms is None


def safe_href(url: str) -> str:
    """Return an address that a link may lead to, "" for one that would run as a script."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:  # brackets that do not close
        return ""


def _scope(alert: AlertDetail) -> Scope:
    until_ns = alert.at_ns + _AFTER_NS
    needed_ns = until_ns - alert.since_ns + alert.window_s * NS_PER_S
    fits = (name for name in WINDOWS if Scope(name).window_ns >= needed_ns)
    return Scope(
        window=next(fits, WINDOWS[-1]),
        until_ns=None if alert.is_open else until_ns,
        action=alert.of_action,
        region=alert.of_region,
    )
