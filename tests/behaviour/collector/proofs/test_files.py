from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bench.provenance.chains import RING, sealed_chain
from collector.core.errors import InputError
from collector.core.event_schema import FIRST_SEQ, LAST_SEQ
from collector.provenance.checkpoint import Checkpoint, merkle_root
from collector.provenance.event import Event, event_of
from collector.provenance.export_file import read_lines, write_line
from collector.provenance.keyring import public_of, read_keys, signer
from collector.provenance.records import checkpoint_of
from collector.provenance.verify import Verdict, Verifier

PRIVATE = bytes(range(32))


def tree_of_rfc_9162(leaves: list[bytes]) -> bytes:
    """Return the tree hash as section 2.1.1 defines it, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = tree_of_rfc_9162(leaves[:split]), tree_of_rfc_9162(leaves[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_root_is_that_of_rfc_9162(leaves: list[bytes]) -> None:
    """An auditor's own program must come to the same root."""
    assert merkle_root(leaves) == tree_of_rfc_9162(leaves)


def test_export_is_read_back() -> None:
    """What was written is what is verified."""
    events, checkpoints = sealed_chain(random.Random(1), 300)
    unsigned = event_of({"decision.action": "offer", "decision.region": "köln\ud800"})
    items: list[Event | Checkpoint] = [*events, unsigned, *checkpoints]
    assert list(read_lines([write_line(item) for item in items], "export")) == items


@given(st.integers(0, 2**63 - 1))
def test_arrival_is_read_back_whenever_it_was(received_ns: int) -> None:
    """Each instant that a store can hold: the nanoseconds of now have nineteen digits."""
    (event,), _ = sealed_chain(random.Random(1), 1)
    event = event._replace(received_ns=received_ns)
    assert list(read_lines([write_line(event)], "export")) == [event]


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_line_that_is_neither_is_refused(line: str | bytes) -> None:
    """A line that is skipped could hide an event; one that raises anything else, end the run."""
    if line.strip():
        with pytest.raises(InputError, match="export: line 1: "):
            list(read_lines([line], "export"))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[" * 100_000, id="nested too deep"),
        pytest.param('{"event": {}, "checkpoint": {}}', id="two in one"),
        pytest.param('{"event": {"provenance.seq": 1}}', id="a number"),
        pytest.param('{"event": {"outcome.key": "o"}}', id="a field that is not signed"),
        pytest.param('{"event": {"status": "a", "status": "b"}}', id="a name twice"),
    ],
)
def test_line_that_can_be_read_in_two_ways_is_refused(line: str) -> None:
    """Two programs that verify one export must see the same events."""
    with pytest.raises(InputError, match="export: line 1: "):
        list(read_lines([line], "export"))


def test_checkpoint_without_numbers_is_bad_and_raises_nothing() -> None:
    """Anyone can send a log record of that name; it must not end the verification of the rest."""
    verifier = Verifier(RING.macs, RING.check)
    for texts in ({}, {FIRST_SEQ: "x", LAST_SEQ: "9" * 40}):
        verifier.take_checkpoint(checkpoint_of(texts))
    verdicts = [finding.verdict for finding in verifier.finish().findings]
    assert verdicts == [Verdict.FORGED_CHECKPOINT] * 2


def test_key_ring_is_read() -> None:
    """Rotation and revocation are one line each."""
    ring = read_keys(
        f"""
        [[mac]]
        kid = "old"
        secret = "{"ab" * 32}"
        retired_ns = 5
        [[mac]]
        kid = "stolen"
        secret = "{"cd" * 32}"
        revoked = true
        [[checkpoint]]
        kid = "audit"
        public = "{public_of(PRIVATE).hex()}"
        """,
        "keys.toml",
    )
    assert (ring.macs["old"].retired_ns, ring.macs["old"].revoked) == (5, False)
    assert ring.macs["stolen"].revoked
    statement = Checkpoint("audit", "p", "e", 0, 0, "", "", closing=False)
    signature = signer(PRIVATE)(statement.statement()).hex()
    signed = Checkpoint("audit", "p", "e", 0, 0, "", "", closing=False, signature=signature)
    assert ring.check(signed) == ""
    assert ring.check(statement) != ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds nothing"),
        ("[mac", "not TOML"),
        ("[[macs]]", "holds macs"),
        ("[mac]\nkid = 'a'", "not a list"),
        ("[[mac]]\nsecret = 'ab'", "no kid"),
        ("[[mac]]\nkid = 'a'\nsecret = 'xy'", "not hex"),
        ("[[mac]]\nkid = 'a'\nsecret = 'ab'", "has 1 bytes"),
        ("[[mac]]\nkid = 'a'\nrevokd = true", "has revokd"),
        (f"[[mac]]\nkid = 'a'\nsecret = '{'ab' * 16}'\nrevoked = 'no'", "neither"),
        (f"[[mac]]\nkid = 'a'\nsecret = '{'ab' * 16}'\nretired_ns = '5'", "not an integer"),
        (f"[[mac]]\nkid = 'a'\nsecret = '{'ab' * 16}'\n" * 2, "stands twice"),
        ("[[checkpoint]]\nkid = 'a'\npublic = 'ab'", "has 1 bytes"),
    ],
)
def test_key_ring_that_is_wrong_is_refused(text: str, said: str) -> None:
    """A misspelt `revoked` would leave a stolen key in force."""
    with pytest.raises(InputError, match=said):
        read_keys(text, "keys.toml")
