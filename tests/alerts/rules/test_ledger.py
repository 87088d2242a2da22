"""Each lost dollar has one owner, whatever fires."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rows import Dollars
from alerts.rules.base import Severity
from alerts.rules.ledger import RATE_S, Claim, narrower, shares
from alerts.state.subject import ALL, Subject
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.examples import examples

ACTIONS, REGIONS = ("checkout", "search"), ("eu-west", "us-east")
CLASSES = [Subject(*each) for each in product(ACTIONS, REGIONS)]
SUBJECTS = [Subject(*each) for each in product((*ACTIONS, ALL), (*REGIONS, ALL))]
SECONDS = 900
Lost = Mapping[tuple[Subject, int], int]  # cents by class and second before the end


def claim(subject: Subject, since_s: int, **changes: object) -> Claim:
    """Return a claim of the losses of the last seconds."""
    fields = {"rule": "burn", "severity": "page", "window_s": 300, **changes}
    return Claim(
        subject=subject,
        since_ns=NOW_NS - since_s * NS_PER_S,
        covers=subject.covers,
        **fields,  # type: ignore[arg-type]  # of the fields above
    )


def since(lost: Lost) -> Callable[[Subject, int], Dollars]:
    """Return the question what a class lost since an instant."""

    def ask(of_class: Subject, since_ns: int) -> Dollars:
        age_s = (NOW_NS - since_ns) // NS_PER_S
        cents = sum(lost.get((of_class, each), 0) for each in range(age_s))
        usd = Decimal(cents) / 100
        return Dollars(usd, usd / 2, usd * 3)

    return ask


def hourly(lost: Lost) -> Callable[[Collection[Subject], int], Dollars]:
    """Return the question what an hour costs, by what classes lost since an instant."""

    def ask(classes: Collection[Subject], since_ns: int) -> Dollars:
        found = sum((since(lost)(each, since_ns) for each in classes), Dollars())
        return found.an_hour(Decimal((NOW_NS - since_ns) // NS_PER_S))

    return ask


CLAIMS = st.lists(
    st.builds(
        claim,
        st.sampled_from(SUBJECTS),
        st.integers(0, SECONDS),
        rule=st.sampled_from(["burn", "slow", "wide"]),
        severity=st.sampled_from(["page", "ticket"]),
        window_s=st.sampled_from([300, 3_600]),
    ),
    max_size=8,
    unique_by=lambda each: (each.rule, each.subject),
)
LOST = st.dictionaries(
    st.tuples(st.sampled_from(CLASSES), st.integers(0, SECONDS)), st.integers(1, 10_000)
)


@settings(max_examples=examples(200))
@given(CLAIMS, LOST)
def test_shares_add_up_to_what_the_covered_classes_lost(claims: list[Claim], lost: Lost) -> None:
    """To the cent: each second of a class that any alert covers is in one share, once."""
    found = shares(claims, CLASSES, since(lost), hourly(lost), NOW_NS)

    covered_s = {
        of_class: max(
            ((NOW_NS - each.since_ns) // NS_PER_S for each in claims if each.covers(of_class)),
            default=0,
        )
        for of_class in CLASSES
    }
    cents = sum(n for (of_class, age_s), n in lost.items() if age_s < covered_s[of_class])
    assert sum(share.lost.usd for share in found.values()) == Decimal(cents) / 100
    assert sum(share.lost.low_usd for share in found.values()) == Decimal(cents) / 200
    assert all(share.lost.usd >= 0 and share.at_risk.usd >= 0 for share in found.values())
    newest = sum(
        n
        for (of_class, age_s), n in lost.items()
        if age_s < RATE_S and any(each.covers(of_class) for each in claims)
    )
    at_risk = sum(share.at_risk.usd for share in found.values())
    assert at_risk == Decimal(newest) / 100 * (3_600 // RATE_S)


def test_narrow_alert_takes_what_was_lost_since_it_began_and_the_wide_keeps_the_rest() -> None:
    """What was lost in the class before it fired is still the wider one's."""
    hurt, wide = CLASSES[0], Subject(ALL, ALL)
    lost = {(hurt, age_s): 100 for age_s in range(600)} | {(CLASSES[3], 10): 700}
    narrow, whole = claim(hurt, 200), claim(wide, 600, rule="wide")

    found = shares([whole, narrow], CLASSES, since(lost), hourly(lost), NOW_NS)

    assert found[narrow].lost.usd == 200
    assert found[whole].lost.usd == 400 + 7
    assert found[narrow].at_risk.usd == 300 * 12
    assert found[whole].at_risk.usd == 7 * 12


@pytest.mark.parametrize(
    ("severity", "owned"), [("page", (0, 300)), ("ticket", (300, 0))], ids=["page", "ticket"]
)
def test_page_owns_before_a_ticket_about_a_part_of_it(
    severity: Severity, owned: tuple[int, int]
) -> None:
    """Nobody is woken by a ticket: the dollars of a page are the page's."""
    lost = {(CLASSES[0], age_s): 100 for age_s in range(300)}
    wide = claim(Subject(ALL, ALL), 300, rule="wide")
    part = claim(CLASSES[0], 300, severity=severity)

    found = shares([wide, part], CLASSES, since(lost), hourly(lost), NOW_NS)

    assert [found[wide].lost.usd, found[part].lost.usd] == list(owned)


def test_narrower_is_about_a_part_and_as_urgent() -> None:
    """A ticket explains no page; another region's alert explains nothing."""
    wide = claim(Subject("checkout", ALL), 300, rule="wide")
    part, other = claim(CLASSES[0], 10), claim(CLASSES[2], 10)
    ticket = claim(CLASSES[1], 10, severity="ticket")

    assert narrower(wide, [wide, part, other, ticket]) == [part]
    assert narrower(part, [wide, part]) == []
    late = claim(Subject(ALL, ALL), 300, severity="ticket")
    assert narrower(late, [wide, part, ticket]) == [wide, part, ticket]


def test_rate_is_by_the_window_of_the_rule_where_that_is_shorter() -> None:
    """As its page has it: of a rule of a minute a loss of a minute is no fifth of it."""
    hurt = CLASSES[0]
    lost = {(hurt, age_s): 100 for age_s in range(60)}
    for window_s, usd in ((60, 60 * 60), (300, 60 * 12), (3_600, 60 * 12)):
        found = shares(
            [claim(hurt, 200, window_s=window_s)], CLASSES, since(lost), hourly(lost), NOW_NS
        )
        [share] = found.values()
        assert share.at_risk.usd == usd


def test_alert_that_cannot_be_judged_has_nothing_at_risk() -> None:
    """What was lost is its own still; what is lost now is of the one that fires."""
    hurt = CLASSES[0]
    lost = {(hurt, age_s): 100 for age_s in range(60)}
    wide, silent = claim(Subject(ALL, ALL), 60, rule="wide"), claim(hurt, 60, is_judged=False)
    found = shares([wide, silent], CLASSES, since(lost), hourly(lost), NOW_NS)
    assert [found[each].lost.usd for each in (silent, wide)] == [60, 0]
    assert [found[each].at_risk.usd for each in (silent, wide)] == [0, 60 * 12]
