from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evidence.incident import incident_of
from alerts.rows import AlertEvent
from collector.core.clock import NS_PER_MINUTE
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event
from tests.support.examples import examples


def fired(episode_id: str, minute: float = 0, **changes: Any) -> AlertEvent:  # noqa: ANN401  any field
    """Return an alert of checkout in eu-west that began to fire in this minute."""
    at_ns = NOW_NS + round(minute * NS_PER_MINUTE)
    return event(episode_id=episode_id, at_ns=at_ns, started_ns=at_ns, **changes)


NO_CAUSE: dict[str, Any] = {"blamed_stage": "", "blamed_class": ""}
NETWORK = {"blamed_stage": "egress", "blamed_class": "network"}


@pytest.mark.parametrize(
    ("later", "is_one"),
    [
        pytest.param({"rule": "other"}, True, id="another rule, the same class and segment"),
        pytest.param({"action": "search"}, True, id="the same segment in another action"),
        pytest.param({"region": "us-east"}, True, id="the same segment in another region"),
        pytest.param({"action": "*", "region": "*"}, True, id="the same segment in everything"),
        pytest.param(
            {"action": "search", "region": "us-east"}, False, id="the segment is all they share"
        ),
        pytest.param(NETWORK, False, id="the same class slows down elsewhere"),
        pytest.param(NO_CAUSE, True, id="the same class, no segment stands out"),
        pytest.param(NO_CAUSE | {"region": "*"}, True, id="a wider one without a segment"),
        pytest.param(NO_CAUSE | {"region": "us-east"}, False, id="another class, no segment"),
        pytest.param(
            NO_CAUSE | {"action": "", "region": ""}, True, id="all data stopped, soon after it"
        ),
        pytest.param({"is_shadow": True}, False, id="a rule in shadow"),
    ],
)
def test_what_joins_an_incident(later: dict[str, Any], is_one: bool) -> None:
    """A responder takes what has one cause as one thing, and nothing else."""
    first = fired("a", incident_id="a")
    found = incident_of(fired("b", 5, **later), [first])
    assert found == ("a" if is_one else "b")


def test_a_ticket_that_fires_for_days_takes_in_what_has_its_cause_alone() -> None:
    """Else a slow leak would swallow every page of the week."""
    leak = fired("a", incident_id="a", action="*", region="*", **NO_CAUSE)
    assert incident_of(fired("b", minute=29), [leak]) == "a"
    assert incident_of(fired("b", minute=31), [leak]) == "b"
    known = fired("a", incident_id="a")
    assert incident_of(fired("b", minute=3_000), [known]) == "a"


def test_of_several_incidents_it_is_of_the_oldest() -> None:
    """Two that were apart stay apart: what receivers were told does not change."""
    east = fired("b", 1, incident_id="b", region="us-east")
    west = fired("a", 0, incident_id="x")
    assert incident_of(fired("c", 2, region="*"), [east, west]) == "x"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "*", "checkout", "search"]),
            st.sampled_from(["", "*", "eu-west", "us-east"]),
            st.sampled_from(["", "decision", "egress"]),
            st.integers(0, 90),
            st.booleans(),
        ),
        max_size=12,
    )
)
@settings(max_examples=examples(300))
def test_incidents_are_named_by_the_first_of_their_alerts(
    drawn: list[tuple[str, str, str, int, bool]],
) -> None:
    """Whatever comes in whatever order, an incident is an episode that fired first, and is its."""
    firing: list[AlertEvent] = []
    drawn.sort(key=lambda each: each[3])
    for number, (action, region, stage, minute, shadow) in enumerate(drawn):
        begun = fired(
            f"{number:02}", minute, action=action, region=region, blamed_stage=stage,
            blamed_class="store" if stage else "", is_shadow=shadow,
        )  # fmt: skip
        found = incident_of(begun, firing)
        heads = {each.episode_id: each for each in firing if each.incident_id == each.episode_id}
        assert found == begun.episode_id or heads[found].is_shadow == shadow
        firing.append(fired(begun.episode_id, minute, action=action, region=region,
                            blamed_stage=stage, blamed_class=begun.blamed_class,
                            is_shadow=shadow, incident_id=found))  # fmt: skip
