"""Two spans of one id cannot be one: which counts depends on what they say, not on their order."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations

import pytest

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, computed_afresh, job
from tests.support.attribution.stored import Stored, attributions, decision, put_spans


@pytest.mark.parametrize("seed", range(3))
def test_spans_received_at_once_give_one_answer_in_every_order(
    store: Connections, seed: int
) -> None:
    """A batch has no first span: the exporter writes its queue in the order of its threads."""
    rng = random.Random(seed)
    names = [f"t{at}" for at in range(12)]
    spans: list[Stored] = []
    for name in names:
        root, *calls = decision(name)
        twin = replace(calls[0], start_ms=rng.choice([5, 10, 15]), duration_ms=rng.choice([9, 30]))
        spans += [root, *calls, twin, replace(twin, kind=rng.choice(["Server", "Client"]))]
    orders = [rng.sample(spans, len(spans)) for _ in range(2)]
    found = []
    for order in orders:
        for table in ("otel_traces", "decisions"):
            store.client().command("TRUNCATE TABLE {t:Identifier}", parameters={"t": table})
        put_spans(store, order)
        found.append(computed_afresh(store, 20))
    assert found[0] == found[1]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_root_that_came_with_three_lengths_at_once_is_split(
    store: Connections, order: tuple[int, ...]
) -> None:
    """The decision is made of one of the three, and its parts are those of that one."""
    root, *calls = decision("a")
    roots = [replace(root, duration_ms=each) for each in (100, 80, 120)]
    put_spans(store, [*(roots[each] for each in order), *calls])
    job(store).drain(at(20))
    [row] = attributions(store)
    assert sum(row["parts"].values()) in (80, 100, 120)
    assert "duplicate_span" in row["flags"]
