"""I/O: names the segment behind an alert that fires already, later or anew."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.config import BurnRule
from alerts.rows import AlertEvent
from alerts.rules.decision_class import DecisionClass
from alerts.rules.evidence import baseline_start_ns, blame_until
from alerts.rules.reader import AlertReader
from alerts.rules.suspect import Blame

# Of an excess that moves less than by this, nobody is told another.
_EXCESS_MOVED = 0.1


class LateBlame:
    """Looks at alerts that fire: at those without a segment each time, at others once revised.

    What set an alert off is not always what keeps it alight, so a segment that stands out later is
    named then. One that was named is looked at again, over the window that it was named for, once
    late spans changed how decisions of that time were split.
    """

    def __init__(self, reader: AlertReader) -> None:
        self._reader = reader
        # By episode, the revisions that its segment was looked at with. Lost with the process: the
        # next one looks once more.
        self._seen: dict[str, tuple[int, int]] = {}

    def find(
        self,
        rule: BurnRule,
        decision_class: DecisionClass,
        events: Sequence[AlertEvent],
        end_ns: int,
    ) -> tuple[bool, Blame | None]:
        """Tell whether an alert is to be blamed on something else than it was, and on what.

        Args:
            rule: that of the alert.
            decision_class: that of the alert.
            events: of its episode, in order.
            end_ns: of the windows that are judged now.
        """
        named_for_ns = named_ns(events)
        if named_for_ns is None:
            found = blame_until(self._reader, rule, decision_class, end_ns)
            return found is not None, found
        from_ns, last = baseline_start_ns(rule, named_for_ns), events[-1]
        revised = self._reader.revised(decision_class.action, from_ns, named_for_ns)
        if revised == self._seen.get(last.episode_id, (0, 0)):
            return False, None
        found = blame_until(self._reader, rule, decision_class, named_for_ns)
        self._seen[last.episode_id] = revised
        return _is_another(last, found), found

    def forget(self, episode_ids: set[str]) -> None:
        """Drop what is remembered of all episodes but these."""
        self._seen = {each: seen for each, seen in self._seen.items() if each in episode_ids}


def named_ns(events: Sequence[AlertEvent]) -> int | None:
    """Return the end of the windows that an alert's segment was named for, None where it has none.

    Events after that one repeat the segment, or name another for the same windows.
    """
    at_ns = None
    for event in events:
        if not event.blamed_stage:
            at_ns = None
        elif at_ns is None:
            at_ns = event.at_ns
    return at_ns


def _is_another(last: AlertEvent, found: Blame | None) -> bool:
    blamed = last.blamed_stage, last.blamed_class
    if found is None or (found.stage, found.latency_class) != blamed:
        return True
    moved_ns = abs(found.excess_ns - last.blamed_excess_ns)
    return moved_ns > _EXCESS_MOVED * last.blamed_excess_ns
