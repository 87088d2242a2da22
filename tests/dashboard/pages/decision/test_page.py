"""The sentence that the page of a decision begins with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.pages.decision.page import headline
from dashboard.read.decision.detail import Decision, read_decision
from dashboard.read.reader import Reader
from tests.support.dashboard.seed import TODAY_NS

MS = 1_000_000


@pytest.fixture(scope="module")
def detail(reader: Reader) -> Decision:
    """Return one stored decision."""
    facts = reader.decision("d-12")
    assert facts is not None
    return read_decision(reader, facts, [], TODAY_NS)


def test_headline_says_how_late_and_where_the_time_went(detail: Decision) -> None:
    """Five seconds are enough to read it; an id says nothing."""
    assert headline(detail, 80 * MS) == "111.0 ms, 31.0 ms over target: decision/store took 66.0 ms"
    assert headline(detail, 200 * MS) == "111.0 ms, on target: decision/store took 66.0 ms"


def test_headline_of_a_failed_and_of_an_unattributed_decision(detail: Decision) -> None:
    """What is not known yet is not said."""
    failed = replace(detail, facts=replace(detail.facts, is_error=1))
    assert headline(failed, 200 * MS).startswith("Failed after 111.0 ms, on target: ")
    young = replace(detail, attribution=None)
    assert headline(young, 80 * MS) == "111.0 ms, 31.0 ms over target: not attributed yet"
