"""I/O: alerts that Prometheus, vmalert or Grafana pushed to us, in the alert state.

As Alertmanager keeps them: one alert a set of labels; it fires until its `endsAt`, or for five
minutes where the sender gave none, and what is sent again lengthens it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.state.sqlite import AlertStore
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE

# Alertmanager's resolve_timeout.
RESOLVE_NS: Final = 5 * NS_PER_MINUTE
# What has ended is shown for so long.
_KEEP_NS: Final = NS_PER_DAY
# At 4 kB each, 40 MB.
ALERTS_MAX: Final = 10_000

_SEEN: Final = """
SELECT fingerprint, labels, annotations, generator_url, starts_ns, ends_ns, sender
FROM external WHERE ends_ns >= ? ORDER BY starts_ns, fingerprint
"""


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """One alert as it was sent; its labels hold one pair at least."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str
    starts_ns: int | None  # None: the sender did not say
    ends_ns: int | None

    @property
    def fingerprint(self) -> str:
        """Return the identity: 32 hex digits over the labels."""
        pairs = json.dumps(sorted(self.labels.items()), ensure_ascii=True)
        return hashlib.sha256(pairs.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ExternalAlert:
    """One alert of others; everything in it is a sender's text."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    starts_ns: int
    ends_ns: int  # it has ended where this has passed
    sender: str  # `token NAME`, or api where none was asked for
    is_firing: bool
    source: str = "external"


class ExternalAlerts:
    """The table `external`; safe to use from several threads."""

    def __init__(self, alert_state: AlertStore) -> None:
        self._alert_state = alert_state

    def put(self, alerts: Sequence[PostedAlert], sender: str, now_ns: int) -> int:
        """Keep what was sent, all of it or nothing; on disk when this returns.

        Returns:
            How many new alerts there was no room for.
        """
        with self._alert_state.transaction() as db:
            db.execute("DELETE FROM external WHERE ends_ns < ?", (now_ns - _KEEP_NS,))
            (kept,) = db.execute("SELECT count(*) FROM external").fetchone()
            refused = 0
            for alert in alerts:
                known = _bounds(db, alert.fingerprint)
                if known is None and kept >= ALERTS_MAX:
                    refused += 1
                    continue
                kept += known is None
                _write(db, alert, known, sender, now_ns)
            return refused

    def seen(self, from_ns: int, now_ns: int) -> list[ExternalAlert]:
        """Return what fires, and what ended since an instant; what fires longest first."""
        rows = self._alert_state.rows(_SEEN, (min(from_ns, now_ns),))
        found = [
            ExternalAlert(
                fingerprint=row[0],
                labels=json.loads(row[1]),
                annotations=json.loads(row[2]),
                generator_url=row[3],
                starts_ns=row[4],
                ends_ns=row[5],
                sender=row[6],
                is_firing=row[5] > now_ns,
            )
            for row in rows
        ]
        return sorted(found, key=lambda alert: not alert.is_firing)

    def firing(self, now_ns: int) -> int:
        """Return how many fire."""
        [(count,)] = self._alert_state.rows(
            "SELECT count(*) FROM external WHERE ends_ns > ?", (now_ns,)
        )
        return int(count)


def _bounds(db: sqlite3.Connection, fingerprint: str) -> tuple[int, int] | None:
    row = db.execute(
        "SELECT starts_ns, ends_ns FROM external WHERE fingerprint = ?", (fingerprint,)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def _write(
    db: sqlite3.Connection,
    alert: PostedAlert,
    known: tuple[int, int] | None,
    sender: str,
    now_ns: int,
) -> None:
    ends_ns = now_ns + RESOLVE_NS if alert.ends_ns is None else alert.ends_ns
    starts_ns = min(now_ns, ends_ns) if alert.starts_ns is None else alert.starts_ns
    if known is not None and known[1] > now_ns:
        # The same alert goes on: senders that restart begin it anew.
        starts_ns = min(starts_ns, known[0])
    db.execute(
        "INSERT OR REPLACE INTO external VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            alert.fingerprint,
            json.dumps(dict(alert.labels)),
            json.dumps(dict(alert.annotations)),
            alert.generator_url,
            starts_ns,
            ends_ns,
            sender,
        ),
    )
