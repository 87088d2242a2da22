"""What an alert is about, in a sentence that a tired reader takes in at once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from alerts.rows import failing_of, without_calls
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


def test_cause_is_that_decisions_fail_where_it_is_about_failures() -> None:
    """A service that fails everything is not slow; one whose calls time out is both."""
    reason = "100% of its decisions fail, 98% of the loss is of them; $9.00/h at risk"
    plain = {"blamed_stage": "", "blamed_class": "", "reason": reason}
    assert cause_of(event(**plain)) == "checkout / eu-west: 100% of its decisions fail"
    both = "checkout / eu-west: 100% of its decisions fail, store slower by 120 ms than normal"
    assert cause_of(event(reason=reason)) == both
    held = f"held back for 5 min (silence 3; 5% of its decisions failing); {reason}"
    assert failing_of(held) == "100% of its decisions fail"
    over = "loss $0.00 < $2.00 in 30 s; 0.4% of its decisions failed"
    assert failing_of(over) == "0.4% of its decisions failed"
    assert failing_of("$2.00/h at risk; no segment stands out") == ""


def test_cause_of_a_wide_alert_names_the_class_that_it_is_true_of() -> None:
    """`all / all: 17% of its decisions fail` stood on top of a page, where 4 % of all failed."""
    reason = "17% of the decisions of b/us fail, 82% of the loss is of them; b/us loses most of it"
    wide = event(action="*", region="*", reason=reason)
    assert failing_of(reason) == "17% of the decisions of b/us fail"
    assert cause_of(wide) == (
        "all / all, most by b/us: 17% of its decisions fail, store slower by 120 ms than normal"
    )
    slow = replace(wide, reason="$9.00/h at risk; b/us loses most of it; path 5 ms")
    assert cause_of(slow) == "all / all, most by b/us: store slower by 120 ms than normal"
    silent = replace(slow, blamed_stage="", blamed_class="")
    assert cause_of(silent).startswith("all / all: $9.00/h at risk; b/us loses most of it")


def test_cause_names_the_call_where_one_is() -> None:
    """`store slower by 400 ms`, of two services that have one each."""
    slower = "slower is payments: INSERT charge, +399 ms in 28 of 30 decisions"
    failed = "first to fail is payments: INSERT charge, in 28 of 30 failed decisions"
    reason = f"{failed}; {slower}; 16% of its decisions fail; $9.00/h at risk"
    assert cause_of(event(reason=reason)) == (
        "checkout / eu-west: 16% of its decisions fail, first in payments: INSERT charge, store"
        " slower by 120 ms than normal, in payments: INSERT charge"
    )
    several = "slower is no one call: a: b +9.0 ms, c: d +8.0 ms and 2 more in 30 decisions"
    assert cause_of(event(reason=f"{several}; $9.00/h at risk")) == (
        "checkout / eu-west: store slower by 120 ms than normal, in no one call"
    )
    assert without_calls(reason) == "16% of its decisions fail; $9.00/h at risk"
    assert without_calls(f"no decisions for 60 s; {slower}") == "no decisions for 60 s"


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
