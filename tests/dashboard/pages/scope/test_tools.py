from __future__ import annotations

import pytest

from collector.core.times import NS_PER_S
from dashboard.pages.scope.tools import scope_view
from dashboard.read.rows import Attributed
from dashboard.read.scope import Scope
from tests.conftest import NOW_NS

OLD = "note asof old"
FROZEN = "note asof frozen"


@pytest.mark.parametrize(
    ("until_ns", "complete_s", "said", "class_name"),
    [
        (None, -12, "as of 03:33:08 UTC", "note asof"),
        (None, 3, "as of 03:33:20 UTC", "note asof"),
        (None, -625, "as of 03:22:55 UTC, 10.4 min ago", OLD),
        (None, -86_400, "as of 2033-05-17 03:33:20 UTC, 24 h ago", OLD),
        (NOW_NS, -86_400,
         "2033-05-18 03:18:20 to 03:33:20 UTC, complete to 2033-05-17 03:33:20", f"{FROZEN} old"),
        (NOW_NS, 100, "2033-05-18 03:18:20 to 03:33:20 UTC", FROZEN),
        (NOW_NS, -5, "2033-05-18 03:18:20 to 03:33:20 UTC, complete to 03:33:15", f"{FROZEN} old"),
    ],
)  # fmt: skip
def test_page_says_how_old_its_data_are(
    until_ns: int | None, complete_s: int, said: str, class_name: str
) -> None:
    """`Live, as of 13:52:24` stood beside money of 13:41:59."""
    attributed = Attributed(NOW_NS + complete_s * NS_PER_S)
    view = scope_view("page", Scope(until_ns=until_ns), [], [], NOW_NS, attributed)
    assert view["page-asof.children"] == said
    assert view["page-asof.className"] == class_name


@pytest.mark.parametrize(
    ("until_ns", "begin_s", "said", "class_name"),
    [
        (None, -60, "as of 03:33:20 UTC, without 30 s still to be attributed", OLD),
        (None, -3_600, "as of 03:33:20 UTC", "note asof"),
        (NOW_NS, -60, "2033-05-18 03:18:20 to 03:33:20 UTC, without 30 s still to be attributed",
         f"{FROZEN} old"),
    ],
)  # fmt: skip
def test_page_says_what_was_put_off_of_its_range(
    until_ns: int | None, begin_s: int, said: str, class_name: str
) -> None:
    """What came after it is there: the page is current, and not whole."""
    begin_ns = NOW_NS + begin_s * NS_PER_S
    attributed = Attributed(NOW_NS, ((begin_ns, begin_ns + 30 * NS_PER_S),))
    view = scope_view("page", Scope(until_ns=until_ns), [], [], NOW_NS, attributed)
    assert view["page-asof.children"] == said
    assert view["page-asof.className"] == class_name


@pytest.mark.parametrize(
    ("behind_s", "said", "class_name"),
    [
        (2, "no decision since 03:23:20 UTC", "note asof quiet"),
        (90, "as of 03:31:50 UTC, 1.5 min ago", OLD),
    ],
)
def test_page_says_since_when_nothing_comes(behind_s: int, said: str, class_name: str) -> None:
    """`as of` ran on with the clock, ten minutes after the last decision.

    Where attribution is behind nobody knows that nothing came.
    """
    until_ns, newest_ns = NOW_NS - behind_s * NS_PER_S, NOW_NS - 600 * NS_PER_S
    attributed = Attributed(until_ns, newest_ns=newest_ns, is_silent=True)
    view = scope_view("page", Scope(), [], [], NOW_NS, attributed)
    assert view["page-asof.children"] == said
    assert view["page-asof.className"] == class_name
    past = scope_view("page", Scope(until_ns=NOW_NS), [], [], NOW_NS + NS_PER_S, attributed)
    assert "no decision" not in str(past["page-asof.children"])


def test_store_without_data_has_no_age() -> None:
    """Nothing is old where nothing ever was."""
    view = scope_view("page", Scope(), [], [], NOW_NS, Attributed(0))
    assert (view["page-asof.children"], view["page-asof.className"]) == ("no data yet", "note asof")
