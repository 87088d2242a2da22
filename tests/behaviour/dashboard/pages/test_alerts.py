"""The pages of alerts: what is laid out, what is said, and who may do what."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.people.external import ExternalAlerts, PostedAlert
from alerts.people.matchers import parse_matchers
from alerts.people.notes import ACK, Notes
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore, Update
from collector.core.counters import Counters
from collector.core.errors import InputError, StoreUnavailableError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.pages.alerts import detail, page
from dashboard.pages.alerts.lines import alert_line
from dashboard.pages.context import PageContext
from dashboard.pages.overview import page as overview
from dashboard.read.alerts.listing import listed_alerts
from dashboard.read.reader import ALERTS_MAX, Reader
from dashboard.read.rows import Range
from dashboard.read.scope import parse_scope
from dashboard.units import Zone, utc_clock, utc_iso
from dashboard.web.app import create_app
from tests.support.alerts.builders import EPISODE, event, firing_state
from tests.support.dashboard.app import FixedHealth, page_context
from tests.support.dashboard.seed import TODAY_NS, Seed

AT_NS = TODAY_NS - NS_PER_S
HOUR = Range(TODAY_NS - 3600 * NS_PER_S, TODAY_NS)


@pytest.fixture
def context(reader: Reader) -> Iterator[PageContext]:
    """Return what pages are given, over the shared store."""
    with page_context(reader) as context:
        yield context


def text_of(component: Any) -> str:  # noqa: ANN401  a Dash component
    """Return a component as its JSON, to look for words in."""
    return json.dumps(component, default=lambda part: part.to_plotly_json(), ensure_ascii=False)


def lines(context: PageContext, query: str, grid: str = "alerts-list") -> list[dict[str, Any]]:
    """Return the rows of a grid of the list."""
    found = page.show(context, parse_scope(query)).shown[f"{grid}.rowData"]
    assert isinstance(found, list)
    return found


def test_every_alert_name_leads_to_its_page(context: PageContext) -> None:
    """From the page that woke someone: one click to the alert, and one to the evidence."""
    rows = overview.show(overview.read(context, ""), "")["overview-alerts.rowData"]
    assert isinstance(rows, list)
    assert rows[0]["href"] == lines(context, "")[0]["href"] == "/alerts/episode-1"
    shown = detail.show(context, "episode-1", Zone()).shown
    assert "/decision?id=d-12" in text_of(shown["alert-exemplars.children"])
    assert "/decisions?" in text_of(shown["alert-exemplars-note.children"])


def test_open_alert_says_what_it_costs_now(context: PageContext) -> None:
    """Hours after the page, what it cost when it fired ranks and frightens nobody rightly."""
    (found,) = listed_alerts(context.reader, HOUR).alerts
    line = alert_line(found, Zone(), TODAY_NS, TODAY_NS)
    assert (line["at_risk"], line["usd_per_h"]) == ("$15.00 now", 15.0)  # 0.25 USD in a minute
    assert line["interval"] == "90 %: $3.75 to $45.00"
    before = alert_line(dataclasses.replace(found, now_usd_per_h=None), Zone(), TODAY_NS, TODAY_NS)
    assert before["at_risk"] == f"$1,840 at {utc_clock(found.at_ns)}"
    assert before["interval"] == "90 %: $552.15 to $5,522"  # 30 % to 300 % of what was at risk


def test_range_of_the_past_is_told_by_what_was_known_at_its_end(
    context: PageContext, own_world: Connections, tmp_path: Path
) -> None:
    """Opened an hour later it read as a running loss that somebody looked after."""
    seed, ended_ns = Seed(random.Random(0)), TODAY_NS - 2_000 * NS_PER_S
    fired_ns, later_ns = ended_ns - 30 * NS_PER_S, ended_ns + 60 * NS_PER_S
    for second in range(60):
        seed.cell(ended_ns - second * NS_PER_S, decisions=1, late=1, loss="0.1")
    seed.alert(fired_ns, 1, "firing", episode_id=EPISODE)
    seed.alert(later_ns, 2, "resolved", episode_id=EPISODE)
    seed.insert(own_world.client())
    state = AlertStore(tmp_path / "alerts.sqlite")
    state.record([Update(firing_state(), event())])
    act = Act("anna", later_ns)
    Notes(state).add(EPISODE, ACK, act, "mine")
    window = Window(fired_ns, TODAY_NS)
    Silences(state).make(parse_matchers(["rule=checkout-burn"]), window, act, "late")
    posted = PostedAlert({"alertname": "Later"}, {}, "", later_ns, TODAY_NS)
    ExternalAlerts(state).put([posted], "prom", later_ns)
    context = dataclasses.replace(context, reader=Reader(own_world), alert_state=state)
    query, ended = f"?window=5m&until={utc_iso(ended_ns)}Z", Zone().dated(ended_ns, TODAY_NS)
    shown = overview.show(overview.read(context, query), "")
    (row,) = lines(context, query)
    assert shown["overview-alerts.rowData"] == [row]
    assert (row["state"], row["owner"]) == ("firing", "nobody yet")
    assert str(row["at_risk"]).endswith(f" at {ended}")
    assert shown["overview-now-title.children"] == "Money at risk"
    firing = text_of(shown["overview-now-note.children"])
    assert f", last 5 min at most · 1 firing at {ended} UTC" in firing
    assert lines(context, query, "alerts-external") == []
    note = page.show(context, parse_scope(query)).shown["alerts-list-note.children"]
    assert note == f"1 alert, 1 firing at {ended} UTC"
    (later,) = lines(context, "?window=1h&state=resolved")
    assert (later["owner"], later["at_risk"]) == ("anna", "over")
    assert later["since"] == Zone().dated(later_ns, TODAY_NS), "when it ended"
    state.close()


def test_list_is_filtered_by_its_address(context: PageContext, own_world: Connections) -> None:
    """Who opens the link sees what its sender saw."""
    seed = Seed(random.Random(0))
    seed.alert(
        AT_NS, 1, "unknown", episode_id="silent", rule="other", severity="ticket", is_shadow=1
    )
    seed.alert(AT_NS, 1, "firing", episode_id="all", action="*", region="*", is_shadow=0)
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    assert {line["id"] for line in lines(context, "")} == {"all", "episode-1"}
    unknown = lines(context, "", "alerts-unknown")
    assert [(line["id"], line["at_risk"]) for line in unknown] == [("silent", "unknown")]
    note = page.show(context, parse_scope("")).shown["alerts-unknown-note.children"]
    assert str(note).startswith("1 alert, 1 in shadow: their data stopped")
    for query, ids in (
        ("?state=firing&severity=page", {"all", "episode-1"}),
        ("?state=resolved", set()),
        ("?severity=ticket", set()),
        ("?rule=checkout-burn&action=offer.select", {"all", "episode-1"}),
        ("?action=price.quote", {"all"}),
        ("?region=%22%3E%3Cscript%3E", {"all"}),
        ("?rule=nothing", set()),
    ):
        assert {line["id"] for line in lines(context, query)} == ids, query
    assert lines(context, "?severity=ticket", "alerts-unknown") == unknown


def test_state_that_is_none_is_told(context: PageContext) -> None:
    """`0 alerts, 0 firing`, with thirty that fire, sent somebody back to bed."""
    with pytest.raises(InputError, match=r"state='fired' is none; give one of firing, cooling"):
        lines(context, "?state=fired")


def test_alerts_of_others_are_a_group_of_their_own(context: PageContext, tmp_path: Path) -> None:
    """They have no dollars, so they stand beside the list and in no sum."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    posted = PostedAlert({"alertname": "Down"}, {}, "", None, None)
    ExternalAlerts(state).put([posted], "prom", TODAY_NS)
    context = dataclasses.replace(context, alert_state=state)
    assert [line["what"] for line in lines(context, "", "alerts-external")] == ["Down"]
    assert [line["id"] for line in lines(context, "")] == ["episode-1"]
    state.close()


def test_silences_are_listed_also_those_that_hide_nothing_now(
    context: PageContext, tmp_path: Path
) -> None:
    """One made on an alert that is over stood on no page, and hid the next of its class."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    context = dataclasses.replace(context, alert_state=state)
    assert page.show(context, parse_scope("")).shown["alerts-silences-box.hidden"] is True
    silences, act = Silences(state), Act("ada", TODAY_NS - 7_200 * NS_PER_S)
    matchers = parse_matchers(["action=never", "region=~eu-.*"])
    later = Window(TODAY_NS + 60 * NS_PER_S, TODAY_NS + 200_000 * NS_PER_S)
    silences.make(matchers, later, act, "a window to come")
    ended = silences.make(matchers, Window(act.at_ns, later.ends_ns), act, "a mistake")
    silences.end(ended.id, Act("ada", TODAY_NS - 3_600 * NS_PER_S), "wrong one")

    shown = page.show(context, parse_scope("")).shown
    assert shown["alerts-silences-box.hidden"] is False
    text = text_of(shown["alerts-silences.children"])
    for part in ("action=never, region=~eu-.*", "ada", "a window to come"):
        assert part in text
    assert Zone().dated(later.ends_ns, TODAY_NS) in text
    assert "a mistake" not in text
    state.close()


def test_three_hundred_alerts_are_one_question_to_the_store(
    context: PageContext, own_world: Connections
) -> None:
    """Each asked for its own dollars and exemplar, so a bad night made the page slow as well."""
    seed = Seed(random.Random(0))
    for number in range(300):
        seed.alert(AT_NS, 1, "firing", episode_id=f"many-{number}")
    seed.insert(own_world.client())
    asked: list[str] = []

    class Counting(Reader):
        """A reader that keeps what it was asked."""

        def ask_text(self, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
            """Keep the statement, and read."""
            asked.append(text)
            return super().ask_text(text, parameters)

    found = listed_alerts(Counting(own_world), HOUR)
    assert len(found.alerts) == found.total == 301
    assert len(asked) == 3, "the alerts, where losses end, and the losses of all"
    context = dataclasses.replace(context, reader=Reader(own_world))
    assert len(lines(context, "")) == 301
    shown = overview.show(overview.read(context, ""), "")
    rows = shown["overview-alerts.rowData"]
    assert isinstance(rows, list)
    assert len(rows) == overview.SHOWN_MAX
    assert str(shown["overview-alerts-note.children"]).startswith("the 50 dearest of 301")
    assert "301 firing" in text_of(shown["overview-now-note.children"])


def test_list_says_how_many_alerts_it_leaves_out(
    context: PageContext, own_world: Connections
) -> None:
    """`500 alerts` of 700 was read as all there were."""
    seed = Seed(random.Random(0))
    for number in range(ALERTS_MAX + 1):
        seed.alert(AT_NS, 1, "firing", episode_id=f"e{number}")
    seed.insert(own_world.client())
    context = dataclasses.replace(context, reader=Reader(own_world))
    note = page.show(context, parse_scope("")).shown["alerts-list-note.children"]
    assert str(note).endswith(", without 2 that cost less")
    note = overview.show(overview.read(context, ""), "")["overview-alerts-note.children"]
    assert str(note).startswith("the 50 dearest of 502 · ")


def test_list_is_there_while_the_store_is_away(
    context: PageContext, empty_store: Connections, tmp_path: Path
) -> None:
    """It is opened when much else does not work; what fires is in the alert state."""
    context = dataclasses.replace(context, reader=Reader(empty_store))
    with pytest.raises(StoreUnavailableError):
        page.show(context, parse_scope(""))
    state = AlertStore(tmp_path / "alerts.sqlite")
    state.record([Update(firing_state(), event())])
    context = dataclasses.replace(context, alert_state=state)
    found = page.show(context, parse_scope(""))
    (line,) = lines(context, "")
    assert (line["href"], str(line["at_risk"])[:9]) == (f"/alerts/{EPISODE}", "$7,407 at")
    assert found.partial.startswith("the store is away")
    assert lines(context, "?severity=ticket") == []
    state.close()


def test_who_may_not_act_is_told_why(context: PageContext) -> None:
    """A button that answers 403 after a comment was written is a trap."""
    shown = detail.show(context, "episode-1", Zone()).shown
    refusal = "What people do is kept in alerts.state_path where rules are evaluated, and it is"
    assert str(shown["alert-refusal.children"]).startswith(refusal)
    assert "not known here" in text_of(shown["alert-facts.children"])
    assert shown["alert-ack-open.disabled"] is True


def test_alert_that_is_not_there_is_said_to_be(context: PageContext) -> None:
    """Whatever somebody wrote into an address; nothing can be done about it."""
    for odd in ("<script>", "x" * 300, "", "\x00", "../..", "%2F"):
        shown = detail.show(context, odd, Zone()).shown
        assert set(shown) == set(detail.READ)
        assert str(shown["alert-title.children"]).startswith("No alert has the id ")
        assert shown["alert-ack-open.disabled"] is True
        assert shown["alert-risk-value.children"] == "unknown"
    assert detail.episode_of("/alerts/a%2Fb%FF") == "a/b\N{REPLACEMENT CHARACTER}"
    assert detail.episode_of("/health") == ""


def test_packets_of_an_alert_are_said_with_their_grounds(
    context: PageContext, own_world: Connections
) -> None:
    """A figure without its grounds is a claim; an alert that nobody judged yet claims nothing."""
    context = dataclasses.replace(context, reader=Reader(own_world))
    assert "not looked for yet" in text_of(
        detail.show(context, "episode-1", Zone()).shown["alert-facts.children"]
    )
    seed = Seed(random.Random(0))
    for trigger_id, chance, rebuilt in (
        ("episode-1/1", 1.0, 300), ("episode-1/2", 0.9987, 299), ("episode-2/1", 0.0, 0),
    ):  # fmt: skip
        seed.add(
            "reconstructions", from_ns=TODAY_NS, trigger_id=trigger_id, cause="alert",
            requests=300, rebuilt=rebuilt, probability=chance, sampled_probability=0.1,
            grounds=[f"packets on every span of {rebuilt}", "kernel dropped 0"],
        )  # fmt: skip
    seed.insert(own_world.client())
    said = text_of(detail.show(context, "episode-1", Zone()).shown["alert-facts.children"])
    assert "every packet of 299 of 300 requests was kept; the chance that none" in said
    assert "packets on every span of 299; kernel dropped 0" in said


def test_link_of_an_alert_shows_its_own_time(context: PageContext, own_world: Connections) -> None:
    """Read a week later, the overview of now says nothing about it."""
    context = dataclasses.replace(context, reader=Reader(own_world))
    shown = text_of(detail.show(context, "episode-1", Zone()).shown["alert-state.children"])
    assert "/?window=5m&action=offer.select&region=eu-west" in shown
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS, 3, "resolved")
    seed.alert(TODAY_NS, 1, "firing", episode_id="s", action="shop", region="", basis="unknown")
    seed.insert(own_world.client())
    over = detail.show(context, "episode-1", Zone()).shown
    assert "&until=" in text_of(over["alert-state.children"])
    ended = f"since {Zone().second(TODAY_NS)} UTC, after "
    assert ended in text_of(over["alert-state.children"])
    assert over["alert-risk-value.children"] == "over"
    # A service is not an action: filtered by it, the page would be empty.
    assert "action=" not in text_of(detail.show(context, "s", Zone()).shown["alert-state.children"])


def test_webhook_link_leads_to_the_alert(world: Connections) -> None:
    """`/?episode=ID` is what every webhook carries."""
    app = create_app(AppContext(world, FixedHealth(), Counters()))

    async def visit(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path)

    answer = asyncio.run(visit("/?episode=a%2F..%2F%3Cb"))
    assert (answer.status_code, answer.headers["location"]) == (302, "/alerts/a%2F..%2F%3Cb")
    for path in ("/alerts", "/alerts/episode-1", "/alerts/a%2Fb", "/alerts/%22%3E"):
        assert asyncio.run(visit(path)).status_code == 200
    # The browser cannot read it, and would draw nothing at all.
    answer = asyncio.run(visit("/alerts/%FF"))
    assert (answer.status_code, answer.headers["location"]) == (302, "/alerts/%EF%BF%BD")
