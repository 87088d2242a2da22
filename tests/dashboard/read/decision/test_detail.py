"""All that is known of one decision, for whoever asks at the same time."""

from __future__ import annotations

from collector.store.connect import Connections
from dashboard.read.decision.detail import read_decision, read_shared
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts
from dashboard.read.workers import SharedReads
from tests.support.dashboard.seed import TODAY_NS


class Counting(Reader):
    """Counts how often a decision is looked up."""

    asked = 0

    def decision(self, decision_id: str) -> DecisionFacts | None:
        """Count, and read."""
        self.asked += 1
        return super().decision(decision_id)


def test_page_and_waterfall_of_a_decision_are_one_reading(world: Connections) -> None:
    """A browser that opens the page asks for both at once: a dozen statements each."""
    reader, shared = Counting(world), SharedReads()
    found = read_shared(reader, shared, "d-12", TODAY_NS)
    assert found is not None
    detail, sent = found
    assert read_shared(reader, shared, "d-12", TODAY_NS) is found
    assert reader.asked == 1
    assert detail == read_decision(reader, detail.facts, sent, TODAY_NS)
    assert detail.facts.decision_id == "d-12"
    assert sent == reader.sent_spans(detail.facts.trace_id)


def test_id_of_nothing_is_none(world: Connections) -> None:
    """And does not answer for another id."""
    reader, shared = Reader(world), SharedReads()
    assert read_shared(reader, shared, "nothing", TODAY_NS) is None
    assert read_shared(reader, shared, "d-12", TODAY_NS) is not None
