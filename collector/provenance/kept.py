"""Pure: what a store still has to hold of a chain, by its retention and its legal holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.core.times import NS_PER_DAY, NS_PER_HOUR
from collector.provenance.event import END_NS_INDEX, INSTANT_DIGITS, Event, decimal_of

# A decision is numbered when it is exported, after others that began later: by so much at most.
_LONGEST_NS: Final = NS_PER_HOUR
# Retention may not have come to the first event behind a hole yet; where nothing was sealed for
# longer, the hole is named.
_BEHIND_NS: Final = NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Kept:
    """The times of which nothing may be missing; instants are Unix ns."""

    from_ns: int  # what began before may have lapsed
    held: tuple[tuple[int, int], ...] = ()  # but for these: from, and up to

    def may_lack(self, before: Event, after: Event) -> bool:
        """Return whether what stood between two events may have lapsed."""
        begin_ns, end_ns = _ended_ns(before) - _LONGEST_NS, _ended_ns(after)
        if begin_ns >= self.from_ns or end_ns >= self.from_ns + _BEHIND_NS:
            return False
        return not any(first <= begin_ns and end_ns < last for first, last in self.held)


def _ended_ns(event: Event) -> int:
    # Both are sealed, and what seals writes decimals; what does not is as late as can be.
    end_ns = decimal_of(event.fields[END_NS_INDEX], INSTANT_DIGITS)
    return end_ns if end_ns >= 0 else event.received_ns


EVERYTHING: Final = Kept(0)
