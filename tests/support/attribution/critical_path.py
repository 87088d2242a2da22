"""What several tests of critical path share."""

from __future__ import annotations

import random

from tests.support.attribution.spans_builder import R, S

SKEW_MAX_NS = 60


def random_trace(rng: random.Random, trace: int, clock: int, unit: int = 1) -> tuple[list[S], R]:
    """One trace with skew, async spans, orphans, cycles, overlaps, ties and instants.

    Its times are of so many nanoseconds: of milliseconds what goes on after its decision was left.
    """
    count = rng.randint(1, 14)
    ids = rng.sample(range(1, 60), count)
    root_id, spans = ids[0], []
    length = unit * rng.choice([0, 1, 8, 40, 200])
    for span_id in ids:
        parent = (
            rng.choice([*ids, 77, 0]) if span_id != root_id else rng.choice([0, 0, 99, ids[-1]])
        )
        start = clock + unit * rng.randint(-4, length // unit + 4)
        end = start + unit * rng.choice([0, 0, 1, 2, rng.randint(0, length // unit + 6)])
        if span_id == root_id:
            start, end = clock, clock + length
        spans.append(
            S(
                span_id,
                parent,
                start,
                end,
                trace=trace,
                kind=rng.choice(
                    ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
                ),
                host=rng.choice(["", "a", "b"]),
                service=rng.choice(["shop", "cart"]),
                blocking=rng.choice([None, None, None, True, False]),
                received=rng.randint(0, 1000),
                clock_error=rng.choice([None, 0, unit, 5 * unit]),
            )
        )
        if rng.random() < 0.1 and span_id != root_id:
            spans.append(S(span_id, parent, start, end + 1, trace=trace, received=2000))
    stamped = rng.choice([clock, clock, clock - 5, clock + length // 2])
    return spans, R(root_id, clock, clock + length, trace, ingress=stamped, code=trace)
