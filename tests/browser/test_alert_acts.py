"""What a person on call does about an alert, from the list to its evidence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from alerts.people.external import ExternalAlerts, PostedAlert
from alerts.people.notes import Notes
from alerts.people.silences import Silences
from alerts.rows import AlertEvent
from alerts.state.acts import audit_acts
from alerts.state.mirror import mirror
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from collector.audit.log import read_audit
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.browser.conftest import Visit
from tests.conftest import ManualClock
from tests.support.alerts.builders import EPISODE, event, firing_state, rule
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS
from tests.support.dashboard.served import served

pytestmark = [pytest.mark.browser, pytest.mark.integration]

AT_NS = TODAY_NS - 20 * NS_PER_S
ODD = "<img src=x onerror=\"document.title='broken'\">"


def fire(state: AlertStore, store: Connections, **changes: object) -> AlertEvent:
    """Have one alert fire, and bring it into the store."""
    at = {"at_ns": AT_NS, "started_ns": AT_NS, "recorded_ns": AT_NS}
    fired = event(**{"action": ACTIONS[0], "region": REGIONS[0], **at, **changes})
    of = replace(
        firing_state(),
        subject=Subject(fired.action, fired.region),
        episode_id=fired.episode_id,
        seq=fired.seq,
    )
    state.record([Update(of, fired)])
    mirror(state, store)
    return fired


def test_alert_is_acknowledged_silenced_and_traced_to_its_evidence(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Each act goes by /api/v1 and into the audit; the evidence is two clicks from the list."""
    page = visit.page
    with served(own_world, tmp_path, rules=[rule()], clock=ManualClock(TODAY_NS)) as pages:
        fire(pages.state, own_world)
        page.goto(f"{pages.url}/alerts")
        page.get_by_role("link", name="store slower by 120 ms than normal").first.click()
        page.wait_for_url(re.compile(r"/alerts/"))
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text(
            f"{ACTIONS[0]} / {REGIONS[0]}: store slower by 120 ms than normal"
        )
        expect(page.locator("#alert-risk-value")).to_contain_text("$15.00 / h")
        expect(page.locator("#alert-risk-note")).to_contain_text("now, over its newest 60 s")

        page.get_by_role("button", name="Acknowledge").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Your name").fill("anna")
        form.get_by_text("Yes", exact=True).click()
        form.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("#alert-facts")).to_contain_text("anna, since")
        expect(page.locator("#alert-timeline")).to_contain_text("there was something to do")

        page.get_by_role("button", name="Silence", exact=True).click()
        form = page.get_by_role("dialog")
        expect(form.get_by_label("Your name")).to_have_value("anna")
        expect(form.get_by_label("Alerts for which")).to_have_value(
            f"rule=burn\naction={ACTIONS[0]}\nregion={REGIONS[0]}"
        )
        expect(page.locator("#alert-silence-preview")).to_contain_text(
            "Hides 1 alert now, $0.25 lost so far; would have hidden "
        )
        form.get_by_label("Alerts for which").fill("colour=red")
        expect(page.locator("#alert-silence-preview")).to_contain_text("is not NAME=VALUE")
        form.get_by_label("Alerts for which").fill("rule=burn")
        expect(page.locator("#alert-silence-preview")).to_contain_text("Hides 1 alert")
        form.get_by_label("For how long").fill("40h")
        form.get_by_label("Reason").fill("known, until the failover")
        form.get_by_role("button", name="Silence").click()
        # It ends on another day: at the same hour, tonight, nobody is called.
        day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        for told in ("facts", "timeline"):
            expect(page.locator(f"#alert-{told}")).to_contain_text(
                re.compile(f"silence 1 (of anna )?until {day}")
            )
        expect(page.locator("#alert-done")).to_contain_text(re.compile(f"Silenced until {day}"))

        page.get_by_role("button", name="End a silence").click()
        form = page.get_by_role("dialog")
        form.get_by_role("textbox", name="Silence").click()
        page.get_by_role("option").first.click()
        form.get_by_label("Why it ends").fill("done")
        form.get_by_role("button", name="End a silence").click()
        expect(page.locator("#alert-facts")).not_to_contain_text("silence 1 of anna")

        page.locator("#alert-exemplars a").first.click()
        page.wait_for_url(re.compile(r"/decision\?id=d-12"))
        expect(page.locator("#decision-packets-note")).not_to_have_text("")
        audit_acts(pages.state, own_world)
        acts = [(row.actor, row.action) for row in read_audit(own_world.client())]
    assert acts == [
        ("anna", "alert_acknowledged"),
        ("anna", "alerts_silenced"),
        ("anna", "silence_ended"),
    ]
    refusals = re.compile("status of 40[04]")  # of the form that was sent too early, and of /pulse
    assert [error for error in visit.console_errors if not refusals.search(error)] == []


OTHER = "f" * 32


def incident(state: AlertStore, store: Connections) -> None:
    """Have two alerts of one incident fire, each a link away from the other."""
    fire(state, store, incident_id=EPISODE)
    fire(state, store, episode_id=OTHER, region=REGIONS[1], incident_id=EPISODE)


def opened(page: Page, act: str) -> tuple[Locator, Locator]:
    """Open a form; return it, and where its comment is typed."""
    page.get_by_role("button", name=act, exact=True).click()
    form = page.get_by_role("dialog")
    # Who opens it by keyboard types what is asked for.
    expect(form.locator("textarea[data-autofocus]")).to_be_focused()
    return form, form.get_by_role("textbox", name="Comment")


def test_others_of_an_incident_are_folded_and_stay_open_where_one_opened_them(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What to do was below forty links; and a list that shuts each second cannot be read."""
    page = visit.page
    told = [rule(note="call storage")]
    with served(own_world, tmp_path, rules=told, clock=ManualClock(TODAY_NS)) as pages:
        incident(pages.state, own_world)
        for number in range(6):
            name, region = f"{number:032d}".replace("0", "a"), f"r{number}"
            fire(pages.state, own_world, episode_id=name, region=region, incident_id=EPISODE)
        page.goto(f"{pages.url}/alerts/{EPISODE}")
        facts = page.locator("#alert-facts-panel")
        expect(facts).to_contain_text("8 alerts, 8 firing, $")
        expect(facts).to_contain_text("call storage")
        links = facts.locator("a[href^='/alerts/']")
        expect(links.locator("visible=true")).to_have_count(5)
        facts.get_by_text("2 more").click()
        expect(links.locator("visible=true")).to_have_count(7)
        fire(pages.state, own_world, episode_id="c" * 32, region="r9", incident_id=EPISODE)
        expect(facts).to_contain_text("9 alerts, 9 firing, $")
        expect(links.locator("visible=true")).to_have_count(8)


def test_forms_drafts_and_notes_are_of_the_alert_they_were_opened_on(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Over a link inside of the page, and over back, another alert has none of them."""
    page = visit.page
    with served(own_world, tmp_path, rules=[rule()], clock=ManualClock(TODAY_NS)) as pages:
        incident(pages.state, own_world)
        heading, done = page.get_by_role("heading", level=1), page.locator("#alert-done")
        page.goto(f"{pages.url}/alerts/{EPISODE}")
        form, text = opened(page, "Comment")
        form.get_by_role("button", name="Comment").click()
        expect(form.get_by_role("alert")).to_contain_text("comment: should have at least 1")
        text.fill("seen")
        form.get_by_role("button", name="Comment").click()
        expect(done).to_contain_text("Comment kept at")
        form, text = opened(page, "Acknowledge")
        text.fill("a draft of the first")
        form.get_by_text("Yes", exact=True).click()
        page.keyboard.press("Escape")
        form, _ = opened(page, "Silence")
        form.get_by_label("For how long").fill("40h")
        form.get_by_label("Alerts for which").fill("rule=burn")
        page.keyboard.press("Escape")
        expect(form).to_have_count(0)

        page.locator("#alert-facts a[href^='/alerts/']").click()
        expect(heading).to_contain_text(REGIONS[1])
        expect(done).to_have_text("")
        form, text = opened(page, "Acknowledge")
        expect(text).to_have_value("")
        expect(form.get_by_label("Say later")).to_be_checked()
        page.keyboard.press("Escape")
        form, _ = opened(page, "Silence")
        expect(form.get_by_label("For how long")).to_have_value("2h")
        matchers = form.get_by_label("Alerts for which")
        expect(matchers).to_have_value(re.compile(f"region={REGIONS[1]}$"))
        page.keyboard.press("Escape")
        form, text = opened(page, "Comment")
        text.fill("about the second")
        page.go_back()
        expect(heading).to_contain_text(REGIONS[0])
        expect(form).to_have_count(0)
        _, text = opened(page, "Comment")
        expect(text).to_have_value("")


def test_late_answer_to_a_comment_is_no_news_of_another_alert(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """It is kept with the alert that it was written on, whatever is shown by then."""
    page = visit.page
    held: list[Route] = []
    with served(own_world, tmp_path, rules=[rule()], clock=ManualClock(TODAY_NS)) as pages:
        incident(pages.state, own_world)
        heading = page.get_by_role("heading", level=1)
        page.goto(f"{pages.url}/alerts/{OTHER}")
        page.locator("#alert-facts a[href^='/alerts/']").click()
        expect(heading).to_contain_text(REGIONS[0])
        page.route("**/comment", lambda route: route.continue_() if held else held.append(route))
        form, text = opened(page, "Comment")
        text.fill("late")
        with page.expect_request("**/comment"):
            form.get_by_role("button", name="Comment").click()
        page.go_back()
        expect(heading).to_contain_text(REGIONS[1])
        expect(form).to_have_count(0)  # it was of the other alert
        form, text = opened(page, "Comment")
        text.fill("of the other")
        form.get_by_role("button", name="Comment").click()
        expect(form.get_by_role("alert")).to_contain_text("not answered yet")
        with page.expect_response("**/comment"):
            held[0].continue_()
        expect(page.locator("#alert-done")).to_have_text("")
        form.get_by_role("button", name="Comment").click()
        expect(page.locator("#alert-done")).to_contain_text("Comment kept at")
        kept = Notes(pages.state).of([EPISODE, OTHER])
    assert [note.text for note in kept[EPISODE]] == ["late"]
    assert [note.text for note in kept[OTHER]] == ["of the other"]


def test_texts_of_senders_stay_texts_and_an_end_is_seen(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Labels, reasons and alerts of others are written by anybody who may send."""
    page = visit.page
    with served(own_world, tmp_path, clock=ManualClock(TODAY_NS)) as pages:
        texts = {"action": ODD, "region": ODD, "reason": ODD}
        fired = fire(pages.state, own_world, **texts, blamed_stage="", blamed_class="")
        other = PostedAlert({"alertname": ODD}, {"summary": ODD}, "javascript:1", None, None)
        ExternalAlerts(pages.state).put([other], ODD, TODAY_NS)
        page.goto(f"{pages.url}/alerts")
        expect(page.locator("#alerts-external")).to_contain_text("<img src=x")
        page.locator("#alerts-list a.alert-link").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x")
        expect(page.locator("#alert-timeline")).to_contain_text("<img src=x")
        expect(page.locator("#alert-state")).to_contain_text("firing")
        over = replace(fired, seq=2, from_state="firing", to_state="resolved", at_ns=TODAY_NS)
        pages.state.record([Update(firing_state(), over)])
        expect(page.locator("#alert-state")).to_contain_text("resolved")
        assert page.title() == "Alert - Millworth"
        assert page.locator("img[src=x]").count() == 0


def sign_in(page: Page, token: str) -> None:
    """Fill in the form that a browser is led to, and wait for where it wanted to go."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_viewer_sees_the_buttons_and_why_they_are_shut(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What a token may is decided where it is asked, and said before a comment is written."""
    tokens = (("view", ("viewer",)), ("oncall", ("responder",)))
    page = visit.page
    with served(own_world, tmp_path, tokens=tokens, clock=ManualClock(TODAY_NS)) as pages:
        fire(pages.state, own_world)
        for name, may in (("view", False), ("oncall", True)):
            page.goto(f"{pages.url}/alerts/{EPISODE}")
            sign_in(page, "mwt_wrong")
            expect(page.get_by_role("alert")).to_contain_text("not known here")
            sign_in(page, f"mwt_{name}")
            expect(page).to_have_url(f"{pages.url}/alerts/{EPISODE}")
            expect(page.locator("#who")).to_have_text(f"token {name}")
            expect(page.locator("#alert-facts")).to_contain_text("nobody yet")
            button = page.get_by_role("button", name="Acknowledge")
            if may:
                expect(button).to_be_enabled()
                expect(page.locator("#alert-refusal")).to_have_text("")
            else:
                expect(button).to_be_disabled()
                expect(page.locator("#alert-refusal")).to_contain_text("needs the role responder")
            said = page.evaluate(
                "path => fetch(path, {method: 'POST', body: JSON.stringify({comment: 'x'}),"
                " headers: {'content-type': 'application/json'}}).then(a => a.status)",
                f"/api/v1/alerts/{EPISODE}/comment",
            )
            assert said == (200 if may else 403), json.dumps([name, said])
            assert page.evaluate("document.cookie") == ""  # no script can read it
            page.locator("#who").click()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_label("Token")).to_be_visible()
            page.go_back()  # to what was kept, if it was
            page.go_back()
            expect(page.get_by_label("Token")).to_be_visible()
            expect(page.locator("#alert-facts")).to_have_count(0)


def test_silence_that_is_made_is_the_one_in_the_form(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """Who was quicker than a pause after the last key silenced what stood there before."""
    page = visit.page
    with served(own_world, tmp_path, rules=[rule()], clock=ManualClock(TODAY_NS)) as pages:
        fire(pages.state, own_world)
        page.goto(f"{pages.url}/alerts/{EPISODE}")
        page.get_by_role("button", name="Silence", exact=True).click()
        form = page.get_by_role("dialog")
        form.get_by_label("Reason").fill("known")
        form.get_by_label("Alerts for which").fill("rule=burn\nregion=nowhere")
        form.get_by_role("button", name="Silence").click()
        expect(page.locator("#alert-done")).to_contain_text("Silenced until")
        made = Silences(pages.state).all(TODAY_NS)
    assert [[str(each) for each in one.matchers] for one in made] == [
        ["rule=burn", "region=nowhere"]
    ]


def test_text_stays_while_somebody_signs_in_again(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """What is told of an ended session is for people, and costs nobody their text."""
    page = visit.page
    tokens = (("oncall", ("responder",)),)
    with served(own_world, tmp_path, tokens=tokens, clock=ManualClock(TODAY_NS)) as pages:
        fire(pages.state, own_world)
        page.goto(f"{pages.url}/alerts/{EPISODE}")
        sign_in(page, "mwt_oncall")
        form, text = opened(page, "Comment")
        text.fill("seen, and long")
        page.context.clear_cookies()
        form.get_by_role("button", name="Comment").click()
        expect(form.get_by_role("alert")).to_have_text(
            "You are signed out. Sign in in another tab, then send this again: "
            "what you wrote stays here."
        )
        other = page.context.new_page()
        other.goto(f"{pages.url}/alerts")
        sign_in(other, "mwt_oncall")
        expect(other.locator("#who")).to_have_text("token oncall")
        form.get_by_role("button", name="Comment").click()
        expect(page.locator("#alert-done")).to_contain_text("Comment kept at")
        kept = Notes(pages.state).of([EPISODE])
    assert [note.text for note in kept[EPISODE]] == ["seen, and long"]


def test_page_that_outlives_its_session_says_so(
    own_world: Connections, visit: Visit, tmp_path: Path
) -> None:
    """And a link from another site is opened by whoever is signed in, as it is in the menu."""
    page = visit.page
    tokens = (("view", ("viewer",)),)
    with served(own_world, tmp_path, tokens=tokens, clock=ManualClock(TODAY_NS)) as pages:
        page.goto(f"{pages.url}/alerts")
        sign_in(page, "mwt_view")
        expect(page.locator("#who")).to_have_text("token view")
        # Another host of the loopback is another site, as a chat is.
        elsewhere = pages.url.replace("127.0.0.1", "localhost")
        page.goto(f"{elsewhere}/login")
        page.evaluate("url => { location.href = url }", f"{pages.url}/health")
        expect(page).to_have_url(f"{pages.url}/health")
        expect(page.locator("#who")).to_have_text("token view")
        page.context.clear_cookies()
        expect(page.locator("#pulse")).to_contain_text("You are signed out")
        for _ in range(2):  # by the second the first is read
            with page.expect_response("**/_dash-update-component*") as answer:
                pass
            assert not answer.value.ok
        assert not [said for said in visit.console_errors if "already read" in said]
        page.reload()
        sign_in(page, "mwt_view")
        expect(page).to_have_url(f"{pages.url}/health")
