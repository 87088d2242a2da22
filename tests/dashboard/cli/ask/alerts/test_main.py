from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.state.deliveries import Deliveries
from alerts.state.mirror import mirror
from alerts.state.retry import DeliveryStatus, Step
from alerts.state.sqlite import Update
from alerts.state.subject import Subject
from alerts.state.transitions import Phase
from attribution.jobs.late.deferred import DeferredArrivals
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.cli.ask.alerts.main import show_history, show_open
from dashboard.cli.ask.alerts.silences import print_silence, show_silence
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state, message, rule
from tests.support.alerts.scene import HURT, write_arrived, write_seconds
from tests.support.alerts.state_api import StateApi

BODY = {
    "matchers": ["region=eu-west"],
    "reason": "тест 🚨",
    "duration": "1h",
    "starts": "",
    "ends": "",
    "zone": "",
    "actor": "anna",
}


def test_person_reads_what_fires_with_its_money(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what others said of it; a sender's text must not drive the terminal."""
    assert not show_open(state_api.client, as_json=False)
    assert capsys.readouterr().out == "0 firing, and 0 of others\n"
    show_silence(state_api.client, BODY, preview=True, as_json=False)
    hint = capsys.readouterr().out.splitlines()[-1]
    assert hint.startswith("no alert of the last 7 days is of these names: where one is misspelt")
    state_api.fire(action="check\x1b[2Jout")
    state_api.client.post(
        f"/api/v1/alerts/{EPISODE}/ack",
        {"comment": "looking", "is_actionable": True, "actor": "anna"},
    )
    state_api.send("POST", "/api/v2/alerts", [{"labels": {"alertname": "\x1b[31mHigh"}}])
    show_silence(state_api.client, BODY, preview=False, as_json=False)
    said = capsys.readouterr().out
    assert "hides now: 1 alert, 1 of unknown cost" in said
    assert "misspelt" not in said
    assert "silence 1 holds: region=eu-west, 2033-05-18T03:33:20Z to" in said
    assert said.endswith(', by anna: "тест 🚨"\n')

    assert show_open(state_api.client, as_json=False)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == (
        f"{EPISODE} page burn check\\u001b[2Jout/eu-west, firing, "
        "$7,407.41/h at its last change 2033-05-18T03:33:20Z, since "
        "2033-05-18T03:33:20Z, blamed decision/store, acknowledged by anna, "
        "hidden by silence 1"
    )
    assert second.endswith('{"alertname": "\\u001b[31mHigh"}')
    assert last == "1 firing, and 1 of others"

    show_history(state_api.client, EPISODE, as_json=False)
    head, change, note, hides = capsys.readouterr().out.splitlines()
    assert head == first
    assert change == "2033-05-18T03:33:20Z inactive -> firing: because"
    assert note == '2033-05-18T03:33:20Z ack by anna, something to do: "looking"'
    assert hides == 'hidden by silence 1 until 2033-05-18T04:33:20Z: "тест 🚨"'


def test_person_reads_which_receiver_was_told_and_why_another_was_not(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve of fourteen failed, and the alert named none; a receiver's text drives no terminal."""
    sent = tuple(message(1, each, episode_id=EPISODE) for each in ("pager", "router"))
    state_api.state.record([Update(firing_state(), event(), sent)])
    Deliveries(state_api.state).give_up("router", DeliveryStatus.DISABLED, "HTTP 410\x1b[2J")

    show_history(state_api.client, EPISODE, as_json=False)
    _, _, *told = capsys.readouterr().out.splitlines()
    assert told == [
        "2033-05-18T03:33:20Z alert.firing to pager: pending, attempts: 0",
        "2033-05-18T03:33:20Z alert.firing to router: disabled, attempts: 0: HTTP 410\\u001b[2J",
    ]
    show_history(state_api.client, EPISODE, as_json=True)
    messages = json.loads(capsys.readouterr().out)["messages"]
    assert [(each["endpoint"], each["status"]) for each in messages] == [
        ("router", "disabled"), ("pager", "pending"),
    ]  # fmt: skip


def test_message_that_waits_says_why_and_until_when(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pending, no attempts` of a receiver that was away: the reason was in the log alone."""
    deliveries, other = Deliveries(state_api.state), "f" * 32
    state_api.state.record([Update(firing_state(), event(), (message(1, episode_id=EPISODE),))])
    of = replace(firing_state(), episode_id=other, subject=Subject("other", "eu-west"))
    fired = event(episode_id=other, action="other")
    state_api.state.record([Update(of, fired, (message(1, episode_id=other, webhook_id="other"),))])
    due = deliveries.next("router", NOW_NS)
    assert due is not None
    waits = Step(DeliveryStatus.PENDING, NOW_NS, "HTTP 500\x1b[2J", NOW_NS + 61 * NS_PER_S)
    deliveries.settle(due, waits, "http://127.0.0.1:1/hook", NOW_NS)
    deliveries.settle(due, waits, "http://127.0.0.1:1/hook", NOW_NS)

    show_history(state_api.client, other, as_json=False)
    sent = capsys.readouterr().out.splitlines()[2]
    assert sent == (
        "2033-05-18T03:33:20Z alert.firing to router: pending, attempts: 0; the receiver failed "
        "2 times in a row, the last time at 2033-05-18T03:33:20Z: HTTP 500\\u001b[2J; it rests "
        "until 2033-05-18T03:34:21Z"
    )
    report = state_api.client.get(f"/api/v1/alerts/{other}/report")
    [told] = [each["text"] for each in report["timeline"] if each["kind"] == "message"]
    assert "pending, no attempts; the receiver failed 2 times in a row, the last time at" in told
    assert told.endswith("; it rests until 03:34:21 UTC")
    state_api.clock.ns = NOW_NS + 62 * NS_PER_S
    show_history(state_api.client, other, as_json=False)
    assert capsys.readouterr().out.splitlines()[2].endswith("; it is tried again now")


def test_list_report_and_api_have_one_figure_of_one_instant(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """One alert had four: the list said what it had cost twelve minutes before."""
    began_ns = NOW_NS - 60 * NS_PER_S
    state_api.fire(at_ns=began_ns, started_ns=began_ns)
    write_seconds(state_api.store.client(), began_ns, 60, "eu-west", 120)
    mirror(state_api.state, state_api.store)

    assert show_open(state_api.client, as_json=False)
    line, _ = capsys.readouterr().out.splitlines()
    assert ", firing, $18,000.00/h, since " in line
    [listed] = state_api.client.get("/api/v1/alerts")["alerts"]
    report = state_api.client.get(f"/api/v1/alerts/{EPISODE}/report")
    [known] = state_api.client.get("/api/v1/alerts/open")["alerts"]
    found = listed["now_usd_per_h"], report["usd_per_h"], known["now_usd_per_h"]
    assert [float(each) for each in found] == [18_000.0] * 3
    assert known["lost_usd"] == report["lost_usd"]
    assert known["revenue_at_risk_usd_per_h"] == "7407.407340", "of its last change, as ever"
    show_history(state_api.client, EPISODE, as_json=False)
    assert capsys.readouterr().out.splitlines()[0] == f"{line}, lost $300.00"


def test_figure_of_now_says_how_much_of_its_window_is_not_attributed(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour costs what it does by what is there, which its own decisions say and not time."""
    began_ns = NOW_NS - 60 * NS_PER_S
    state_api.fire(at_ns=began_ns, started_ns=began_ns)
    write_seconds(state_api.store.client(), began_ns + 40 * NS_PER_S, 20, HURT, 120)
    write_arrived(state_api.store.client(), began_ns, 60, HURT)
    DeferredArrivals(state_api.store).add(began_ns, NOW_NS, NOW_NS)
    mirror(state_api.state, state_api.store)

    show_open(state_api.client, as_json=False)
    line, _ = capsys.readouterr().out.splitlines()
    assert "$18,000.00/h, without 40 s still to be attributed, since " in line
    [listed] = state_api.client.get("/api/v1/alerts")["alerts"]
    report = state_api.client.get(f"/api/v1/alerts/{EPISODE}/report")
    [known] = state_api.client.get("/api/v1/alerts/open")["alerts"]
    found = [each["now_missing_ns"] for each in (listed, report, known)]
    assert found == [40 * NS_PER_S] * 3
    told = state_api.send("GET", f"/api/v1/alerts/{EPISODE}/report?format=markdown").text
    assert " / h now, over its newest 60 s, without 40 s still to be attributed (90 %: " in told

    write_seconds(state_api.store.client(), began_ns, 40, HURT, 120)
    show_open(state_api.client, as_json=False)
    said = capsys.readouterr().out
    assert "$18,000.00/h, since " in said, "the lane wrote it, and has not said so yet"


def test_what_to_do_is_told_with_the_alert(
    store: Connections, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page had a note, a runbook and the sum of the incident, and the command none of them."""
    told = rule(note="call storage\x1b[2J", runbook_url="https://wiki.example/burn")
    api, began_ns, other = StateApi(store, tmp_path, [told]), NOW_NS - 60 * NS_PER_S, "f" * 32
    api.fire(at_ns=began_ns, started_ns=began_ns, incident_id=EPISODE)
    of = replace(firing_state(), episode_id=other, subject=Subject("checkout", "us-east"))
    fired = event(
        episode_id=other, region="us-east", at_ns=began_ns, started_ns=began_ns, incident_id=EPISODE
    )
    api.state.record([Update(of, fired)])
    for region in ("eu-west", "us-east"):
        write_seconds(store.client(), began_ns, 60, region, 120)
    mirror(api.state, store)
    show_history(api.client, EPISODE, as_json=False)
    _, incident, note, runbook, *_ = capsys.readouterr().out.splitlines()
    assert incident == (
        f"incident {EPISODE}: 2 alerts, 2 firing, $36,000 / h at risk, $600.00 lost so far, since "
        "2033-05-18T03:32:20Z"
    )
    assert note == "note of the rule: call storage\\u001b[2J"
    assert runbook == "runbook: https://wiki.example/burn"
    show_history(api.client, EPISODE, as_json=True)
    report = json.loads(capsys.readouterr().out)["report"]
    assert report["incident_sum"]["lost_usd"] == "600.000000"
    [listed] = api.client.get("/api/v1/alerts")["incidents"]
    assert listed == report["incident_sum"]
    api.close()


def test_alert_that_never_fired_is_not_of_1970(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its data stopped before it could fire; it began with its first change."""
    state_api.fire(to_state="pending", at_ns=NOW_NS - NS_PER_S, started_ns=0)
    state_api.fire(seq=2, from_state="pending", to_state="unknown", started_ns=0)
    show_history(state_api.client, EPISODE, as_json=False)
    head = capsys.readouterr().out.splitlines()[0]
    assert ", unknown, unknown cost, never fired, since 2033-05-18T03:33:19Z" in head
    alert = state_api.client.get(f"/api/v1/alerts/{EPISODE}")["alert"]
    assert (alert["started_ns"], alert["since_ns"]) == (0, NOW_NS - NS_PER_S)


def test_what_pages_nobody_is_listed_and_exits_0(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cron that asks by exit code was never quiet, and what does not fire was counted as fire."""

    def put(number: int, state: Phase, **changes: object) -> None:
        episode_id = f"{number:032x}"
        of = replace(firing_state(), subject=Subject("checkout", f"r{number}"))
        of = replace(of, episode_id=episode_id, phase=Phase.FIRING)
        fired = event(episode_id=episode_id, to_state=state.value, region=f"r{number}", **changes)
        state_api.state.record([Update(of, fired)])

    put(2, Phase.FIRING, is_shadow=True, failing_share=0.05)
    put(3, Phase.UNKNOWN)
    assert not show_open(state_api.client, as_json=False)
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "0 firing, 1 unknown, 1 in shadow, and 0 of others"
    assert sum("unknown, unknown cost, since" in line for line in lines) == 1
    [shadow] = [line for line in lines if "shadow" in line]
    assert "/r2, firing, shadow: pages nobody, $7,407.41/h at its last change " in shadow
    assert ", 5% of its decisions fail, blamed decision/store" in shadow

    put(4, Phase.FIRING)
    silence = {"matchers": ["region=r4"], "duration": "1h", "reason": "known", "actor": "anna"}
    state_api.client.post("/api/v1/silences", silence)
    assert not show_open(state_api.client, as_json=True)
    put(5, Phase.COOLING)
    capsys.readouterr()
    assert show_open(state_api.client, as_json=False)
    assert "1 firing, 1 cooling, 1 unknown, 1 in shadow, and" in capsys.readouterr().out


def test_preview_of_unknown_cost_is_no_zero(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """`$0.00` over two alerts of which nobody knows the dollars is where a person decides."""

    def hides() -> list[str]:
        show_silence(state_api.client, BODY, preview=True, as_json=False)
        return [each for each in capsys.readouterr().out.splitlines() if "hides now" in each]

    assert hides() == ["hides now: 0 alerts, $0.00"]
    write_seconds(
        state_api.store.client(), NOW_NS - 10 * NS_PER_S, 10, HURT, slow_ms=120, action="a4"
    )
    for number, basis in ((2, "unknown"), (3, "unknown"), (4, "margin")):
        episode_id, action = f"{number:032x}", f"a{number}"
        of = replace(firing_state(), subject=Subject(action, "eu-west"), episode_id=episode_id)
        fired = event(episode_id=episode_id, action=action, basis=basis)
        state_api.state.record([Update(of, fired)])
        if number == 3:
            *lines, last = hides()
            assert last == "hides now: 2 alerts, 2 of unknown cost"
            assert all(line.endswith(", unknown cost") for line in lines)
    assert hides()[-1] == "hides now: 3 alerts, $50.00, 2 of unknown cost"


def test_machine_reads_the_same(state_api: StateApi, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON value a command."""
    state_api.fire()
    show_silence(state_api.client, BODY, preview=True, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["silence"] is None
    assert len(answer["preview"]["now"]) == 1

    show_open(state_api.client, as_json=True)
    [alert] = json.loads(capsys.readouterr().out)["alerts"]
    assert (alert["episode_id"], alert["people"]["silenced"]) == (EPISODE, [])
    show_history(state_api.client, EPISODE, as_json=True)
    assert json.loads(capsys.readouterr().out)["episode_id"] == EPISODE


def test_silence_that_was_ended_says_when_it_was_to_and_why(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own end was lost, and nobody could read why somebody was called again."""
    made = state_api.send("POST", "/api/v1/silences", BODY).json()
    why = {"reason": "it is over", "actor": "bob"}
    ended = state_api.send("POST", f"/api/v1/silences/{made['id']}/end", why).json()
    print_silence(ended, as_json=False)
    said = capsys.readouterr().out
    assert (
        ' to 2033-05-18T03:33:20Z, by anna, ended by bob in place of 2033-05-18T04:33:20Z ("it is '
        'over"): "тест 🚨"' in said
    )
