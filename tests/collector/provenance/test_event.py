from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.event_schema import SIGNED
from collector.provenance.event import (
    DOMAIN,
    NO_TAG,
    Event,
    MacKey,
    Sealer,
    canonical,
    canonical_rest,
    event_of,
    is_unsigned,
    netstrings,
)
from collector.provenance.records import seal_attributes

KEY = MacKey("k1", b"s" * 32)
# Any text that JSON can carry, lone surrogates too.
texts = st.text(st.characters(), max_size=12)
fields = st.lists(texts, min_size=len(SIGNED), max_size=len(SIGNED)).map(tuple)


def values(**said: str) -> tuple[str, ...]:
    """Return the signed fields, empty but for what is said."""
    return tuple(said.get(name.replace(".", "_"), "") for name in SIGNED)


def test_tag_is_hmac_sha256_of_the_canonical_form() -> None:
    """Anyone can verify in any language, from what the documents say."""
    event = Sealer(KEY, "shop/1").seal(values(trace_id="ab", decision_action="offer"))
    assert event.tag == hmac.new(KEY.secret, canonical(event), "sha256").hexdigest()[:32]


def test_canonical_form_is_netstrings_in_a_fixed_order() -> None:
    """The form is public: a change of it breaks every archive."""
    event = Event("k1", "shop/1", "e0", 7, NO_TAG, "", values(trace_id="ab", status="Ünset"))
    expected = [DOMAIN, "k1", "shop/1", "e0", "7", NO_TAG, *event.fields]
    encoded = [text.encode() for text in expected]
    assert canonical(event) == b"".join(b"%d:%s," % (len(text), text) for text in encoded)


def test_key_longer_than_a_block_is_hashed_as_hmac_does() -> None:
    """A key of any length has one MAC."""
    key = MacKey("k1", b"s" * 100)
    event = Sealer(key, "shop/1").seal(values(trace_id="ab"))
    assert event.tag == hmac.new(key.secret, canonical(event), "sha256").hexdigest()[:32]


@given(st.lists(texts, max_size=6), st.lists(texts, max_size=6))
def test_no_two_lists_have_one_form(one: list[str], other: list[str]) -> None:
    """Else text could move from one field to its neighbour under the same tag."""
    assert (netstrings(one) == netstrings(other)) == (one == other)


@given(fields, st.integers(0, len(SIGNED) - 1), st.integers(0, 1_200), st.integers(0, 2**62), texts)
def test_fast_form_is_the_form(
    said: tuple[str, ...], place: int, length: int, seq: int, prev: str
) -> None:
    """What is looked up, remembered or written out is what netstrings make of the same values."""
    long = (*said[:place], "x" * length, *said[place + 1 :])
    for each in (said, long, said):
        assert canonical_rest(seq, prev, each) == netstrings((str(seq), prev, *each))


@given(fields)
def test_sealed_event_survives_the_wire(said: tuple[str, ...]) -> None:
    """What a sealer writes as attributes is read back as the same event."""
    event = Sealer(KEY, "shop/1").seal(said)
    wire = {**seal_attributes(event), **dict(zip(SIGNED, said, strict=True))}
    assert event_of(wire) == event


def test_chain_names_its_predecessor() -> None:
    """The place of an event is part of what is sealed."""
    sealer = Sealer(KEY, "shop/1")
    first, second = sealer.seal(values()), sealer.seal(values())
    assert (first.seq, first.prev) == (0, NO_TAG)
    assert (second.seq, second.prev) == (1, first.tag)


def test_rotated_key_goes_on_with_the_chain() -> None:
    """A rotation leaves no gap in which an event could vanish."""
    sealer = Sealer(KEY, "shop/1")
    first = sealer.seal(values())
    sealer.rotate(MacKey("k2", b"t" * 32))
    second = sealer.seal(values())
    assert (second.kid, second.seq, second.prev) == ("k2", 1, first.tag)


def test_restarted_sealer_has_an_epoch_of_its_own() -> None:
    """Two processes of one producer never share a number."""
    sealer = Sealer(KEY, "shop/1")
    before = sealer.seal(values())
    sealer.restart()
    after = sealer.seal(values())
    assert after.epoch != before.epoch
    assert (after.seq, after.prev) == (0, NO_TAG)


@pytest.mark.parametrize("seq", ["", "-1", "1e3", "٣", " 1", "9" * 30])
def test_number_that_is_none_is_no_number(seq: str) -> None:
    """Only what a sealer writes is taken as a number."""
    assert event_of({"provenance.seq": seq}).seq == -1


def test_event_without_a_seal_is_unsigned() -> None:
    """Half a seal is not the same as none."""
    assert is_unsigned(event_of({"decision.action": "offer"}))
    assert not is_unsigned(event_of({"decision.action": "offer", "provenance.tag": NO_TAG}))


def test_weak_key_is_refused() -> None:
    """A key that can be guessed seals nothing."""
    with pytest.raises(ValueError, match="at least 16"):
        Sealer(MacKey("k1", b"short"), "shop/1")


def test_secret_is_not_shown() -> None:
    """Keys end up in tracebacks and logs."""
    assert "sss" not in repr(KEY)
