"""Pure: a sender's own retries, told from replays by all the copies of an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from collector.provenance.event import Event, MacKey
from collector.provenance.verify import Finding, Verdict, Verifier

Place = tuple[str, str, int, int]  # producer, epoch, number, and the instant of arrival
Copy = tuple[Event, bytes, object]  # its form, and what is equal where every byte is


def seal_holds(ring: Mapping[str, MacKey], copy: Copy) -> bool:
    """Return whether the seal of one copy is of what it says, under a key that counts."""
    verifier = Verifier(ring, arrival=True, leaves=False)
    verifier.take([copy[0]], [copy[1]])
    return all(finding.holds_place for finding in verifier.drain()[0])


def equal_copies(ring: Mapping[str, MacKey], copies: Iterable[Copy]) -> dict[Place, bool]:
    """Return of each replay whether it is a sender's own retry: the same bytes once more.

    Args:
        ring: keys of the chains, by id.
        copies: in order of arrival, all that there are of some numbers. The first whose seal holds
            is the event; of those that arrived at one instant all have to be equal to it.
    """
    first: dict[tuple[str, str, int], object] = {}
    equal: dict[Place, bool] = {}
    for event, form, content in copies:
        if not seal_holds(ring, (event, form, content)):
            continue
        number = event.producer, event.epoch, event.seq
        if number not in first:
            first[number] = content
            continue
        place = (*number, event.received_ns)
        equal[place] = equal.get(place, True) and _is_equal(first[number], content)
    return equal


def _is_equal(first: object, content: object) -> bool:
    """Return whether two contents are of the same bytes.

    A stored one is a hash, and tokens in their order. One value has another token under another
    key, so that these are not compared; under one key it has one.
    """
    if first == content or not (isinstance(first, str) and isinstance(content, str)):
        return first == content
    (hashed, *ours), (again, *theirs) = first.split(" "), content.split(" ")
    pairs = [
        (our.rpartition("_"), their.rpartition("_"))
        for our, their in zip(ours, theirs, strict=False)
    ]
    return (
        hashed == again
        and len(ours) == len(theirs)
        and all(our == their or our[0] != their[0] for our, their in pairs)
    )


def retries_told(findings: Iterable[Finding], equal: Mapping[Place, bool]) -> list[Finding]:
    """Return the findings with the replays as `retried` of whose number every copy is equal."""
    is_retried: dict[tuple[str, str, int], bool] = {}
    for place, is_equal in equal.items():
        is_retried[place[:3]] = is_retried.get(place[:3], True) and is_equal
    return [
        replace(each, verdict=Verdict.RETRIED)
        if each.verdict is Verdict.REPLAYED
        and is_retried.get((each.producer, each.epoch, each.first_seq))
        else each
        for each in findings
    ]
