"""I/O: what a text may mean: ids by the lookups of the store, and names of the last 24 hours."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from alerts.state.sqlite import AlertStore
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE
from dashboard.read.alerts.listing import alerts_of_state
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Range, exact_of
from dashboard.read.search.match import (
    HITS_MAX,
    TEXT_MAX,
    Hit,
    closest,
    command_hits,
    named_hits,
    page_hits,
)
from dashboard.settings.commands import COMMANDS

# Names change with a deployment, and people type a letter every 100 ms.
_NAMES_KEPT_NS: Final = NS_PER_MINUTE
# A shorter text is the begin of a name: an id is looked up whole.
_ID_CHARS_MIN: Final = 3
_IDS_MAX: Final = 5
_LOOKED_THROUGH: Final = (
    "ids of decisions, traces, outcomes and alerts (whole ids, at any time)",
    "actions, regions, channels, cohorts and services of the last 24 hours",
    "alerts that are open",
    "pages",
    "commands",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a text may mean, the closest first."""

    hits: list[Hit]
    looked_through: list[str]  # in words, for whoever finds nothing
    away: str  # why ids and names could not be read, "" where they were


class Finder:
    """Answers the search of the pages; names are read once a minute at the most.

    Args:
        reader: of the store.
        listing: of decisions, which has what they may be filtered by.
        state: of alerts; None where another machine has it.
        pages: path and title of each.
    """

    def __init__(
        self,
        reader: Reader,
        listing: DecisionList,
        state: AlertStore | None,
        pages: Sequence[tuple[str, str]],
    ) -> None:
        self._reader = reader
        self._listing = listing
        self._state = state
        self._fixed = page_hits(pages) + command_hits(
            [(name, says) for name, _, _, says in COMMANDS]
        )
        self._names: list[Hit] = []
        self._read_ns: int | None = None
        self._lock = threading.Lock()

    def find(self, text: str, now_ns: int) -> Found:
        """Return what a text may mean; of an empty one the pages."""
        typed, away = text.strip()[:TEXT_MAX], ""
        if not typed:
            pages = [hit for hit in self._fixed if hit.kind == "page"]
            return Found(pages, list(_LOOKED_THROUGH), "")
        ids: list[Hit] = []
        names: list[Hit] = []
        try:
            ids = self._by_id(typed)
            names = self._known(now_ns)
        except StoreUnavailableError as error:
            # Pages, commands and open alerts are found without the store.
            away = str(error).splitlines()[0][:200]
        others = closest([*self._open_alerts(now_ns), *names, *self._fixed], typed)
        by_id = {hit.href for hit in ids}
        hits = [*ids, *(hit for hit in others if not hit.href or hit.href not in by_id)]
        return Found(hits[:HITS_MAX], list(_LOOKED_THROUGH), away)

    def _by_id(self, typed: str) -> list[Hit]:
        if len(typed) < _ID_CHARS_MIN or any(each.isspace() for each in typed):
            return []
        hits = self._alert_by_id(typed)
        decision_ids = self._reader.decision_ids(typed)[:_IDS_MAX]
        if not decision_ids and typed != typed.lower():
            decision_ids = self._reader.decision_ids(typed.lower())[:_IDS_MAX]
        return hits + [_decision_hit(each, typed) for each in decision_ids]

    def _alert_by_id(self, episode_id: str) -> list[Hit]:
        if events := self._state.events(episode_id) if self._state else []:
            return [_alert_hit(episode_id, events[-1].rule, events[-1].to_state)]
        rows = self._reader.ask("newest_event", __file__, {"episode_id": episode_id})
        return [_alert_hit(episode_id, row["rule"], row["to_state"]) for row in rows]

    def _known(self, now_ns: int) -> list[Hit]:
        with self._lock:
            if self._read_ns is None or not 0 <= now_ns - self._read_ns < _NAMES_KEPT_NS:
                day = Range(max(0, now_ns - NS_PER_DAY), now_ns)
                actions, regions = self._reader.scopes(day.from_ns, day.to_ns)
                offered = self._listing.offered(day)
                self._names = [
                    *named_hits("action", actions),
                    *named_hits("region", regions),
                    *named_hits("service", offered.services),
                    *named_hits("channel", offered.channels),
                    *named_hits("cohort", offered.cohorts),
                ]
                self._read_ns = now_ns
            return self._names

    def _open_alerts(self, now_ns: int) -> list[Hit]:
        if self._state is None:
            return []
        return [
            _alert_hit(each.episode_id, f"{each.rule} on {each.action} / {each.region}", each.state)
            for each in alerts_of_state(self._state, now_ns)
        ]


def _alert_hit(episode_id: str, what: str, state: str) -> Hit:
    return Hit("alert", f"{what}, {state}", episode_id, f"/alerts/{quote(episode_id, safe='')}", "")


def _decision_hit(decision_id: str, typed: str) -> Hit:
    exact = exact_of(decision_id)
    is_it = typed in (decision_id, exact and exact[0])
    note = "this decision" if is_it else f"its trace or outcome is {typed}"
    return Hit(
        "decision", decision_id, note, f"/decision?{urlencode({'id': decision_id}, safe='@')}", ""
    )
