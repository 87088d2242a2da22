from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evidence.incident import Sighting, incident_of
from alerts.state.subject import Subject
from collector.core.times import NS_PER_MINUTE
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event
from tests.support.examples import examples


def fired(episode_id: str, minute: float = 0, **changes: Any) -> Sighting:  # noqa: ANN401  any field
    """Return an alert of checkout in eu-west that began to fire in this minute.

    `about` is the class that it began to fire by, or what it is about where that is no decision.
    """
    at_ns = NOW_NS + round(minute * NS_PER_MINUTE)
    about = changes.pop("about", None)
    fired = event(episode_id=episode_id, at_ns=at_ns, started_ns=at_ns, **changes)
    if isinstance(about, str):
        return Sighting(fired, None, about)
    return Sighting(fired, about or Subject(fired.action, fired.region))


NO_CAUSE: dict[str, Any] = {"blamed_stage": "", "blamed_class": ""}
NETWORK = {"blamed_stage": "egress", "blamed_class": "network"}
WIDE: dict[str, Any] = {"action": "*", "region": "*"}
HURT, OTHER = Subject("checkout", "eu-west"), Subject("offer", "us-east")


@pytest.mark.parametrize(
    ("later", "is_one"),
    [
        pytest.param({"rule": "other"}, True, id="another rule, the same class and segment"),
        pytest.param({"action": "search"}, True, id="the same segment in another action"),
        pytest.param({"region": "us-east"}, True, id="the same segment in another region"),
        pytest.param(WIDE | {"about": HURT}, True, id="the same segment in everything"),
        pytest.param(WIDE | {"about": OTHER}, False, id="everything, by what others lose"),
        pytest.param(
            {"action": "search", "region": "us-east"}, False, id="the segment is all they share"
        ),
        pytest.param(NETWORK, False, id="the same class slows down elsewhere"),
        pytest.param(NO_CAUSE, True, id="the same class, no segment stands out"),
        pytest.param(
            NO_CAUSE | {"region": "*", "about": HURT}, True, id="a wider one without a segment"
        ),
        pytest.param(
            NO_CAUSE | WIDE | {"about": OTHER}, False, id="a wider one by what others lose"
        ),
        pytest.param(NO_CAUSE | {"region": "us-east"}, False, id="another class, no segment"),
        pytest.param(
            NO_CAUSE | {"action": "", "region": "", "about": "data of any service"},
            False,
            id="all data stopped, soon after it",
        ),
        pytest.param(
            NO_CAUSE | {"about": "lookups of cache checkout"}, False, id="a cache of that name"
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
    leak = fired("a", incident_id="a", about=HURT, **WIDE, **NO_CAUSE)
    assert incident_of(fired("b", minute=29), [leak]) == "a"
    assert incident_of(fired("b", minute=31), [leak]) == "b"
    known = fired("a", incident_id="a")
    assert incident_of(fired("b", minute=3_000), [known]) == "a"


@pytest.mark.parametrize(
    "later",
    [
        pytest.param({"action": "offer", "region": "us-east"}, id="another class slows down there"),
        pytest.param(
            NO_CAUSE | {"action": "offer", "region": "us-east"}, id="another class begins to fail"
        ),
        pytest.param(
            NO_CAUSE | {"action": "fx", "region": "", "about": "lookups of cache fx"}, id="a cache"
        ),
        pytest.param(
            NO_CAUSE | {"action": "", "region": "", "about": "data of any service"}, id="a dead man"
        ),
        pytest.param(
            NO_CAUSE | {"action": "api", "region": "", "about": "spans of service api"}, id="an SLO"
        ),
    ],
)
@pytest.mark.parametrize("cause", [{}, NO_CAUSE])
def test_wide_alert_ties_nothing_to_its_incident(
    later: dict[str, Any], cause: dict[str, Any]
) -> None:
    """It is about everything, and so everything that came was of one incident."""
    wide = fired("a", incident_id="a", about=HURT, **WIDE, **cause)
    assert incident_of(fired("b", 5, **later), [wide]) == "b"
    assert incident_of(fired("b", 5), [wide]) == "a"


def test_rules_about_one_service_are_one_incident() -> None:
    """Its page and its ticket, not what another rule says of something of the same name."""
    about: dict[str, Any] = NO_CAUSE | {"action": "api", "region": ""}
    page = fired("a", incident_id="a", about="spans of service api", **about)
    assert incident_of(fired("b", 5, about="spans of service api", **about), [page]) == "a"
    assert incident_of(fired("b", 5, about="data of service api", **about), [page]) == "b"
    assert incident_of(fired("b", 31, about="spans of service api", **about), [page]) == "b"


def test_of_several_incidents_it_is_of_the_oldest() -> None:
    """Two that were apart stay apart: what receivers were told does not change."""
    east = fired("b", 1, incident_id="b", region="us-east")
    west = fired("a", 0, incident_id="x")
    wide = fired("c", 2, region="*", about=Subject("checkout", "eu-north"))
    assert incident_of(wide, [east, west]) == "x"


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
    firing: list[Sighting] = []
    drawn.sort(key=lambda each: each[3])
    for number, (action, region, stage, minute, shadow) in enumerate(drawn):
        begun = fired(
            f"{number:02}", minute, action=action, region=region, blamed_stage=stage,
            blamed_class="store" if stage else "", is_shadow=shadow,
        )  # fmt: skip
        found = incident_of(begun, firing)
        events = [each.event for each in firing]
        heads = {each.episode_id: each for each in events if each.incident_id == each.episode_id}
        assert found == begun.event.episode_id or heads[found].is_shadow == shadow
        firing.append(replace(begun, event=replace(begun.event, incident_id=found)))
