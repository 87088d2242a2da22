"""Cells of many decisions, which are read in parts."""

from __future__ import annotations

import random

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.sensitivity.cells import read_slope_cells
from collector.core.times import NS_PER_DAY
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import job
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

DAYS = 4
A_DAY = 12


def test_parts_are_the_window_in_one_piece(store: Connections) -> None:
    """What a unit bought on another day is in its sums, and only then all is one piece."""
    draw, spans, sold = random.Random(7), [], []
    for number in range(DAYS * A_DAY):
        name, at_s = f"d{number}", number // A_DAY * 86_400.0 + draw.randrange(900)
        spans += decision(
            name,
            at_s * 1_000,
            draw.randrange(80, 200),
            at_s + 1,
            decision__region=draw.choice(("eu", "us")),
            decision__channel=draw.choice(("app", "web")),
        )
        if draw.random() < 0.6:
            margin = f"{draw.randrange(1, 9_000)}e-2"
            sold.append(outcome(f"s{number}", decision_id=trace_id(name), margin=margin,
                                event_s=at_s + 2, received_s=at_s + 2))  # fmt: skip
    put_spans(store, spans)
    put_outcomes(store, sold)
    job(store).drain(BASE_NS + (DAYS + 1) * NS_PER_DAY)
    window = BASE_NS, BASE_NS + DAYS * NS_PER_DAY
    config = AttributionConfig()
    by_part = read_slope_cells(store, config, *window, "margin", by="channel", at_once=3)
    # In no cell, but it names a unit.
    asked = decision("asked", 0, 50, decision__action="calibration", decision__unit="somebody")
    put_spans(store, asked)
    assert store.client().query("SELECT countIf(unit != '') FROM decisions").result_rows == [(1,)]
    whole = read_slope_cells(store, config, *window, "margin", by="channel", at_once=3)
    assert by_part.cells.n.sum() == DAYS * A_DAY
    assert by_part.cells.answers.earning.sum() == len(sold)
    for name in ("minute", "n", "sums", "products"):
        np.testing.assert_array_equal(getattr(by_part.cells, name), getattr(whole.cells, name))
    for name in ("region", "cohort", "action", "part"):
        assert getattr(by_part, name) == getattr(whole, name)
