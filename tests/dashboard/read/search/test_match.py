from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.read.search.match import (
    HITS_MAX,
    Hit,
    closeness,
    closest,
    command_hits,
    named_hits,
    page_hits,
)

NAMES = st.text("abc -/", min_size=1, max_size=12)


@given(names=st.lists(NAMES, max_size=40), wanted=NAMES)
def test_what_is_found_has_what_is_wanted_and_the_closest_is_first(
    names: list[str], wanted: str
) -> None:
    """Each hit can be explained, and a better one never stands below a worse one."""
    found = closest(named_hits("service", names), wanted)
    assert len(found) <= HITS_MAX
    ranks = [closeness(hit.text, wanted) for hit in found]
    known = [4 if rank is None else rank for rank in ranks]
    assert known == sorted(known)
    assert all(wanted.strip() in f"{hit.text} {hit.note}" for hit in found)
    assert bool(found) or not any(closeness(name, wanted) is not None for name in names)


@pytest.mark.parametrize(
    ("name", "wanted", "close"),
    [
        ("eu-west", "EU-West", 0),
        ("eu-west", "eu", 1),
        ("eu-west", "west", 2),
        ("eu-west", "wes", 2),
        ("eu-west", "est", 3),
        ("eu-west", "asia", None),
        ("eu-west", " ", None),
    ],
)
def test_the_begin_of_a_word_is_closer_than_its_middle(
    name: str, wanted: str, close: int | None
) -> None:
    """What people type are begins."""
    assert closeness(name, wanted) == close


def test_many_of_one_kind_do_not_hide_the_others() -> None:
    """A hundred services that begin alike, and the page that was meant."""
    services = named_hits("service", [f"alerting-{number}" for number in range(100)])
    found = closest([*services, *page_hits([("/alerts", "Alerts")])], "alert")
    assert {hit.kind for hit in found} == {"service", "page"}
    assert len(found) == 7


def test_a_hit_leads_somewhere_or_is_copied() -> None:
    """A value is a filter, whatever it is written with; a command is a line for a shell."""
    (name,) = named_hits("service", ["a&b=c/é"])
    assert name.href == "/decisions?service=a%26b%3Dc%2F%C3%A9"
    assert command_hits([("compare", "Where two differ.")]) == [
        Hit("command", "millworth compare", "Where two differ.", "", "millworth compare")
    ]
