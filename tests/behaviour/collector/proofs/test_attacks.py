"""What was done to events is said as they arrive, and what is said follows the keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.event_schema import SIGNED
from collector.store.schema.migrate import apply_views
from tests.conftest import NOW_NS
from tests.support.builders import store_request, trace_request
from tests.support.collector.attacks import with_attributes
from tests.support.collector.provenance_scene import Producer, Scene, at, span_of

OTHER_KEY = '[[mac]]\nkid = "other"\nsecret = "00112233445566778899aabbccddeeff"\n'


def mapped(proof: Scene, **names: str) -> None:
    """Give a customer's names, and begin anew."""
    told = {name.replace("__", "."): theirs for name, theirs in names.items()}
    proof.attributes = AttributesConfig(map=told)
    apply_views(proof.store.client(), proof.attributes, DecisionsConfig(), OutcomesConfig(), NOW_NS)
    proof.restart()


def test_value_under_a_mapped_name_is_covered_by_the_seal_or_names_the_event(proof: Scene) -> None:
    """A name that is mapped passed by the seal: 100 of 100 were ok, with $9,999 each."""
    mapped(proof, decision__value_usd="shop.value", decision__region="shop.region")
    producer = proof.producer
    fields = list(producer.seal(1)[0].fields)
    fields[SIGNED.index("decision.value_usd")] = ""
    poor = [producer.sealer.seal(fields) for _ in range(2)]
    forged = with_attributes(poor[1], shop__value="9999.00")
    store_request(proof.store, trace_request(span_of(poor[0]), forged), received_ns=at(1))
    assert proof.run(2) == {"ok": 1, "tampered": 1}
    assert proof.rows()[-1][:2] == (2, "tampered")

    # What the producer itself says under its own name, and sealed, is what is summed.
    fields[SIGNED.index("decision.value_usd")] = "12.50"
    sealed = producer.sealer.seal(fields)
    own = with_attributes(sealed, decision__value_usd="", shop__value="12.50")
    changed = with_attributes(sealed, decision__value_usd="", shop__value="12.51")
    store_request(proof.store, trace_request(own), received_ns=at(3))
    store_request(proof.store, trace_request(changed), received_ns=at(4))
    assert proof.run(5) == {"ok": 1, "tampered": 1}


def test_retry_is_told_from_a_replay_by_every_byte_that_was_sent(proof: Scene) -> None:
    """A decision's id is not signed: the same seal under another one is no sender's retry."""
    first, second = proof.producer.seal(2)
    store_request(proof.store, trace_request(span_of(first), span_of(second)), received_ns=at(1))
    assert proof.run(2) == {"ok": 2}
    store_request(proof.store, trace_request(span_of(first)), received_ns=at(3))
    forged = with_attributes(second, decision__id="another")
    store_request(proof.store, trace_request(forged), received_ns=at(3))
    assert proof.run(4) == {"retried": 1, "replayed": 1}
    # A forged copy that came first takes nothing from the sender's own two.
    (third,) = proof.producer.seal(1)
    forged = with_attributes(third, decision__value_usd="9999")
    store_request(proof.store, trace_request(forged), received_ns=at(5))
    store_request(proof.store, trace_request(span_of(third), span_of(third)), received_ns=at(6))
    assert proof.run(7) == {"tampered": 1, "ok": 1, "retried": 1}


def test_key_that_is_restored_gives_its_word_back(proof: Scene) -> None:
    """A key that was revoked by mistake left 2,000 honest decisions accused for ever."""
    producer = proof.producer
    events = producer.seal(6)
    producer.store_events(events[:3], at(1))
    assert proof.run(2) == {"ok": 3}
    proof.write_keys("revoked = true")
    producer.store_events(events[3:], at(3))
    assert proof.run(4) == {"tampered": 3}
    assert proof.totals() == {"tampered": 6}
    proof.restart()
    proof.write_keys()
    assert proof.run(5) == {"ok": 3}
    assert proof.totals() == {"ok": 6}
    # The chain has them: nothing is missed, also after a restart, and the next one follows.
    proof.restart()
    producer.store_events(producer.seal(1), at(6))
    assert proof.run(7) == {"ok": 1}
    assert proof.run(60) == {}


def test_key_that_is_added_later_is_asked_about_what_came_before(proof: Scene) -> None:
    """A ring that was late must not leave honest events accused."""
    producer = proof.producer
    proof.keys.write_text(OTHER_KEY)
    proof.restart()
    events = producer.seal(3)
    producer.store_events(events[:2], at(1))
    assert proof.run(2) == {"tampered": 2}
    proof.write_keys()
    producer.store_events(events[2:], at(3))
    assert proof.run(4) == {"ok": 3}
    assert proof.totals() == {"ok": 3}


def test_key_retires_at_an_instant_that_may_be_moved(proof: Scene) -> None:
    """It covers what had arrived by then, and what its holder says of earlier times is no proof."""
    producer = proof.producer
    events = producer.seal(4)
    producer.store_events(events[:1], at(1))
    producer.store_events(events[1:2], at(3))
    assert proof.run(4) == {"ok": 2}
    proof.write_keys(f"retired_ns = {at(2)}")
    producer.store_events(events[2:3], at(5))
    assert proof.run(6) == {"tampered": 1}
    assert proof.totals() == {"ok": 1, "tampered": 2}
    proof.write_keys(f"retired_ns = {at(4)}")
    proof.run(7)
    assert proof.totals() == {"ok": 2, "tampered": 1}
    proof.write_keys()
    producer.store_events(events[3:], at(8))
    proof.run(9)
    assert proof.totals() == {"ok": 4}


def test_forged_checkpoint_stands_under_nobodys_name(proof: Scene) -> None:
    """One log record made 10**18 bad events of an honest producer."""
    producer = proof.producer
    producer.store_events(producer.seal(2), at(1))
    forged = replace(producer.cut(), last_seq=10**18, signature="0" * 128)
    producer.store_checkpoint(forged, at(1))
    producer.store_checkpoint(forged, at(2))
    assert proof.run(3) == {"ok": 2, "forged_checkpoint": 2}
    assert proof.run(60) == {}
    assert proof.totals() == {"ok": 2, "forged_checkpoint": 1}
    assert proof.rows()[0][0] == -1


@pytest.mark.parametrize("is_first", [False, True])
def test_event_behind_the_end_of_its_chain_is_named(proof: Scene, *, is_first: bool) -> None:
    """Whichever came first: also the word on events that were judged before is taken back."""
    producer = proof.producer
    events = producer.seal(2)
    closing = producer.checkpointer.cut(closing=True)
    assert closing is not None
    beyond = producer.seal(2)
    producer.store_events(events, at(1))
    if is_first:
        producer.store_events(beyond, at(2))
        assert proof.run(3) == {"ok": 4}
        producer.store_checkpoint(closing, at(4))
        assert proof.run(5) == {"tampered": 2}
    else:
        producer.store_checkpoint(closing, at(2))
        proof.run(3)
        proof.restart()
        producer.store_events(beyond, at(4))
        assert proof.run(5) == {"tampered": 2}
    assert proof.totals() == {"ok": 2, "tampered": 2}
    assert proof.rows()[-1][3] == "its chain was closed before it"


def test_dropped_checkpoint_is_missed_until_it_comes(proof: Scene) -> None:
    """The run that lacks one may have been built anew; one that was late is no finding."""
    producer = proof.producer
    checkpoints = []
    for second in range(1, 4):
        producer.store_events(producer.seal(2), at(second))
        checkpoints.append(producer.cut())
    producer.store_checkpoint(checkpoints[0], at(4))
    producer.store_checkpoint(checkpoints[2], at(4))
    assert proof.run(5) == {"ok": 6}
    proof.restart()
    assert proof.run(60) == {"missing_checkpoint": 2}
    producer.store_checkpoint(checkpoints[1], at(61))
    proof.run(62)
    assert proof.totals() == {"ok": 6}


def test_late_events_between_checkpoints_accuse_nobody(proof: Scene) -> None:
    """A late event made the next honest checkpoint follow an older root than its own."""
    producer = proof.producer
    first = producer.seal(3)
    one = producer.cut()
    second = producer.seal(3)
    two = producer.cut()
    producer.store_events([*first[:2], *second], at(1))
    producer.store_checkpoint(one, at(1))
    producer.store_checkpoint(two, at(1))
    assert proof.run(2) == {"ok": 5}
    producer.store_events(first[2:], at(6))
    assert proof.run(7) == {"reordered": 1}
    producer.store_events(producer.seal(3), at(8))
    producer.store_checkpoint(producer.cut(), at(8))
    assert proof.run(9) == {"ok": 3}
    assert proof.run(60) == {}
    assert proof.totals() == {"ok": 8, "reordered": 1}


def test_seal_of_another_chain_moves_nothing(proof: Scene) -> None:
    """A seal is bound to its producer and epoch: a transplant is named, and its chain goes on."""
    other = Producer(proof.store, "shop/2")
    (own,), (theirs,) = proof.producer.seal(1), other.seal(1)
    moved = theirs._replace(producer=own.producer, epoch=own.epoch, seq=1, prev=own.tag)
    proof.producer.store_events([own, moved], at(1))
    proof.producer.store_events(proof.producer.seal(1), at(2))
    assert proof.run(3) == {"ok": 2, "tampered": 1}
    assert proof.run(60) == {}
