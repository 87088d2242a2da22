"""I/O: what each alert that fires owns of the losses, in the alert state, as of the last pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from alerts.rows import Dollars, Owned
from alerts.state.sqlite import AlertStore
from collector.core.times import NS_PER_S

_STALE_NS: Final = 60 * NS_PER_S
_EXPLAINED: Final = (
    "SELECT explained_by FROM owned WHERE episode_id = ?"
    " AND at_ns >= (SELECT max(end_ns) FROM passes) - ?"
)


def read_owned(alert_state: AlertStore) -> dict[str, Owned]:
    """Return what every alert that fires owns, by its episode."""
    found = {}
    for episode_id, at_ns, since_ns, *money, explained in alert_state.rows("SELECT * FROM owned"):
        usd = [Decimal(each) for each in money]
        lost, at_risk = Dollars(*usd[:3]), Dollars(*usd[3:])
        found[episode_id] = Owned(episode_id, at_ns, since_ns, lost, at_risk, explained)
    return found


def explained_by(alert_state: AlertStore, episode_id: str) -> str:
    """Return the narrower alerts that explain an alert, "" where none does.

    An explanation that could not be renewed for a minute of passes holds no alert back.
    """
    rows = alert_state.rows(_EXPLAINED, (episode_id, _STALE_NS))
    return str(rows[0][0]) if rows else ""
