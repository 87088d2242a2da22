from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.state.transitions import (
    FIRED,
    RESOLVED,
    Observation,
    Phase,
    Status,
    is_forgotten,
    retire,
)
from collector.core.times import NS_PER_S
from tests.support.alerts.state_machine import SCRIPTS, observations, run


@pytest.mark.parametrize(
    ("script", "changes", "states"),
    [
        pytest.param("---", {}, "", id="nothing happens"),
        pytest.param("+", {}, "firing", id="fires at once without a time to hold"),
        pytest.param("~~~", {}, "", id="what is not sure begins nothing"),
        pytest.param("+~~", {}, "firing", id="... but keeps what began"),
        pytest.param("++", {"for_s": 20}, "pending", id="has to hold first"),
        pytest.param("+++", {"for_s": 20}, "pending firing", id="fires when it has held"),
        pytest.param("++-", {"for_s": 20}, "pending inactive", id="did not hold"),
        pytest.param("+?+", {"for_s": 20}, "pending", id="no data is no time held"),
        pytest.param("+-", {}, "firing cooling", id="fires on for a while"),
        pytest.param("+----", {}, "firing cooling resolved", id="resolves after it has cooled"),
        pytest.param("+-", {"keep_firing_s": 0}, "firing resolved", id="resolves at once"),
        pytest.param("+--+", {}, "firing cooling firing", id="flares up again in the same episode"),
        pytest.param("+-??????", {}, "firing cooling", id="no data is no time cooled"),
        pytest.param("+!!!!!!", {}, "firing unknown", id="silence never resolves"),
        pytest.param("+!-", {}, "firing unknown cooling", id="data ends the silence"),
        pytest.param("+!?+", {}, "firing unknown firing", id="no data does not end a silence"),
        pytest.param("!+", {}, "unknown firing", id="fires out of silence"),
        pytest.param("!-", {}, "unknown inactive", id="comes back healthy"),
        pytest.param(
            "+----!-", {}, "firing cooling resolved unknown inactive", id="silence after the end"
        ),
    ],
)
def test_transitions(script: str, changes: dict[str, float], states: str) -> None:
    """Each row is one path through the machine."""
    _, transitions = run(script, None, **changes)

    assert " ".join(transition.to_state for transition in transitions) == states


def test_one_firing_and_one_resolve_are_told_in_an_episode() -> None:
    """A flare-up and a silence are on record, but wake nobody twice."""
    _, transitions = run("+-+!+----")

    assert [t.notification for t in transitions if t.notification] == [FIRED, RESOLVED]
    assert {t.episode_id for t in transitions} == {transitions[0].episode_id}
    assert [t.seq for t in transitions] == list(range(1, len(transitions) + 1))


def test_second_episode_has_an_id_of_its_own() -> None:
    """A receiver must not take the next incident for a retry of the last."""
    _, transitions = run("+----+")

    assert transitions[0].episode_id < transitions[-1].episode_id
    assert transitions[-1].seq == 1
    assert len(transitions[0].episode_id) == 32


def test_stop_of_the_service_is_no_time_cooled() -> None:
    """What was not judged was not seen: after an hour away, one healthy look does not resolve."""
    state, _ = run("+-", keep_firing_s=120)
    later = Observation(Status.OK, state.judged_ns + 3_600 * NS_PER_S, 0, is_silent=False)

    state, transitions = run([later], state, keep_firing_s=120)

    assert state.phase is Phase.COOLING
    assert transitions == []


def test_earlier_instant_is_ignored() -> None:
    """A clock that was set back must not undo what is known."""
    state, _ = run("++")

    assert run(observations("-"), state) == (state, [])


def test_rule_that_is_gone_resolves_what_it_began() -> None:
    """Whoever rerouted because of it has to hear that nothing watches any more."""
    state, _ = run("+")

    after, transition = retire(state, state.judged_ns)

    assert transition is not None
    assert transition.notification == RESOLVED
    assert retire(after, after.judged_ns) == (after, None)


@pytest.mark.parametrize(
    ("script", "after_s"),
    [
        pytest.param("-!", 100, id="quiet"),
        pytest.param("+!", 700, id="nobody has seen its end"),
    ],
)
def test_class_that_is_gone_is_forgotten_and_later_if_it_was_alight(
    script: str, after_s: int
) -> None:
    """Regions come and go; an alert of one that went is no page for ever."""
    state, _ = run(script)

    for silent_s, forgotten in ((after_s, False), (after_s + 1, True)):
        settled_ns = state.data_ns + silent_s * NS_PER_S
        assert is_forgotten(state, settled_ns, 100 * NS_PER_S) is forgotten


@given(SCRIPTS)
def test_judging_an_instant_again_changes_nothing(script: str) -> None:
    """A pass that is repeated after a crash leaves the same rows."""
    seen = observations(script)
    twice = [observation for observation in seen for _ in range(2)]

    assert run(twice, for_s=20) == run(seen, for_s=20)


@given(SCRIPTS)
def test_episodes_are_numbered_without_gap_and_firing_comes_before_resolve(script: str) -> None:
    """Whatever happens, a reader can follow an episode by its sequence."""
    state, transitions = run(script)

    last: dict[str, int] = {}
    told: list[str] = []
    for before, transition in zip([None, *transitions], transitions, strict=False):
        assert transition.seq == last.get(transition.episode_id, 0) + 1
        assert transition.from_state is not transition.to_state
        if before is not None:
            assert transition.from_state is before.to_state
        last[transition.episode_id] = transition.seq
        told += [transition.notification] if transition.notification else []
    assert told == [FIRED, RESOLVED] * (len(told) // 2) + [FIRED] * (len(told) % 2)
    assert state.seq == last.get(state.episode_id, 0)


@given(SCRIPTS, st.lists(st.integers(0, 39), max_size=10))
def test_silence_in_between_never_resolves_sooner(script: str, places: list[int]) -> None:
    """Taking knowledge away cannot end an alert: resolves need as many healthy looks as before."""
    seen = observations(script)
    blanked = [
        Observation(Status.NO_DATA, observation.at_ns, 0, is_silent=True)
        if number in places and observation.status is Status.OK
        else observation
        for number, observation in enumerate(seen)
    ]

    resolved = [t.at_ns for t in run(seen)[1] if t.notification == RESOLVED]
    still = [t.at_ns for t in run(blanked)[1] if t.notification == RESOLVED]

    assert len(still) <= len(resolved)
    assert all(late >= soon for late, soon in zip(still, resolved, strict=False))
