from __future__ import annotations

import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.job import VramJob
from attribution.vram.outcome_mode import OutcomeModeJob
from collector.core.config import AttributesConfig, OutcomesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_sales,
    put_spans,
    trace_id,
)


def config(complete: str) -> AttributionConfig:
    """Return settings whose outcomes are due after ten minutes."""
    outcomes = OutcomesConfig.model_validate({"complete": complete})
    return AttributionConfig(outcome_delay_s=600).reading(outcomes)


@pytest.mark.parametrize("margin", [None, "0.00"])
def test_mode_is_held_against_the_outcomes_that_came(
    store: Connections, margin: str | None
) -> None:
    """120 decisions, 30 sales, then 90 that say they sold nothing: each mode is wrong once."""
    names = [f"d{index}" for index in range(120)]
    put_spans(
        store, [each for index, name in enumerate(names) for each in decision(name, index, 100)]
    )
    put_sales(store, names[:30], "10")
    job = AttributionJob(config("all"), AttributesConfig(), store)
    job.drain(BASE_NS + 100 * NS_PER_S)
    sales, every = OutcomeModeJob(config("sales"), store), OutcomeModeJob(config("all"), store)
    soon_ns, due_ns = BASE_NS + 100 * NS_PER_S, BASE_NS + 700 * NS_PER_S
    assert (sales.run_once(soon_ns), every.run_once(soon_ns)) == ([], [])
    (said,) = every.run_once(due_ns)
    assert "90 of 120 decisions have no outcome yet" in said
    assert every.contradictions == [said]
    hour = Selection(BASE_NS - 1_000 * NS_PER_S, BASE_NS + 1_000 * NS_PER_S)
    vram = VramJob(config("all"), store)
    asked = {"soon": soon_ns, "due": due_ns, "whenever": None}
    warned = {
        when: vram.compute(hour, "channel", at_ns)["lineage"]["warnings"]
        for when, at_ns in asked.items()
    }
    assert warned == {"soon": [], "due": [said], "whenever": [said]}
    unsold = [
        outcome(
            f"no-{name}", decision_id=trace_id(name), converted=False, margin=margin,
            event_s=3.0, received_s=150.0,
        )
        for name in names[30:]
    ]  # fmt: skip
    put_outcomes(store, unsold)
    job.drain(BASE_NS + 200 * NS_PER_S)
    assert every.run_once(due_ns) == []
    (said,) = sales.run_once(soon_ns)
    assert "90 of 120 outcomes say that nothing was sold" in said
