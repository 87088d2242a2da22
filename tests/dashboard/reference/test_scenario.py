from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.reference.scenario import BASE_MS, SEGMENTS, FaultWindow, Scenario

REGIONS = ("eu-west", "us-east", "ap-south")
seconds = st.floats(min_value=0, max_value=1e6)
milliseconds = st.floats(min_value=0, max_value=1e4)


@st.composite
def faults(draw: st.DrawFn) -> FaultWindow:
    """Return a fault of any length anywhere."""
    from_s = draw(seconds)
    return FaultWindow(
        from_s=from_s,
        to_s=from_s + draw(seconds),
        region=draw(st.sampled_from(("", *REGIONS))),
        segment=draw(st.sampled_from(SEGMENTS)),
        added_ms=draw(milliseconds),
    )


scenarios = st.builds(
    Scenario,
    seed=st.integers(min_value=0),
    rate_per_s=st.floats(min_value=0.1, max_value=1000),
    duration_s=st.none() | seconds,
    base_ms=st.dictionaries(st.sampled_from(SEGMENTS), milliseconds),
    faults=st.lists(faults(), max_size=5).map(tuple),
)


@given(scenarios)
def test_scenario_survives_the_way_to_a_child(scenario: Scenario) -> None:
    """All processes must inject the same truth."""
    assert Scenario.from_json(scenario.to_json()) == scenario


@given(scenarios, st.sampled_from(SEGMENTS), st.sampled_from(REGIONS), seconds)
def test_delay_is_the_base_and_the_faults_that_cover_it(
    scenario: Scenario, segment: str, region: str, elapsed_s: float
) -> None:
    """It is never below the healthy path's, and equal to it where no fault is on."""
    base_ns = round(scenario.base_ms.get(segment, 0.0) * 1e6)
    covering = [fault for fault in scenario.faults if fault.covers(segment, region, elapsed_s)]
    delay_ns = scenario.delay_ns(segment, region, elapsed_s)
    assert delay_ns >= base_ns
    if not covering:
        assert delay_ns == base_ns
    assert scenario.delay_ns(segment, region, -1.0) == base_ns


def test_window_covers_its_region_stage_and_time() -> None:
    """From its start on, and no longer at its end."""
    fault = FaultWindow(10.0, 20.0, "eu-west", "decision/store", 120.0)
    scenario = Scenario(seed=1, rate_per_s=80.0, faults=(fault,))
    base_ns = round(BASE_MS["decision/store"] * 1e6)
    delays = [
        scenario.delay_ns("decision/store", "eu-west", at_s) for at_s in (9.9, 10.0, 19.9, 20.0)
    ]
    assert delays == [base_ns, base_ns + 120_000_000, base_ns + 120_000_000, base_ns]
    assert scenario.delay_ns("decision/store", "us-east", 15.0) == base_ns
    assert scenario.delay_ns("transform/store", "eu-west", 15.0) == round(
        BASE_MS["transform/store"] * 1e6
    )


def test_healthy_path_is_inside_its_reference() -> None:
    """80 ms is what a decision is judged by; one fault of 120 ms breaks it, nothing else does."""
    assert sum(BASE_MS.values()) < 45


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: FaultWindow(0, 1, "", "decision/network", 5), id="no such segment"),
        pytest.param(lambda: FaultWindow(0, 1, "", "decision/store", -5), id="negative delay"),
        pytest.param(
            lambda: FaultWindow(2, 1, "", "decision/store", 5), id="ends before it starts"
        ),
        pytest.param(lambda: Scenario(1, 80.0, base_ms={"x/y": 1.0}), id="no such base"),
        pytest.param(lambda: Scenario(1, 0.0), id="no traffic"),
        pytest.param(lambda: Scenario(1, 80.0, regions=()), id="no region"),
        pytest.param(lambda: Scenario(1, 80.0, regions=("EU:1",)), id="region that no key takes"),
    ],
)
def test_scenario_that_cannot_be_injected_is_refused(make: object) -> None:
    """A truth that nothing injects would make every comparison with it wrong."""
    assert callable(make)
    with pytest.raises(ValueError):  # noqa: PT011  # each case says something else
        make()


def test_unknown_segment_has_no_delay_to_ask_for() -> None:
    """A typing error is not a segment without delay."""
    with pytest.raises(ValueError, match="'store/decision' cannot be delayed"):
        Scenario(seed=1, rate_per_s=1.0).delay_ns("store/decision", "eu-west", 0.0)
