from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.config import DEAD_MAN, AlertsConfig
from alerts.delivery.demo_receiver import DemoReceiver
from alerts.job import AlertsJob
from alerts.rules.base import Progress
from alerts.rules.dead_man import ALL_DATA, Arrivals, DeadMan, DeadManConfig
from alerts.state.subject import Subject
from alerts.state.transitions import (
    AlertState,
    Phase,
    Status,
    Timing,
    Transition,
    advance,
    first_state,
)
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.alerts.builders import moment, rule
from tests.support.builders import decision_span, outcome, store_request, trace_request
from tests.support.builders import logs_request as records
from tests.support.examples import examples

LIMIT_S = 300
SHOP = Subject("shop", "")
CONFIG = DeadManConfig(name="dead-man", live=True, silence_s=LIMIT_S, services=("shop",))


def at(seconds: float) -> int:
    """Return an instant of the test."""
    return NOW_NS + round(seconds * NS_PER_S)


class Watch:
    """States that a test carries from one pass to the next."""

    def __init__(self) -> None:
        self.rule = DeadMan(CONFIG)
        self.states: dict[Subject, AlertState] = {}
        self.started_s = 0.0

    def see(
        self,
        now_s: float,
        newest_s: float | None = None,
        *,
        stored_s: float | None = None,
        **services: float,
    ) -> list[tuple[str, Transition, str]]:
        """Evaluate one instant; return who made which transition, and why."""
        facts = Arrivals(
            moment(
                now_s,
                started_ns=at(self.started_s),
                progress=Progress(0, at(now_s if stored_s is None else stored_s)),
            ),
            newest_ns=0 if newest_s is None else at(newest_s),
            by_service={name: at(seconds) for name, seconds in services.items()},
        )
        found = self.rule.subjects(facts)
        transitions = []
        for subject in sorted({*found, *self.states}):
            state = self.states.get(subject) or first_state("dead-man", subject, found[subject])
            evaluation = self.rule.evaluate(facts, state)
            timing = Timing(CONFIG.for_s, CONFIG.keep_firing_s, self.rule.window_s)
            self.states[subject], transition = advance(state, timing, evaluation.seen)
            if transition is not None:
                transitions.append((subject.action, transition, evaluation.reason))
        return transitions


def test_service_that_was_never_sent_to_misses_nothing() -> None:
    """A fresh installation is silent for good reasons."""
    watch = Watch()
    assert watch.see(0) == watch.see(10 * LIMIT_S) == []
    assert watch.states == {}


def test_silence_fires_once_and_the_next_arrival_ends_it() -> None:
    """The alert says since when, and in words what to look at."""
    watch = Watch()
    assert watch.see(1, 1) == watch.see(1 + LIMIT_S, 1) == []
    [(who, fired, reason)] = watch.see(2 + LIMIT_S)
    assert (who, fired.from_state, fired.to_state) == ("", "inactive", "firing")
    assert reason.startswith("no data of any service for 5 min, the last came at 2033-05-18 ")
    assert watch.see(3 + LIMIT_S) == watch.see(5 * LIMIT_S) == []
    [(_, ended, reason)] = watch.see(6 * LIMIT_S, 6 * LIMIT_S - 1)
    assert (ended.to_state, reason) == ("resolved", "data of any service arrive again")
    assert ended.episode_id == fired.episode_id
    [(_, again, _)] = watch.see(8 * LIMIT_S)
    assert (again.to_state, again.episode_id != fired.episode_id) == ("firing", True)


def test_restart_is_no_silence_and_ends_none() -> None:
    """What was away itself has missed arrivals; what burned before burns until data come."""
    watch = Watch()
    watch.see(1, 1)
    watch.started_s = 10_000
    assert watch.see(10_000) == watch.see(10_000 + LIMIT_S) == []
    [(_, fired, _)] = watch.see(10_001 + LIMIT_S)
    watch.started_s = 20_000
    assert watch.see(20_000) == watch.see(20_000 + 2 * LIMIT_S) == []
    assert watch.states[ALL_DATA].phase is Phase.FIRING
    [(_, ended, _)] = watch.see(21_000, 20_999)
    assert (ended.to_state, ended.episode_id) == ("resolved", fired.episode_id)


def test_service_is_watched_by_its_name_while_others_go_on() -> None:
    """One sender of many that stops is seen, where it was named."""
    watch = Watch()
    watch.see(1, 1, shop=1, cart=1)
    [(who, _, reason)] = watch.see(2 + LIMIT_S, 2 + LIMIT_S, cart=2 + LIMIT_S)
    assert (who, reason.split(",")[0]) == ("shop", "no data of service shop for 5 min")
    [(who, ended, _)] = watch.see(400, 399, shop=399)
    assert (who, ended.to_state) == ("shop", "resolved")


def test_store_that_is_behind_makes_no_service_silent() -> None:
    """What was received and waits in the log is data all the same."""
    watch = Watch()
    watch.see(1, 1, shop=1)
    assert watch.see(900, 899, stored_s=5) == []
    [(who, _, _)] = watch.see(901, 900, stored_s=901)
    assert who == "shop"


@given(st.lists(st.tuples(st.floats(0.1, 1_000), st.booleans()), max_size=20))
def test_it_fires_exactly_after_the_limit(steps: list[tuple[float, bool]]) -> None:
    """At every instant: alight where the last arrival is older than the limit, else not."""
    watch = Watch()
    now_s, newest_s = 0.0, 0.0
    watch.see(0, 0)
    for wait_s, arrives in steps:
        now_s += wait_s
        newest_s = now_s if arrives else newest_s
        watch.see(now_s, newest_s)
        silent_ns = at(now_s) - at(newest_s)
        is_firing = watch.states[ALL_DATA].phase is Phase.FIRING
        assert is_firing == (silent_ns > LIMIT_S * NS_PER_S)


def test_silence_is_seen_though_the_clock_was_ahead(scene: Scene) -> None:
    """Arrivals are dated by a clock that never falls, so it is by that one that they are missed."""
    ahead_s = 86_400
    scene.newest_ns = scene.arriving_ns = at(ahead_s)
    assert scene.run(ahead_s) == 0
    scene.newest_ns = scene.arriving_ns = at(ahead_s + 5)
    assert scene.run(10) == 0
    scene.arriving_ns = at(ahead_s + 5 + LIMIT_S)
    assert scene.run(10 + 2 * LIMIT_S) == 0
    scene.arriving_ns = at(ahead_s + 6 + LIMIT_S)
    assert scene.run(12 + 2 * LIMIT_S) == 1
    scene.newest_ns = scene.arriving_ns = at(ahead_s + 7 + LIMIT_S)
    assert scene.run(14 + 2 * LIMIT_S) == 1
    assert sorted(scene.events()) == [("", "firing"), ("", "resolved")]


def test_it_can_be_switched_off_and_its_name_is_taken() -> None:
    """Zero is never; a rule of the same name would share its state."""
    assert AlertsConfig(dead_man_seconds=0, dead_man_services=("shop",)).all_rules == ()
    made = AlertsConfig(dead_man_seconds=LIMIT_S, dead_man_services=("shop",)).all_rules
    assert made == (CONFIG,)
    assert CONFIG.watched == {ALL_DATA, SHOP}
    with pytest.raises(ValidationError, match="dead-man is made by dead_man_seconds"):
        AlertsConfig(rules=(rule(name=DEAD_MAN),))


class Scene:
    """A store, a receiver of webhooks, and a job that a test restarts."""

    def __init__(self, store: Connections, folder: Path, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.receiver = DemoReceiver(clock=clock)
        self.receiver.start()
        self._path = folder / "alerts.sqlite"
        self.elapsed_ns = clock.now_ns  # nobody sets the clock, where no test says otherwise
        self.newest_ns = self.arriving_ns = 0
        self.job = self.start()

    def start(self, **changes: object) -> AlertsJob:
        """Open the state as a start of the service does."""
        webhook = {"name": "hook", "url": self.receiver.url, "secret": self.receiver.secret}
        settings: dict[str, Any] = {
            "allowed_hosts": ["127.0.0.1"],
            "dead_man_seconds": LIMIT_S,
            "dead_man_services": ["shop"],
            "webhooks": [webhook],
            **changes,
        }
        config = AlertsConfig.model_validate(settings)

        def progress() -> Progress:
            return Progress(self.newest_ns, 2**62, self.arriving_ns)

        elapsed_ns = self.elapsed_ns
        return AlertsJob(config, self.store, self._path, progress=progress, elapsed_ns=elapsed_ns)

    def restart(self, **changes: object) -> None:
        """Close the job and start it again."""
        self.job.close()
        self.job = self.start(**changes)

    def look(self, job: AlertsJob, seconds: float) -> int:
        """Let a job judge at one instant; return how much it found."""
        self.clock.ns = at(seconds)
        return job.run_once(self.clock.ns)

    def run(self, seconds: float) -> int:
        """Judge and deliver at one instant; return how many webhooks went out."""
        self.look(self.job, seconds)
        return self.job.outlets.deliver_due(self.clock.ns)

    def events(self) -> list[tuple[str, str]]:
        """Return whom the mirrored transitions are about, and to what."""
        rows = self.store.client().query(
            "SELECT action, to_state FROM alert_events FINAL WHERE rule = 'dead-man'"
            " ORDER BY at_ns, action"
        )
        return [(str(row[0]), str(row[1])) for row in rows.result_rows]


@pytest.fixture
def scene(store: Connections, tmp_path: Path, clock: ManualClock) -> Iterator[Scene]:
    """Yield an empty store and a job of which nothing was asked yet."""
    scene = Scene(store, tmp_path, clock)
    yield scene
    scene.job.close()
    scene.receiver.stop()


def test_stored_data_that_stop_page_a_person_over_a_restart(scene: Scene) -> None:
    """From rows of the store, traces and logs alike, to a signed webhook and back."""
    assert scene.run(0) == 0
    request = trace_request(decision_span(start_ns=at(0)), service="router")
    store_request(scene.store, request, received_ns=at(10))
    store_request(scene.store, records(outcome(time_ns=at(1))), received_ns=at(20))
    assert scene.run(25) == scene.run(320) == 0
    assert scene.run(321) == 2  # all data, and the shop, whose last was a log record
    assert scene.events() == [("", "firing"), ("shop", "firing")]
    sent = [delivery.message["data"] for delivery in scene.receiver.deliveries]
    assert {(data["rule"], data["action"]) for data in sent} == {(DEAD_MAN, ""), (DEAD_MAN, "shop")}
    money = ("revenue_at_risk_usd_per_h", "loss_usd", "low", "high")
    assert all(data[name] is None for data in sent for name in money)
    scene.restart()
    assert scene.run(330) == scene.run(900) == 0

    store_request(scene.store, trace_request(decision_span(), service="router"), at(901))
    assert scene.run(902) == 1
    assert scene.events()[2:] == [("", "resolved")]
    scene.restart(dead_man_services=[])
    assert scene.run(903) == 1  # nobody watches the shop any more
    assert scene.events()[3:] == [("shop", "resolved")]


def put_old(scene: Scene, service: str, received_s: float, *, ages_s: Sequence[float]) -> None:
    """Store a span of each age that a service, or a file of its spans, sends at one instant."""
    spans = [decision_span(start_ns=at(received_s - age_s)) for age_s in ages_s]
    store_request(scene.store, trace_request(*spans, service=service), at(received_s))


def test_import_of_old_traces_neither_begins_nor_ends_a_silence(scene: Scene) -> None:
    """Who imported a file in the middle of an outage switched off the alert of it."""
    put_old(scene, "shop", 1, ages_s=(3_700, 7_300))
    assert scene.run(2) == scene.run(2 + 2 * LIMIT_S) == 0  # nobody ever sent anything
    put_old(scene, "shop", 700, ages_s=(1,))
    assert scene.run(701) == 0
    assert scene.run(701 + LIMIT_S) == 2
    for number in range(12):  # for two minutes, in the order of the file
        put_old(scene, "shop", 1_100 + 10 * number, ages_s=(9_000 - 300 * number, 8_000))
        assert scene.run(1_101 + 10 * number) == 0
    put_old(scene, "shop", 1_300, ages_s=(1,))
    assert scene.run(1_301) == 2
    assert scene.events()[2:] == [("", "resolved"), ("shop", "resolved")]


def test_service_whose_clock_is_hours_behind_is_not_silent(scene: Scene) -> None:
    """Each of its spans looks as old as those of a file, but evenly so, again and again."""
    put_old(scene, "shop", 0, ages_s=(1,))
    scene.run(1)
    for seconds in range(5, 3 * LIMIT_S, 5):
        put_old(scene, "shop", seconds, ages_s=(7_201, 7_203))
        assert scene.run(seconds + 1) == 0
    assert scene.run(4 * LIMIT_S) == 2


def test_silence_that_is_listed_as_a_rule_has_a_limit_of_its_own(scene: Scene) -> None:
    """A queue that may pause for minutes and a shop that may not are two rules."""
    listed = {"name": "shop-quiet", "kind": "dead_man", "silence_s": 60, "services": ["shop"]}
    live = {"live": True, "severity": "ticket", "note": "ask the shop"}
    scene.restart(rules=[{**listed, **live}])
    store_request(scene.store, trace_request(decision_span(), service="shop"), received_ns=at(1))
    assert scene.run(2) == scene.run(62) == 0  # since the first pass
    assert scene.run(63) == 2
    sent = [delivery.message["data"] for delivery in scene.receiver.deliveries]
    assert {(data["rule"], data["action"], data["severity"], data["note"]) for data in sent} == {
        ("shop-quiet", action, "ticket", "ask the shop") for action in ("", "shop")
    }
    assert scene.run(303) == 2  # dead-man, after its own limit


@settings(max_examples=examples(100))
@given(*(st.integers(0, 1_000),) * 4)
def test_service_fires_by_what_is_stored_and_never_before_the_limit(
    last_s: int, started_s: int, stored_s: int, now_s: int
) -> None:
    """Whatever the order of instants: silent is the time since the last arrival or the start."""
    facts = Arrivals(
        moment(now_s, started_ns=at(started_s), progress=Progress(0, at(stored_s))),
        newest_ns=at(last_s),
        by_service={"shop": at(last_s)},
    )
    state = first_state("dead-man", SHOP, at(last_s))
    evaluation = DeadMan(CONFIG).evaluate(facts, state)
    assert evaluation == DeadMan(CONFIG).evaluate(facts, state)
    silent_s = min(now_s, stored_s) - max(last_s, started_s)
    assert (evaluation.seen.status is Status.BREACHED) == (silent_s > LIMIT_S)
    assert evaluation.cost.basis == "unknown"


def test_request_that_waits_in_the_log_is_an_arrival(scene: Scene) -> None:
    """While the store is away data have not stopped."""
    store_request(scene.store, trace_request(decision_span()), received_ns=at(1))
    scene.run(2)
    scene.newest_ns = at(600)
    assert scene.run(601) == 0
    assert scene.run(901) == 1


def test_store_that_was_away_is_no_silence_for_a_role_alone(scene: Scene, tmp_path: Path) -> None:
    """What came meanwhile waits with the collectors, of which it knows nothing: it counts anew."""
    config = AlertsConfig.model_validate({"dead_man_seconds": LIMIT_S})
    job = AlertsJob(config, scene.store, tmp_path / "alone.sqlite", elapsed_ns=scene.clock.now_ns)
    store_request(scene.store, trace_request(decision_span()), received_ns=at(1))
    assert scene.look(job, 2) == 0
    scene.store.client().command("RENAME TABLE revenue_cells TO revenue_cells_away")
    with pytest.raises(ClickHouseError, match="revenue_cells"):
        scene.look(job, 100)
    scene.store.client().command("RENAME TABLE revenue_cells_away TO revenue_cells")
    assert scene.look(job, 400) == scene.look(job, 400 + LIMIT_S) == 0
    assert scene.look(job, 401 + LIMIT_S) == 1
    job.close()


def test_rule_that_fails_at_each_pass_hides_no_silence(scene: Scene, tmp_path: Path) -> None:
    """Another's statement that cannot be read is no store that is away, for a role alone too."""
    rejected = {"name": "rejected", "kind": "threshold", "figure": "rejected", "above": 1}
    config = AlertsConfig.model_validate({"dead_man_seconds": LIMIT_S, "rules": [rejected]})
    job = AlertsJob(config, scene.store, tmp_path / "alone.sqlite", elapsed_ns=scene.clock.now_ns)
    store_request(scene.store, trace_request(decision_span()), received_ns=at(1))
    assert scene.look(job, 2) == 0
    scene.store.client().command("RENAME TABLE rejected TO rejected_away")
    for seconds in (100, 200, 3 + LIMIT_S):
        with pytest.raises(ClickHouseError, match="rejected"):
            scene.look(job, seconds)
    assert [state.phase for state in job.status().states] == [Phase.FIRING]
    job.close()


def test_clock_that_is_set_ahead_is_no_silence(scene: Scene) -> None:
    """A service that sent every second was paged for, seconds after its collector's clock moved."""
    elapsed_ns = at(0)
    scene.elapsed_ns = lambda: elapsed_ns
    scene.restart()
    store_request(scene.store, trace_request(decision_span(start_ns=at(1))), received_ns=at(1))
    assert scene.run(2) == 0
    elapsed_ns += 5 * NS_PER_S
    ahead_s = 7_200 + 2 + 5
    assert scene.run(ahead_s) == 0
    elapsed_ns += LIMIT_S * NS_PER_S
    assert scene.run(ahead_s + LIMIT_S) == 0
    elapsed_ns += NS_PER_S
    assert scene.run(ahead_s + LIMIT_S + 1) == 1, "and of what is silent since it pages"
