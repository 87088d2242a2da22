"""What is proven is what is summed: forged copies never stand in the way of genuine ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.provenance.event import Event
from collector.provenance.live.withdrawals import CopyVerdict
from collector.store.connect import Connections
from collector.store.row_removal import remove_rows
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, store_request, trace_request
from tests.support.collector.attacks import with_attributes
from tests.support.collector.provenance_scene import Scene, at, span_of


class Books(Scene):
    """A proof with an attribution of its own, whose sums are read."""

    def __init__(self, store: Connections, folder: Path) -> None:
        super().__init__(store, folder)
        self.attribution = AttributionJob(
            AttributionConfig(settle_s=0.0), AttributesConfig(), store
        )

    def summed(self, at_s: int) -> dict[str, tuple[int, Decimal]]:
        """Judge and attribute what there is; return decisions and dollars by region."""
        self.attribution.run_once(self.judge(at_s))
        rows = (
            self.store.client()
            .query(
                "SELECT region, sum(decisions), sum(value_usd) FROM revenue_cells FINAL"
                " WHERE decisions > 0 GROUP BY region ORDER BY region"
            )
            .result_rows
        )
        return {str(region): (int(count), value) for region, count, value in rows}

    def measured(self) -> int:
        """Return how many decisions the minutes have, as the pages read them."""
        sql = (
            "SELECT sum(m.decisions) FROM attribution_minutes AS m FINAL WHERE stage = '' AND"
            " (minute_ns, revision) IN"
            " (SELECT minute_ns, max(revision) FROM attribution_minutes GROUP BY minute_ns)"
        )
        return int(self.store.client().query(sql).result_rows[0][0])

    def withdrawn(self) -> list[tuple[str, str, int]]:
        """Return verdict, dollars and whether it counts again, of what was taken out."""
        rows = (
            self.store.client()
            .query(
                "SELECT verdict, ifNull(toString(value_usd), ''), is_back FROM withdrawals FINAL"
                " ORDER BY is_back, verdict, value_usd"
            )
            .result_rows
        )
        return [(str(verdict), str(value), int(is_back)) for verdict, value, is_back in rows]

    def send(self, at_s: int, *events: Event, **changes: object) -> None:
        """Store events as one request, with other attributes where some are given."""
        spans = [with_attributes(e, **changes) if changes else span_of(e) for e in events]
        store_request(self.store, trace_request(*spans), received_ns=at(at_s))


@pytest.fixture
def books(store: Connections, tmp_path: Path) -> Books:
    """Return an empty store, and who judges and sums it."""
    return Books(store, tmp_path)


@pytest.mark.parametrize(
    "forgery",
    [
        {"decision__value_usd": "77770.00"},
        {"decision__value_usd": "77770.00", "decision__region": "other"},
        {"decision__value_usd": "77770.00", "decision__id": "other"},
        {"decision__value_usd": "77770.00", "provenance__tag": "", "provenance__seq": ""},
    ],
)
@pytest.mark.parametrize("order", ["before", "with", "after"])
def test_genuine_copy_counts_whichever_came_first(
    books: Books, forgery: dict[str, object], order: str
) -> None:
    """A forged copy that was sent first made $77,770 of $100, though its verdict was right."""
    events = books.producer.seal(10, "10.00")
    if order == "before":
        books.send(1, *events[:5], **forgery)
        books.summed(2)
        books.send(3, *events)
    elif order == "with":
        books.send(1, *events[:5], **forgery)
        books.send(1, *events)
    else:
        books.send(1, *events)
        books.summed(2)
        books.send(3, *events[:5], **forgery)
    assert books.summed(8) == {"köln": (10, Decimal(100))}
    assert books.measured() == 10
    assert books.summed(60) == {"köln": (10, Decimal(100))}
    assert {row[0] for row in books.withdrawn() if not row[2]} <= {"tampered", "unsigned"}


def test_replay_under_another_id_is_no_second_decision(books: Books) -> None:
    """60 rows of decisions in place of 10: the same seal five times more, each under another id."""
    events = books.producer.seal(10, "10.00")
    books.send(1, *events)
    assert books.summed(2) == {"köln": (10, Decimal(100))}
    for number in range(5):
        for event in events:
            books.send(3 + number, event, decision__id=f"{event.seq}-{number}")
    assert books.summed(10) == {"köln": (10, Decimal(100))}
    count = books.store.client().query("SELECT count() FROM decisions FINAL").result_rows
    assert count == [(10,)]
    assert books.withdrawn() == [("replayed", "10", 0)] * 50


def test_replay_with_a_token_behind_its_id_is_no_retry(books: Books) -> None:
    """30 rows more of `decisions`, each `retried`: what looked like a token was not compared."""
    events = books.producer.seal(10, "10.00")
    books.send(1, *events, decision__id="d")
    books.send(2, *events, decision__id="dtok_1")
    books.send(3, *events, decision__id=f"dtok_a-1_{'a' * 20}")
    books.send(4, *events, decision__id="d", outcome__key=f"tok_a-1_{'a' * 20}")
    assert books.summed(10) == {"köln": (10, Decimal(100))}
    assert books.totals() == {"ok": 10, "replayed": 30}


def test_token_of_another_value_is_a_replay_and_of_another_key_a_retry(books: Books) -> None:
    """A key that rotates makes another token of one value; one key does not."""
    event, other = books.producer.seal(2, "10.00")
    books.send(1, event, decision__id=f"tok_a-1_{'a' * 20}")
    books.send(2, event, decision__id=f"tok_a-1_{'b' * 20}")
    books.send(3, other, decision__id=f"tok_a-1_{'c' * 20}")
    books.send(4, other, decision__id=f"tok_a-2_{'d' * 20}")
    assert books.summed(10) == {"köln": (2, Decimal(20))}
    assert books.totals() == {"ok": 2, "replayed": 1, "retried": 1}


def test_replay_in_the_same_request_takes_nothing_along(books: Books) -> None:
    """All the money of the request was gone: both arrived at one instant."""
    events = books.producer.seal(3, "10.00")
    books.send(1, *events)
    books.send(1, *events, decision__id="other")
    assert books.summed(6) == {"köln": (3, Decimal(30))}
    assert books.totals() == {"ok": 3, "replayed": 3}


def test_every_genuine_decision_gets_its_place_back(books: Books) -> None:
    """Of a page the first thousand did, sealed outcomes among them, which have no place there."""
    books.job._withdrawals.page_rows = 3
    events = books.producer.seal(8, "10.00")
    for number, event in enumerate(events):
        forged = with_attributes(event, decision__id=f"d{number}", decision__value_usd="7.00")
        forged.trace_id, forged.span_id = bytes([number + 1] * 16), bytes([number + 1] * 8)
        store_request(books.store, trace_request(forged), received_ns=at(1) + number)
        books.send(3, event, decision__id=f"d{number}")
    assert books.summed(8) == {"köln": (8, Decimal(80))}
    assert books.totals() == {"ok": 8, "tampered": 8}


@pytest.mark.parametrize("required", [False, True])
def test_stop_before_the_old_word_is_gone_accuses_nobody(books: Books, *, required: bool) -> None:
    """What a key that came late had given its word for was `replayed`, and out of the sums."""
    books.required = required
    books.write_keys("revoked = true")
    books.restart()
    books.send(1, *books.producer.seal(3, "10.00"))
    books.run(2)
    client = books.store.client()
    client.command(
        "CREATE TABLE kept ENGINE = Memory AS SELECT * FROM provenance_events WHERE reason != ''"
    )
    books.write_keys()
    assert books.summed(4) == {"köln": (3, Decimal(30))}
    # A stop right before the DELETE leaves these.
    client.command("INSERT INTO provenance_events SELECT * FROM kept")
    books.restart()
    assert books.summed(6) == {"köln": (3, Decimal(30))}
    assert books.totals() == {"ok": 3}
    assert books.measured() == 3


def test_attribution_that_looks_before_the_row_is_gone_looks_again(books: Books) -> None:
    """A removal that took longer than decisions settle left the attribution, and its dollars."""
    genuine, forged = books.producer.seal(2, "10.00")
    books.send(1, genuine)
    books.send(1, forged, decision__value_usd="5000.00")
    assert books.summed(2) == {"köln": (2, Decimal("5010.00"))}
    copy = CopyVerdict(forged.fields[0], forged.fields[1], at(1), "tampered", "")
    books.job._withdrawals.begin(at(4))
    books.job._withdrawals._note([copy], "tampered", "", is_back=False)
    books.attribution.run_once(at(10))
    remove_rows(books.store, "decisions", "trace_id = {id:String}", {"id": copy.trace_id})
    assert books.summed(12) == {"köln": (1, Decimal(10))}
    assert books.measured() == 1


def test_what_is_not_proven_is_out_of_the_sums_where_proof_is_required(books: Books) -> None:
    """And is seen: with what it would have been worth. It is counted where none is required."""
    events = books.producer.seal(4, "10.00")
    forged = books.producer.seal(1, "10.00")
    unsigned = decision_span(
        region="köln", start_ns=NOW_NS, attributes={"decision.value_usd": "7.00"}
    )
    books.send(1, *events)
    books.send(1, *forged, decision__value_usd="5000.00")
    store_request(books.store, trace_request(unsigned), received_ns=at(1))
    assert books.summed(2) == {"köln": (6, Decimal("5047.00"))}
    assert books.withdrawn() == []

    books.required = True
    books.store.client().command("TRUNCATE TABLE provenance_chains")
    books.restart()
    assert books.summed(8) == {"köln": (4, Decimal(40))}
    assert books.withdrawn() == [("tampered", "5000", 0), ("unsigned", "7", 0)]
    # Its whole group is gone: no sum of it is left behind.
    lone = books.producer.seal(1, "10.00")
    books.send(9, *lone, decision__region="other", decision__value_usd="900.00")
    assert books.summed(10) == {"köln": (4, Decimal(40))}
    assert books.measured() == 4


def test_key_that_is_revoked_takes_its_money_along_until_it_is_restored(books: Books) -> None:
    """What a stolen key may have sealed is not summed; a mistake is undone."""
    books.required = True
    books.restart()
    books.send(1, *books.producer.seal(3, "10.00"))
    assert books.summed(2) == {"köln": (3, Decimal(30))}
    books.write_keys("revoked = true")
    books.send(3, *books.producer.seal(1, "10.00"))
    assert books.summed(4) == {}
    assert [row[2] for row in books.withdrawn()] == [0] * 4
    books.write_keys()
    assert books.summed(6) == {"köln": (4, Decimal(40))}
    assert [row[2] for row in books.withdrawn()] == [1] * 4
    assert books.measured() == 4


def test_run_that_was_built_anew_is_out_of_the_sums(books: Books) -> None:
    """An insider's change is named by its run; none of the run is proven."""
    books.required = True
    books.restart()
    producer = books.producer
    books.send(1, *producer.seal(2, "10.00"))
    books.producer.store_checkpoint(producer.cut(), at(1))
    run = producer.seal(2, "10.00")
    checkpoint = producer.cut()
    insider = producer.sealer
    insider._seq, insider._prev = 2, run[0].prev
    changed = [
        insider.seal((*run[0].fields[:15], "9999.00", *run[0].fields[16:])),
        insider.seal(run[1].fields),
    ]
    books.send(2, *changed)
    assert books.summed(3)["köln"] == (4, Decimal("10029.00"))
    producer.store_checkpoint(checkpoint, at(4))
    assert books.summed(5) == {"köln": (2, Decimal(20))}
    assert {row[0] for row in books.withdrawn()} == {"rechained"}


def test_calibration_of_the_service_itself_is_not_judged(books: Books) -> None:
    """It is in no sum and has no key; what only calls itself so and states a value is judged."""
    books.required = True
    books.restart()
    spans = [
        decision_span(action="calibration", start_ns=NOW_NS),
        decision_span(
            action="calibration", start_ns=NOW_NS, attributes={"decision.value_usd": "900.00"}
        ),
    ]
    store_request(books.store, trace_request(*spans), received_ns=at(1))
    assert books.summed(2) == {"eu-west": (1, Decimal(0))}
    assert books.withdrawn() == [("unsigned", "900", 0)]
