"""The search over a real store: every kind of thing, and what it says when it finds nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from alerts.state.sqlite import AlertStore
from attribution.core.config import AttributionConfig
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from dashboard.read.search.finder import Finder
from tests.support.dashboard.app import Api
from tests.support.dashboard.seed import TODAY_NS, Seed


@pytest.mark.parametrize(
    ("text", "kind", "href"),
    [
        ("d-12", "decision", "/decision?id=d-12"),
        (f"{12:032x}", "decision", "/decision?id=d-12"),
        ("order-12", "decision", "/decision?id=d-12"),
        ("episode-1", "alert", "/alerts/episode-1"),
        ("edge", "service", "/decisions?service=edge"),
        ("offer.s", "action", "/decisions?action=offer.select"),
        ("west", "region", "/decisions?region=eu-west"),
        ("web", "channel", "/decisions?channel=web"),
        ("RETURNING", "cohort", "/decisions?cohort=returning"),
        ("expl", "page", "/explore"),
        ("what-if", "command", ""),
    ],
)
def test_everything_that_has_a_name_is_found(api: Api, text: str, kind: str, href: str) -> None:
    """One field in place of ten places to look."""
    answer = api.send("GET", "/api/v1/search", params={"q": f" {text} "})
    assert answer.status_code == 200
    first = answer.json()["hits"][0]
    assert (first["kind"], first["href"]) == (kind, href)
    assert bool(first["copy"]) == (kind == "command")


def test_nothing_found_says_what_was_looked_through(api: Api) -> None:
    """Else nobody knows whether to look elsewhere."""
    got = api.send("GET", "/api/v1/search", params={"q": "no such thing"}).json()
    assert got["hits"] == []
    assert any("decisions" in said for said in got["looked_through"])
    pages = api.send("GET", "/api/v1/search").json()["hits"]
    assert [hit["text"] for hit in pages] == [
        "Overview",
        "Alerts",
        "Explore",
        "Decisions",
        "Budgets",
        "Velocity",
        "Network",
        "Trust",
        "Health",
    ]
    long = api.send("GET", "/api/v1/search", params={"q": "x" * 300})
    assert (long.status_code, "q" in long.json()["detail"]) == (400, True)


class Away(Reader):
    """A store that does not answer."""

    def decision_ids(self, wanted: str) -> list[str]:
        """Raise."""
        raise StoreUnavailableError(f"the store is away, {wanted} is not known")


class Counting(Reader):
    """Counts how often the names are read."""

    asked = 0

    def scopes(self, from_ns: int, to_ns: int) -> tuple[list[str], list[str]]:
        """Count, and read."""
        self.asked += 1
        return super().scopes(from_ns, to_ns)


def finder(reader: Reader, state: AlertStore | None = None) -> Finder:
    """Return one over a reader."""
    listing = DecisionList(reader, AttributionConfig(), Reference(80_000_000, {}))
    return Finder(reader, listing, state, [("/health", "Health")])


def test_pages_are_found_while_the_store_is_away(world: Connections, tmp_path: Path) -> None:
    """Health is what one looks for then."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    found = finder(Away(world), state).find("health", TODAY_NS)
    state.close()
    assert found.hits[0].href == "/health"
    assert "the store is away" in found.away


def test_an_alert_of_the_store_is_in_its_newest_state(own_world: Connections) -> None:
    """The alert state of another machine has it, and a link to it says whether it is over."""
    seed = Seed(random.Random(0))
    for seq, state in enumerate(("firing", "resolved"), 1):
        seed.alert(TODAY_NS + seq, seq, state, episode_id="over-1")
    seed.insert(own_world.client())
    [hit] = finder(Reader(own_world)).find("over-1", TODAY_NS).hits
    assert (hit.href, hit.text.rpartition(", ")[2]) == ("/alerts/over-1", "resolved")


def test_names_are_read_once_a_minute_however_fast_one_types(world: Connections) -> None:
    """Each letter is a request; the rows that they read are bounded."""
    reader = Counting(world)
    found = finder(reader)
    for text in ("e", "ed", "edg", "edge"):
        found.find(text, TODAY_NS)
    assert reader.asked == 1
    found.find("edge", TODAY_NS + NS_PER_MINUTE)
    assert reader.asked == 2
