from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_S
from packet.bench.incidents import RATE_PER_S, UnderWay, incident_sizes, plan


def test_sizes_are_log_uniform_and_the_same_for_a_seed() -> None:
    """Half of them touch fewer than 316 requests: small incidents are where sampling fails."""
    sizes = incident_sizes(2_000, 1, 50, 2_000)
    assert sizes == incident_sizes(2_000, 1, 50, 2_000)
    assert min(sizes) >= 50
    assert max(sizes) <= 2_000
    below = sum(size < 316 for size in sizes) / len(sizes)
    assert 0.46 < below < 0.54


@given(st.lists(st.integers(1, 60), max_size=5))
def test_every_incident_touches_as_many_requests_as_it_should(sizes: list[int]) -> None:
    """At a steady rate, by time, with ordinary requests among them."""
    requests = list(plan(sizes))
    counted = Counter(incident for _, incident in requests)
    assert [counted[incident] for incident in range(len(sizes))] == sizes
    assert all(
        later - earlier == NS_PER_S // RATE_PER_S for (earlier, _), (later, _) in pairwise(requests)
    )
    assert counted[-1] >= 3 * RATE_PER_S


@given(st.lists(st.integers(1, 60), max_size=5))
def test_an_incident_is_under_way_from_its_first_request_to_its_last(sizes: list[int]) -> None:
    """Traffic that is held within one would stretch it beyond what its alert looks at."""
    under_way, sent = UnderWay(sizes), Counter[int]()
    for _, incident in plan(sizes):
        under_way.sent(incident)
        sent[incident] += 1
        begun = [index for index in range(len(sizes)) if 0 < sent[index] < sizes[index]]
        assert bool(under_way) == bool(begun)
