"""All of one alert: from the alert state, from the store, and while the store is away."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from alerts.config import AlertsConfig
from alerts.people.matchers import parse_matchers
from alerts.people.notes import ACK, COMMENT, Notes
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.rows import Message
from alerts.rules.threshold import ThresholdConfig
from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore, Update
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from dashboard.pages.alerts.links import decisions_href, explore_href
from dashboard.read.alerts.detail import AlertDetail, read_alert
from dashboard.read.alerts.listing import row_of, with_exemplars
from dashboard.read.alerts.markdown import markdown
from dashboard.read.reader import Reader
from dashboard.read.rows import Range, Reference
from dashboard.read.scope import parse_scope
from dashboard.units import utc_iso
from tests.support.alerts.builders import EPISODE, event, firing_state, rule
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed, fail

AT_NS = TODAY_NS - 20 * NS_PER_S
REFERENCE = Reference(80_000_000, {})
CONFIG = AlertsConfig(rules=(rule(budget_usd=10.0, runbook_url="https://wiki.example/burn"),))
MOVE = {"action": "a", "region": "r", "from_route": "", "to_region": "us-east"}


class AwayReader(Reader):
    """A reader of a store that does not answer."""

    def ask(self, name: str, of: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        """Raise what an engine that is away raises."""
        raise StoreUnavailableError("the store does not answer")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[AlertStore]:
    """Yield a state in which one alert on the late class of the world fires."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    fired = event(
        action=ACTIONS[0], region=REGIONS[0], at_ns=AT_NS, started_ns=AT_NS, recorded_ns=AT_NS
    )
    body = json.dumps({"data": {"reroute": {"mode": "propose", "move": MOVE}}}).encode()
    message = Message("m", "pager", EPISODE, 1, "alert.firing", body)
    state.record([Update(firing_state(), fired, (message,))])
    yield state
    state.close()


def read(reader: Reader, state: AlertStore | None, episode_id: str = EPISODE) -> AlertDetail | None:
    """Read an alert at the end of the world's minute."""
    return read_alert(reader, state, CONFIG, REFERENCE, episode_id, TODAY_NS)


def test_alert_is_known_in_full(reader: Reader, state: AlertStore) -> None:
    """What a responder asks first: what, how dear, since when, who, and which decisions show it."""
    found = read(reader, state)
    assert found is not None
    assert found.cause == f"{ACTIONS[0]} / {REGIONS[0]}: store slower by 120 ms than normal"
    assert (found.usd_per_h, found.is_now) == (Decimal(15), True)
    assert (found.lost_usd, found.lost_from_ns) == (Decimal("0.25"), AT_NS - 60 * NS_PER_S)
    assert found.budget_share == pytest.approx(0.025)
    assert found.runbook_url == "https://wiki.example/burn"
    assert found.reroute == "send the decisions of a / r to us-east"
    # d-12 has packets; of the others d-14 is the slowest.
    assert [each.decision_id for each in found.exemplars] == ["d-12", "d-14", "d-13"]
    assert [each.packets for each in found.exemplars] == [1, 0, 0]
    assert found.unknown == []


def test_failures_are_shown_by_what_failed(own_world: Connections, tmp_path: Path) -> None:
    """Nothing is slower: the link leads to those that failed, and not to late ones."""
    fail(own_world, "d-10", "d-13")
    state = AlertStore(tmp_path / "alerts.sqlite")
    plain = {"blamed_stage": "", "blamed_class": "", "action": ACTIONS[0], "region": REGIONS[0]}
    fired = event(at_ns=AT_NS, started_ns=AT_NS, recorded_ns=AT_NS, **plain)
    state.record([Update(firing_state(), fired, ())])
    found = read(Reader(own_world), state)
    state.close()
    assert found is not None
    assert [(each.decision_id, each.is_error) for each in found.exemplars[:3]] == [
        ("d-13", 1), ("d-10", 1), ("d-12", 0),
    ]  # fmt: skip
    assert "failed=1" in decisions_href(found)


def test_decisions_that_show_it_failed_or_are_late(own_world: Connections, tmp_path: Path) -> None:
    """One of before it began, quick and well, was listed; of failures those that failed are first.

    Though a segment stands out as well: of calls that time out.
    """
    fail(own_world, "d-10")
    state = AlertStore(tmp_path / "alerts.sqlite")
    on = {"action": ACTIONS[0], "region": REGIONS[0], "failing_share": 0.08}
    state.record([Update(firing_state(), event(at_ns=AT_NS, started_ns=AT_NS, **on), ())])
    found = read_alert(Reader(own_world), state, CONFIG, Reference(10**12, {}), EPISODE, TODAY_NS)
    late = read(Reader(own_world), state)
    state.close()
    assert found is not None
    assert late is not None
    assert [(each.decision_id, each.is_error) for each in found.exemplars] == [("d-10", 1)]
    assert late.exemplars[0].decision_id == "d-10"
    text = markdown(found, TODAY_NS)
    assert "- Cause: 8% of its decisions fail; decision/store, +120.0 ms a decision" in text
    assert text.startswith("# offer.select / eu-west: 8% of its decisions fail, store slower by")
    assert "ms, failed\n" in text


def test_slow_decisions_are_over_the_latency_of_their_rule(
    own_world: Connections, tmp_path: Path
) -> None:
    """A rule of 110.5 ms led to all over the target of 80 ms, and to quicker ones that failed."""
    fail(own_world, "d-10", "d-1")
    slow = ThresholdConfig(name="slow", figure="slow_ratio", above=0.1, target_ms=110.5)
    state, on = AlertStore(tmp_path / "alerts.sqlite"), {"action": ACTIONS[0], "rule": "slow"}
    fired = event(at_ns=AT_NS, started_ns=AT_NS, failing_share=0.5, region=REGIONS[0], **on)
    state.record([Update(firing_state(), fired, ())])
    config = AlertsConfig(rules=(slow,))
    found = read_alert(Reader(own_world), state, config, REFERENCE, EPISODE, TODAY_NS)
    listed = with_exemplars(
        Reader(own_world), [row_of([fired])], Range(0, TODAY_NS), REFERENCE, [slow]
    )
    state.close()
    assert found is not None
    assert found.slow_over_ms == 110.5
    assert [each.total_ns > 110_500_000 for each in found.exemplars] == [True] * 3
    assert [found.exemplars[0].decision_id] == [each.exemplar for each in listed]
    query = urlsplit(decisions_href(found)).query
    assert ("low_ms=110.5" in query, "late=" in query, "failed=" in query) == (True, False, False)
    box = parse_scope(urlsplit(explore_href(found, 80_000_000, TODAY_NS)).query)
    assert box.filter("brush_ms") == "110.5.."


def test_history_holds_what_people_did_the_newest_first(reader: Reader, state: AlertStore) -> None:
    """Two who acknowledge at once are both there; the last of them looks after it."""
    act = Act("anna", AT_NS + NS_PER_S)
    Notes(state).add(EPISODE, ACK, act, "mine", None)
    Notes(state).add(EPISODE, ACK, Act("ben", AT_NS + NS_PER_S), "no, mine", True)
    Notes(state).add(EPISODE, COMMENT, Act("ann", AT_NS + 3 * NS_PER_S), "shard 3", None)
    window = Window(AT_NS, AT_NS + NS_PER_HOUR)
    Silences(state).make(parse_matchers(["rule=burn"]), window, act, "known")
    Silences(state).make(parse_matchers(["rule=other"]), window, act, "not this one")
    found = read(reader, state)
    assert found is not None
    assert found.ack is not None
    assert found.ack.actor == "ben"
    assert [held.reason for held in found.silences] == ["known"]
    kinds = [moment.kind for moment in found.timeline]
    assert kinds[0] == "comment"
    assert sorted(kinds) == ["ack", "ack", "changed", "comment", "message", "silence"]
    assert [moment.at_ns for moment in found.timeline] == sorted(
        (moment.at_ns for moment in found.timeline), reverse=True
    )


def test_silence_that_outlasts_its_alert_can_be_ended(
    own_world: Connections, tmp_path: Path
) -> None:
    """It hides nothing of what is over, and would hide the next alert of its class."""
    seed = Seed(random.Random(0))
    seed.alert(AT_NS, 1, "firing", episode_id=EPISODE)
    seed.alert(AT_NS + 9 * NS_PER_S, 2, "resolved", episode_id=EPISODE)
    seed.insert(own_world.client())
    state = AlertStore(tmp_path / "alerts.sqlite")
    act = Act("anna", AT_NS + 2 * NS_PER_S)
    for matcher, hours in (("rule=checkout-burn", 9), ("rule=other", 9), ("action=~.*", 0)):
        ends_ns = AT_NS + 3 * NS_PER_S + hours * NS_PER_HOUR
        window = Window(AT_NS + NS_PER_S, ends_ns)
        Silences(state).make(parse_matchers([matcher]), window, act, matcher)
    found = read(Reader(own_world), state)
    state.close()
    assert found is not None
    assert not found.is_open
    assert found.silences == []
    assert [each.reason for each in found.lasting] == ["rule=checkout-burn"]


def test_others_of_its_incident_are_named(own_world: Connections, tmp_path: Path) -> None:
    """A responder looks at them together; what has another cause is left out."""
    seed = Seed(random.Random(0))
    for number, incident in enumerate(("a", "a", "c", "")):
        at_ns = AT_NS + number * NS_PER_S
        seed.alert(at_ns, 1, "firing", episode_id="abcd"[number], incident_id=incident)
    over_ns = AT_NS + 9 * NS_PER_S
    seed.alert(over_ns, 2, "resolved", episode_id="a", incident_id="a", started_ns=AT_NS)
    seed.insert(own_world.client())
    reader = Reader(own_world)
    found = [read(reader, None, each) for each in "abcd"]
    companions = [each and [(c.episode_id, c.state) for c in each.incident] for each in found]
    assert companions == [[("b", "firing")], [("a", "resolved")], [], []]
    assert found[0] is not None
    text = markdown(found[0], TODAY_NS)
    assert text.index("- Incident: 2 alerts, 1 firing, $15.00 / h at risk, $0.25 lost so far") > 0
    other = f"checkout-burn {ACTIONS[0]}/{REGIONS[0]}, firing, $15.00 / h, $0.25 lost, since"
    assert f"## Others of the incident\n\n- {other}" in text.replace("\\_", "_")
    sums = [each and each.incident_sum and each.incident_sum.lost_usd for each in found]
    assert sums == [Decimal("0.25")] * 2 + [None] * 2, "both are about the same decisions"


def test_incident_that_is_over_says_what_it_cost(own_world: Connections) -> None:
    """The morning after, each alert said its own class, and nothing said the sum."""
    seed, ends_ns = Seed(random.Random(0)), TODAY_NS - 2 * NS_PER_S
    for name, region in (("a", REGIONS[0]), ("b", "ap-south")):
        on = {"episode_id": name, "incident_id": "a", "region": region}
        seed.cell(AT_NS, region="ap-south", decisions=1, late=1, loss="2")
        seed.alert(AT_NS, 1, "firing", **on)
        seed.alert(ends_ns, 2, "resolved", started_ns=AT_NS, at_risk="0", **on)
    seed.insert(own_world.client())
    found = read(Reader(own_world), None, "a")
    assert found is not None
    assert found.incident_sum is not None
    together = found.incident_sum
    assert (together.alerts, together.began_ns, together.ended_ns) == (2, AT_NS, ends_ns)
    own, (other,) = found.lost_usd, found.incident
    assert own is not None
    assert other.lost_usd is not None
    assert together.lost_usd == own + other.lost_usd
    assert f"- Incident: 2 alerts, ${together.lost_usd:.2f} lost, " in markdown(found, TODAY_NS)


def test_markdown_hands_over_what_the_page_has(own_world: Connections, state: AlertStore) -> None:
    """Who takes over reads what to do, of when the cause is, and how far packets prove it."""
    seed = Seed(random.Random(0))
    seed.add(
        "reconstructions", from_ns=TODAY_NS - NS_PER_S, trigger_id=f"{EPISODE}/1", cause="alert",
        requests=300, rebuilt=299, probability=0.9987, sampled_probability=0.1, grounds=["g"],
    )  # fmt: skip
    seed.insert(own_world.client())
    config = AlertsConfig(rules=(rule(note="call *storage*", runbook_url="https://wiki.example"),))
    moved = event(
        seq=2, from_state="firing", at_ns=TODAY_NS - NS_PER_S, started_ns=AT_NS,
        action=ACTIONS[0], region=REGIONS[0], reason="$9/h at risk",
    )  # fmt: skip
    cools = replace(moved, seq=3, to_state="cooling", at_ns=TODAY_NS, reason="late no longer")
    for changed in (moved, cools):
        state.record([Update(firing_state(), changed)])
    found = read_alert(Reader(own_world), state, config, REFERENCE, EPISODE, TODAY_NS)
    assert found is not None
    text = markdown(found, TODAY_NS)
    fired, told = (utc_iso(at_ns)[:19] + "Z" for at_ns in (AT_NS, TODAY_NS - NS_PER_S))
    assert f"- Cause: decision/store, +120.0 ms a decision over normal (as of {fired})\n" in text
    assert f"- Why, at {told}: $9/h at risk\n- Note of the rule: call \\*storage\\*\n" in text
    assert "- Packets: every packet of 299 of 300 requests was kept; the chance that none" in text


def test_each_part_of_a_cause_is_told_with_the_instant_of_its_figure(
    reader: Reader, state: AlertStore
) -> None:
    """`16% of its decisions fail (as of 19:43)`: then it was 3.5 %, and a minute later 16 %.

    What repeats the figure afterwards is no news of it.
    """
    [fired] = state.events(EPISODE)
    found: AlertDetail | None = None
    for number, to_state in enumerate(("firing", "firing", "unknown"), start=1):
        later = replace(
            fired, seq=1 + number, from_state="firing", to_state=to_state, failing_share=0.16,
            at_ns=AT_NS + 4 * number * NS_PER_S,
        )  # fmt: skip
        state.record([Update(replace(firing_state(), seq=1 + number), later)])
        found = read(reader, state)
        assert found is not None
        assert (found.failing_ns, found.blamed_ns) == (AT_NS + 4 * NS_PER_S, AT_NS)
    assert found is not None
    begin, then = (utc_iso(at_ns)[:19] + "Z" for at_ns in (AT_NS, AT_NS + 4 * NS_PER_S))
    segment = f"decision/store, +120.0 ms a decision over normal (as of {begin})"
    assert f"- Cause: 16% of its decisions fail (as of {then}); {segment}\n" in markdown(found, 0)
    together = replace(found, blamed_ns=found.failing_ns)
    assert together.put_down_to(str).endswith(f"over normal (as of {found.failing_ns})")
    assert together.put_down_to(str).count("as of") == 1


def test_calls_stand_with_the_cause_and_once(reader: Reader, state: AlertStore) -> None:
    """Nothing before the third page said which service was slow."""
    [fired] = state.events(EPISODE)
    call = "payments: INSERT [x](y)"
    slower = f"slower is {call}, +120 ms in 28 of 30 decisions"
    named = replace(fired, seq=2, from_state="firing", slow_call=call, slow_call_text=slower)
    state.record([Update(replace(firing_state(), seq=2), named)])
    found = read(reader, state)
    assert found is not None
    assert found.cause.endswith("store slower by 120 ms than normal, in payments: INSERT [x](y)")
    assert found.put_down_to(str) == (
        f"decision/store, +120.0 ms a decision over normal, {slower} (as of {AT_NS})"
    )
    causes = [each.text for each in found.timeline if each.kind == "cause"]
    assert causes == [slower]
    text = markdown(found, TODAY_NS)
    assert "payments: INSERT \\[x\\](y), +120 ms in 28 of 30 decisions (as of" in text
    assert f": {fired.reason}\n" in text, "it is not in the reason once more"


def test_rule_that_was_taken_back_into_shadow_paged_before(
    reader: Reader, state: AlertStore
) -> None:
    """The report of an alert that paged never says that nobody was paged."""
    [fired] = state.events(EPISODE)
    hushed = replace(fired, seq=2, from_state="firing", is_shadow=True)
    state.record([Update(replace(firing_state(), seq=2), hushed)])
    found = read(reader, state)
    assert found is not None
    assert "nobody was paged" not in markdown(found, TODAY_NS)
    only = replace(fired, episode_id="other", is_shadow=True)
    state.record([Update(replace(firing_state(), episode_id="other"), only)])
    found = read(reader, state, "other")
    assert found is not None
    assert "- State: firing, shadow: nobody was paged, since" in markdown(found, TODAY_NS)


def test_alert_that_only_the_store_has_is_found(reader: Reader) -> None:
    """The alert state keeps 30 days, and is not on every machine."""
    found = read(reader, None, "episode-1")
    assert found is not None
    assert (found.state, found.since_ns) == ("firing", TODAY_NS - 20 * NS_PER_S)
    assert "alerts.state_path" in found.unknown[0]
    assert read(reader, None, "nothing") is None


def test_store_that_is_away_leaves_the_rest(world: Connections, state: AlertStore) -> None:
    """The page of a page: it is opened when much else does not work."""
    found = read(AwayReader(world), state)
    assert found is not None
    assert (found.lost_usd, found.exemplars) == (None, [])
    assert found.usd_per_h == Decimal("7407.407340"), "as of its last change"
    assert not found.is_now
    then = utc_iso(AT_NS)[:19] + "Z"
    assert f"/ h at {then}, at the rate of its newest seconds then (90 %" in markdown(found, 0)
    assert "the store does not answer" in found.unknown[0]
    with pytest.raises(StoreUnavailableError):
        read(AwayReader(world), state, "another")


@pytest.mark.parametrize(
    ("to_state", "said"), [("unknown", "unknown"), ("resolved", "nothing, it is over")]
)
def test_what_does_not_fire_has_no_rate(
    reader: Reader, state: AlertStore, to_state: str, said: str
) -> None:
    """What it cost at its last change is history, and `$0.00 / h` would be an answer."""
    last = event(
        seq=2, at_ns=TODAY_NS, from_state="firing", to_state=to_state, started_ns=AT_NS,
        action=ACTIONS[0], region=REGIONS[0],
    )  # fmt: skip
    state.record([Update(firing_state(), last)])
    found = read(reader, state)
    assert found is not None
    assert (found.usd_per_h, found.low_usd_per_h) == (None, None)
    text = markdown(found, TODAY_NS)
    assert f"- At risk: {said}\n" in text
    begin, end = (utc_iso(at_ns)[:19] + "Z" for at_ns in (AT_NS, TODAY_NS))
    since = f"{end}; it began {begin}" if to_state == "resolved" else begin
    assert f"- State: {to_state}, since {since} (as of {end})\n" in text


def test_markdown_marks_nothing_that_a_sender_wrote(reader: Reader, state: AlertStore) -> None:
    """It is pasted into tickets: a label must not become a link, an image or a script there."""
    Notes(state).add(EPISODE, COMMENT, Act("a", AT_NS), "![x](http://e/)<script>\n# big", None)
    found = read(reader, state)
    assert found is not None
    text = markdown(found, TODAY_NS)
    assert text.startswith("# offer.select / eu-west: store slower by 120 ms than normal\n")
    assert "\\!\\[x\\](http://e/)\\<script\\> \\# big" in text
    assert "$15.00 / h now, over its newest 60 s (90 %: $3.75 to $45.00)" in text
    assert "Share of the budget: 2.5 % of $10.00 in 30 days" in text
