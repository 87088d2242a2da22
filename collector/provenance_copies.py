"""Pure: a sender's own retries, told from replays by all the copies of an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.provenance import Event, MacKey
from collector.provenance_verify import Verifier

Place = tuple[str, str, int, int]  # producer, epoch, number, and the instant of arrival
Copy = tuple[Event, bytes, object]  # its form, and what is equal where every byte is


def equal_copies(ring: Mapping[str, MacKey], copies: Iterable[Copy]) -> set[Place]:
    """Return which replays are a sender's own retries: the same bytes once more.

    Args:
        ring: keys of the chains, by id.
        copies: in order of arrival, all that there are of some numbers. The first whose seal holds
            is the event; of those that arrived at one instant all have to be equal to it.
    """
    first: dict[tuple[str, str, int], object] = {}
    equal: dict[Place, bool] = {}
    for event, form, content in copies:
        verifier = Verifier(ring, arrival=True, leaves=False)
        verifier.take([event], [form])
        if any(not finding.holds_place for finding in verifier.drain()[0]):
            continue
        number = event.producer, event.epoch, event.seq
        if number not in first:
            first[number] = content
            continue
        place = (*number, event.received_ns)
        equal[place] = equal.get(place, True) and first[number] == content
    return {place for place, is_equal in equal.items() if is_equal}
