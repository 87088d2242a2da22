"""What collectors elsewhere insert long after it arrived is judged too."""

from __future__ import annotations

import pytest

from collector.provenance.config import ProvenanceConfig
from collector.provenance.live.job import ProvenanceJob
from tests.support.collector.provenance_scene import DAY_NS, Scene, at

SIX_MINUTES = 360


def split(proof: Scene) -> Scene:
    """Have a job of a process that receives nothing, and cannot know how far the store is."""
    config = ProvenanceConfig(keys_path=proof.keys, missing_after_s=30.0)
    proof.job = ProvenanceJob(config, proof.store, proof.counters, proof.attributes)
    return proof


@pytest.mark.parametrize("is_restarted", [False, True])
def test_insert_that_was_held_up_for_longer_than_any_pass_looks_back_is_judged(
    proof: Scene, is_restarted: bool
) -> None:
    """An insert later than 30 s was never judged, and its numbers stayed missing."""
    split(proof)
    events = proof.producer.seal(6)
    proof.producer.store_events([events[0], events[3]], at(1))
    assert proof.run(2) == {"ok": 2}
    assert proof.run(100) == {"missing": 2}  # of one hole
    if is_restarted:
        split(proof)
    forged = events[4]._replace(tag="0" * 32)
    proof.producer.store_events([events[1], forged], at(5))
    at_once = proof.run(104)
    later = proof.run(100 + SIX_MINUTES)
    found = {"reordered": 1, "tampered": 1}
    assert (at_once, later) == ((found, {"missing": 1}) if is_restarted else ({}, found))
    assert proof.run(104 + SIX_MINUTES) == ({} if is_restarted else {"missing": 1})
    assert proof.totals() == {"ok": 2, "missing": 1, **found}
    proof.producer.store_events([events[2]], at(6))  # into a minute that was looked at
    assert proof.run(100 + 2 * SIX_MINUTES) == {"reordered": 1}
    assert proof.run(100 + 3 * SIX_MINUTES) == {}
    assert proof.totals() == {"ok": 2, "reordered": 2, "tampered": 1}


def test_nothing_is_said_twice_of_what_came_in_time(proof: Scene) -> None:
    """Every minute is read once more when it is over, by pages of any size, retries included."""
    split(proof)
    proof.job.page_items = 3
    events = proof.producer.seal(20)
    said: dict[str, int] = {}
    for number, event in enumerate(events):
        proof.producer.store_events([event], at(40 * number))
        if number == 10:
            proof.producer.store_events([event], at(40 * number + 1))
        for verdict, count in proof.run(40 * number + 4).items():
            said[verdict] = said.get(verdict, 0) + count
    assert proof.run(3_000) == {}
    split(proof)
    assert proof.run(4_000) == {}
    assert said == proof.totals() == {"ok": 20, "retried": 1}


def test_what_is_late_by_more_than_a_day_is_looked_for_no_more(proof: Scene) -> None:
    """The documented limit; `verify` finds it all the same."""
    split(proof)
    events = proof.producer.seal(3)
    proof.producer.store_events(events[:1], at(1))
    day_s = DAY_NS // 10**9
    assert proof.run(2) == {"ok": 1}
    assert proof.run(day_s) == {}
    proof.producer.store_events(events[1:2], at(500))
    assert proof.run(day_s + SIX_MINUTES) == {"ok": 1}
    proof.producer.store_events(events[2:], at(510))
    assert proof.run(day_s + 2 * SIX_MINUTES) == {}
