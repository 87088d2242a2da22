"""What an alert is about, in a sentence that a tired reader takes in at once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dashboard.read.alerts.counts import Counts
from dashboard.read.alerts.listing import AtRisk, IncidentSum
from dashboard.read.alerts.wording import (
    cause_of,
    companion_dollars,
    incident_of,
    packets_of,
)
from dashboard.read.packet_rows import KeptPackets
from tests.support.alerts.builders import event


def test_cause_names_class_part_and_excess() -> None:
    """`revenue-burn-demo` said which rule fired, and nothing of what is wrong."""
    fired = event(action="offer")
    assert cause_of(fired) == "offer / eu-west: store slower by 120 ms than normal"
    assert cause_of(replace(fired, region="*")).startswith("offer / all: store")
    few = replace(fired, blamed_class="compute", blamed_excess_ns=1_500_000)
    assert cause_of(few) == "offer / eu-west: own code slower by 1.5 ms than normal"


def test_cause_of_what_blames_nothing_is_its_reason() -> None:
    """A service that fell silent has no segment; what its rule says is all that there is."""
    silent = event(action="shop", region="", blamed_stage="", blamed_class="", reason="no data")
    assert cause_of(silent) == "shop: no data"
    assert cause_of(replace(silent, action="", reason="")) == "all data: no reason was given"
    assert len(cause_of(replace(silent, action="a" * 9_000, reason="r" * 9_000))) < 300


def test_cause_says_nothing_of_how_it_came_to_be_told() -> None:
    """`held back for 75 s (silence 1 of anna ...)` was the title of an alert."""
    of = {"blamed_stage": "", "blamed_class": ""}
    told = event(reason="no data for 40 s; delivery: held back for 75 s (silence 1)", **of)
    assert cause_of(told) == "checkout / eu-west: no data for 40 s"


def test_cause_is_that_decisions_fail_where_it_is_about_failures() -> None:
    """A service that fails everything is not slow; one whose calls time out is both."""
    both = event(failing_share=1.0)
    plain = replace(both, blamed_stage="", blamed_class="")
    assert cause_of(plain) == "checkout / eu-west: 100% of its decisions fail"
    slow = "checkout / eu-west: 100% of its decisions fail, store slower by 120 ms than normal"
    assert cause_of(both) == slow


def test_cause_of_a_wide_alert_names_the_class_that_it_is_true_of() -> None:
    """`all / all: 17% of its decisions fail` stood on top of a page, where 4 % of all failed."""
    wide = event(action="*", region="*", focus="b/us", failing_share=0.17, reason="$9.00/h at risk")
    assert cause_of(wide) == (
        "all / all, most by b/us: 17% of its decisions fail, store slower by 120 ms than normal"
    )
    slow = replace(wide, failing_share=0.0)
    assert cause_of(slow) == "all / all, most by b/us: store slower by 120 ms than normal"
    silent = replace(slow, blamed_stage="", blamed_class="")
    assert cause_of(silent) == "all / all: $9.00/h at risk"


def test_cause_rests_on_no_text_of_a_sender() -> None:
    """An action that reads like a reason was taken for one."""
    posing = "x; 100% of its decisions fail"
    slow = event(action=posing, focus=f"{posing}/us", reason=f"{posing}/us loses most of it")
    assert cause_of(slow) == (
        f"{posing} / eu-west, most by {posing}/us: store slower by 120 ms than normal"
    )


def test_cause_names_the_call_where_one_is() -> None:
    """`store slower by 400 ms`, of two services that have one each."""
    call = "payments: INSERT charge"
    named = event(failing_share=0.16, failing_call=call, slow_call=call)
    assert cause_of(named) == (
        "checkout / eu-west: 16% of its decisions fail, first in payments: INSERT charge, store"
        " slower by 120 ms than normal, in payments: INSERT charge"
    )
    assert cause_of(event(slow_call="no one call")) == (
        "checkout / eu-west: store slower by 120 ms than normal, in no one call"
    )


def test_packets_are_told_in_words() -> None:
    """`chance that none is missing 0.00 %` is read by nobody at three in the morning."""
    none = KeptPackets(0.0, 46, 0, [])
    assert packets_of(none) == "none of 46 requests has all of its packets"
    assert packets_of(replace(none, rebuilt=45, probability=0.9)) == (
        "every packet of 45 of 46 requests was kept; the chance that none is missing is 90.00 %"
    )
    one_lacks = replace(none, rebuilt=45, probability=1e-9)
    assert packets_of(one_lacks) == "every packet of 45 of 46 requests was kept"
    assert packets_of(replace(none, requests=1)) == "none of 1 request has all of its packets"
    assert packets_of(None) == "not looked for yet, or none are recorded"


def test_incident_is_told_as_one() -> None:
    """What nobody knows is said so, and is never zero dollars."""
    usd = Decimal(800)
    risk = AtRisk(usd, usd, usd, alerts=2, unpriced=0, old=0, silent=0, counts=Counts(2, 1, 0, 0))
    found = IncidentSum("a", 4, 1, None, risk, Decimal(70))
    assert incident_of(found, str) == (
        "4 alerts, 2 firing, 1 cooling, $800.00 / h at risk, $70.00 lost so far, since 1"
    )
    unknown = replace(found, at_risk=replace(risk, alerts=0), lost_usd=None)
    assert ", risk unknown, loss unknown so far, " in incident_of(unknown, str)
    over = replace(found, ended_ns=9)
    assert incident_of(over, str) == "4 alerts, $70.00 lost, 1 to 9"
    assert companion_dollars(usd, None) == "$800.00 / h, loss unknown"
    assert companion_dollars(None, usd) == "$800.00 lost"
