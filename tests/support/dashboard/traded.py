"""Forty decisions that earned something, as spans and outcomes that the jobs made rows of."""

from __future__ import annotations

from typing import Final

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_sales, put_spans

# The hour that they are in, as the address of a page has it.
UNTIL: Final = "2033-05-18T04:33:00Z"
HOUR: Final = f"window=1h&until={UNTIL}"


def trade(store: Connections) -> None:
    """Put forty decisions on two offers into a store, of ten dollars each."""
    spans = [
        each
        for at in range(40)
        for each in decision(f"a{at}", 1_000 * at, 100 + at, decision__region="eu",
                             decision__offer_type=("bundle", "upgrade")[at % 2])
    ]  # fmt: skip
    put_spans(store, spans)
    put_sales(store, [f"a{at}" for at in range(40)], "10")
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
