"""What a router is sent while its decisions are away: nothing comes home into trouble."""

from __future__ import annotations

from typing import Any

from alerts.people.matchers import parse_matchers
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.rows import AlertEvent
from alerts.state.acts import Act
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import HURT, WELL, Scene, write_seconds

THIRD = "ap-south"
HOUR_S = 3_600
FEW = 1  # of the decisions stay at home, a fifth


def write(scene: Scene, seconds: int, slow_ms: dict[str, int], away: str = "") -> None:
    """Let time pass: regions are slower by so much, and of one most decisions go elsewhere."""
    for region, slow in slow_ms.items():
        changes: dict[str, object] = {"decisions": FEW, "late": FEW} if region == away else {}
        write_seconds(
            scene.client, scene.end_ns, seconds, region, slow // 5 if changes else slow, **changes
        )
    scene.end_ns += seconds * NS_PER_S


def step(scene: Scene, slow_ms: dict[str, int], away: str = "", seconds: int = 10) -> None:
    """Let seconds pass, judge and send."""
    write(scene, seconds, slow_ms, away)
    scene.judge()
    scene.deliver()


def until_sent(scene: Scene, slow_ms: dict[str, int], messages: int = 1) -> None:
    """Let an incident go on until so many messages came."""
    for _ in range(30):
        if len(scene.receiver.deliveries) >= messages:
            return
        step(scene, slow_ms)
    raise AssertionError(f"{len(scene.receiver.deliveries)} messages came, not {messages}")


def sent(scene: Scene) -> list[tuple[str, str | None]]:
    """Return the kind of each message that the router took, and where it is to move decisions."""
    return [(each.kind, _to(each.message["data"])) for each in scene.receiver.deliveries]


def _to(data: dict[str, Any]) -> str | None:
    proposal = data["reroute"]
    return None if proposal is None else str(proposal["move"]["to_region"])


def hide(scene: Scene, *matchers: str) -> None:
    """Make a silence of two hours from now on."""
    window = Window(scene.clock.ns, scene.clock.ns + 2 * HOUR_S * NS_PER_S)
    act = Act("anna", scene.clock.ns)
    Silences(scene.job.alert_state).make(parse_matchers(list(matchers)), window, act, "work")


def test_end_is_judged_by_the_decisions_that_would_be_at_home(scene: Scene) -> None:
    """A fifth of a loss was small: the alert ended, all came home, and it began again."""
    # Of what would end it at home, a fifth is less than half.
    scene.restart(rules=[rule(budget_usd=5_000.0, keep_firing_s=20.0, reset_share=0.5)])
    until_sent(scene, {HURT: 36, WELL: 0})
    assert sent(scene) == [("alert.firing", WELL)]
    for _ in range(12):
        step(scene, {HURT: 36, WELL: 0}, away=HURT)
    assert scene.events() == ["firing"]

    for _ in range(6):
        step(scene, {HURT: 0, WELL: 0}, away=HURT)
    assert scene.events()[-2:] == ["cooling", "resolved"]
    assert sent(scene)[-1] == ("alert.resolved", None)


def test_proposal_is_made_anew_before_it_is_over(scene: Scene) -> None:
    """Of an alert that fires on nothing was sent, and at the full hour all came home into it."""
    until_sent(scene, {HURT: 120, WELL: 0})
    [first] = [each.message for each in scene.receiver.deliveries]
    for _ in range(11):
        write(scene, 300, {HURT: 120, WELL: 0}, away=HURT)
        step(scene, {HURT: 120, WELL: 0}, away=HURT)

    assert sent(scene) == [("alert.firing", WELL)] * 2
    again = scene.receiver.deliveries[1].message
    assert again["data"]["episode_id"] == first["data"]["episode_id"]
    assert again["data"]["seq"] > first["data"]["seq"]
    assert again["timestamp"] < first["data"]["reroute"]["expires_at"]
    assert again["data"]["reroute"]["expires_at"] > first["data"]["reroute"]["expires_at"]


def test_region_that_falls_ill_is_proposed_no_longer(scene: Scene) -> None:
    """Under a rule over all regions that is no alert of its own: it is sent with what is left."""
    scene.restart(rules=[rule(budget_usd=5_000.0, budget_for="action", keep_firing_s=20.0)])
    until_sent(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert sent(scene) == [("alert.firing", WELL)]

    until_sent(scene, {HURT: 120, WELL: 120, THIRD: 4}, messages=2)
    assert sent(scene)[1] == ("alert.firing", THIRD)
    until_sent(scene, {HURT: 120, WELL: 120, THIRD: 120}, messages=3)
    assert sent(scene)[2] == ("alert.firing", None)
    for _ in range(12):
        step(scene, {HURT: 120, WELL: 120, THIRD: 120})
    assert len(sent(scene)) == 3, "there is nothing to propose"


def test_silence_of_people_does_not_send_decisions_home(scene: Scene) -> None:
    """Whoever looks after it wants quiet, and the router has to go on."""
    until_sent(scene, {HURT: 120, WELL: 0})
    hide(scene, f"region={HURT}")
    for _ in range(11):
        write(scene, 300, {HURT: 120, WELL: 0}, away=HURT)
        step(scene, {HURT: 120, WELL: 0}, away=HURT)
    assert sent(scene) == [("alert.firing", WELL)] * 2

    for _ in range(6):
        step(scene, {HURT: 0, WELL: 0})
    assert sent(scene)[-1] == ("alert.resolved", None)


def test_nothing_is_moved_to_where_people_work(scene: Scene) -> None:
    """Its own alert would be told to nobody."""
    scene.clock.ns = scene.end_ns
    hide(scene, f"region={WELL}")
    until_sent(scene, {HURT: 120, WELL: 0, THIRD: 4})

    assert sent(scene) == [("alert.firing", THIRD)]


def test_region_in_which_people_begin_to_work_is_proposed_no_longer(scene: Scene) -> None:
    """Who wants decisions home at once has no other way to say so, short of the router."""
    until_sent(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert sent(scene) == [("alert.firing", WELL)]
    hide(scene, f"region={WELL}")
    step(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert sent(scene)[1:] == [("alert.firing", THIRD)]

    hide(scene, f"region={THIRD}")
    for _ in range(3):
        step(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert sent(scene)[2:] == [("alert.firing", None)]


def test_wide_alert_does_not_end_because_its_decisions_went_away(scene: Scene) -> None:
    """Moved whole, they lost nothing at home: it ended, all came back, and it began again."""
    wide = rule(budget_usd=5_000.0, budget_for="action", keep_firing_s=20.0)
    scene.restart(rules=[wide])
    until_sent(scene, {HURT: 120, WELL: 0})
    assert sent(scene) == [("alert.firing", WELL)]
    for _ in range(20):
        step(scene, {WELL: 0})
    assert sent(scene) == [("alert.firing", WELL)]

    scene.end_ns += HOUR_S * NS_PER_S  # it expired, and all came home
    for _ in range(20):
        step(scene, {HURT: 0, WELL: 0})
    assert sent(scene)[-1] == ("alert.resolved", None)


def test_region_that_falls_silent_under_what_came_to_it_is_proposed_no_longer(
    scene: Scene,
) -> None:
    """It could not carry it, and answered nobody in time; both classes were unknown for an hour."""
    until_sent(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert sent(scene) == [("alert.firing", WELL)]
    for _ in range(3):
        step(scene, {WELL: 0, THIRD: 4})
    for _ in range(6):
        step(scene, {THIRD: 4})

    assert sent(scene) == [("alert.firing", WELL), ("alert.firing", None)]
    assert scene.events()[-1] == "unknown"


def test_region_that_gets_well_is_proposed_then(scene: Scene) -> None:
    """Where none was when the alert began, none was proposed for as long as it fired."""
    until_sent(scene, {HURT: 120, WELL: 60})
    first = next(
        each for each in scene.receiver.deliveries if each.message["data"]["region"] == HURT
    )
    assert first.message["data"]["reroute"] is None
    for _ in range(36):
        step(scene, {HURT: 120, WELL: 0})

    told = [each.message["data"] for each in scene.receiver.deliveries]
    assert [_to(each) for each in told if each["region"] == HURT] == [None, WELL]


def told(scene: Scene) -> list[AlertEvent]:
    """Return the events of the rule, in order."""
    return scene.job.alert_state.events_of("burn", 0)


def moves(scene: Scene) -> list[tuple[str, str] | None]:
    """Return what each message that the router took is to move, and where to."""
    proposals = [each.message["data"]["reroute"] for each in scene.receiver.deliveries]
    return [each and (each["move"]["region"], each["move"]["to_region"]) for each in proposals]


def test_class_that_is_well_again_gives_way_to_the_one_that_burns(scene: Scene) -> None:
    """The router went on moving the one that was mended, and nothing of the other, for 50 min."""
    scene.restart(rules=[rule(budget_usd=5_000.0, budget_for="action", keep_firing_s=20.0)])
    until_sent(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert moves(scene) == [(HURT, WELL)]
    # Both burn: decisions of one class are away, and it is not well.
    for _ in range(6):
        step(scene, {HURT: 120, WELL: 0, THIRD: 120}, away=HURT)
    assert moves(scene) == [(HURT, WELL)]

    # Of the few that are at home none is lost for a while, by chance.
    for slow in (0, 0, 120):
        step(scene, {HURT: slow, WELL: 0, THIRD: 120}, away=HURT)
    assert moves(scene) == [(HURT, WELL)]

    for _ in range(12):
        step(scene, {HURT: 0, WELL: 0, THIRD: 120}, away=HURT)
    assert moves(scene) == [(HURT, WELL), (THIRD, WELL)]
    assert f"{THIRD} loses most of it" in scene.receiver.deliveries[1].message["data"]["reason"]
    for _ in range(12):
        step(scene, {HURT: 0, WELL: 0, THIRD: 0})
    assert told(scene)[-1].to_state == "resolved"
    assert moves(scene)[2:] == [None]


def test_class_that_burns_is_named_where_nothing_is_sent(scene: Scene) -> None:
    """Pages named the one that was mended for as long as the alert went on."""
    over_all = rule(budget_usd=5_000.0, budget_for="action", keep_firing_s=20.0)
    scene.restart(rules=[over_all], webhooks=[])
    for _ in range(12):
        step(scene, {HURT: 120, WELL: 0, THIRD: 4})
    assert told(scene)[-1].focus.endswith(HURT)
    for _ in range(12):
        step(scene, {HURT: 0, WELL: 0, THIRD: 120})
    named = [each.focus.rpartition("/")[2] for each in told(scene)]
    assert named[-1] == THIRD
    assert named.count(THIRD) == 1


def test_cause_of_several_regions_sends_them_to_several(scene: Scene) -> None:
    """Each alert by itself chose the best one, in one pass and in the next."""
    scene.restart(rules=[rule(budget_usd=5_000.0, budget_for="class", keep_firing_s=20.0)])
    ill, refuges = [HURT, "eu-north", "eu-south"], [WELL, THIRD, "us-west"]
    until_sent(scene, dict.fromkeys(refuges, 0) | dict.fromkeys(ill, 120), messages=3)
    for _ in range(3):
        step(scene, dict.fromkeys(refuges, 0) | dict.fromkeys(ill, 120))
    proposed = [each for each in moves(scene) if each is not None]
    assert sorted(moved for moved, _ in proposed) == sorted(ill)
    assert sorted(to for _, to in proposed) == sorted(refuges)


def test_receiver_that_was_away_while_it_burned_is_told_the_move_when_it_burns_on(
    scene: Scene,
) -> None:
    """It was told while the alert cooled, without a move, and of none for the next 50 minutes."""
    scene.restart(rules=[rule(budget_usd=5_000.0, keep_firing_s=120.0)])
    burning, calm = {HURT: 120, WELL: 0}, {HURT: 0, WELL: 0}
    while "firing" not in scene.events():
        write(scene, 10, burning)
        scene.judge()
    while scene.events()[-1] != "cooling":
        write(scene, 10, calm)
        scene.judge()
    scene.deliver()
    assert moves(scene) == [None]

    for _ in range(4):
        step(scene, burning)
    assert scene.events()[-1] == "firing"
    assert moves(scene) == [None, (HURT, WELL)]
