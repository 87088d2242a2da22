from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from collector.core.errors import ConfigError, InputError
from collector.core.event_schema import SIGNED
from collector.core.times import NS_PER_S
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import Sealer
from collector.provenance.keyring import public_of, signer
from collector.provenance.keyring_file import read_ring
from collector.provenance.live.job import ProvenanceJob
from dashboard.settings.settings import Settings
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, span, store_request, trace_request
from tests.support.collector.provenance_scene import DAY_NS, KEY, PRIVATE, Scene, at


def test_every_decision_gets_a_verdict_and_a_second_pass_says_the_same(proof: Scene) -> None:
    """Clean, forged and unsealed side by side, as stored values; sealed in Python, judged by SQL's
    rendering of it."""
    events = proof.producer.seal(4)
    forged = events[2]._replace(tag="0" * 32)
    proof.producer.store_events([*events[:2], forged, events[3]], at(1))
    store_request(proof.store, trace_request(decision_span(), span()), received_ns=at(1))
    assert proof.run(2) == {"ok": 3, "tampered": 1, "unsigned": 1}
    expected = [
        (-1, "unsigned", 1, "it has no seal"),
        (0, "ok", 1, ""),
        (1, "ok", 1, ""),
        (2, "tampered", 1, "its content or its seal was changed"),
        (3, "ok", 1, ""),
    ]
    assert proof.rows() == expected
    # A pass whose end was not remembered is done again, by a job that knows nothing of it.
    proof.store.client().command("TRUNCATE TABLE provenance_chains")
    proof.restart()
    assert proof.run(3) == {"ok": 3, "tampered": 1, "unsigned": 1}
    assert proof.rows() == expected
    assert proof.job.totals() == {"ok": 3, "tampered": 1, "unsigned": 1}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_seal_without_a_producer_or_an_epoch_holds_up_no_pass(
    proof: Scene, is_restarted: bool
) -> None:
    """Its kid is one of ours, and the place of the last pass lies under no producer."""
    events = proof.producer.seal(4)
    proof.producer.store_events(events[:1], at(1))
    assert proof.run(2) == {"ok": 1}
    blanks = [
        events[1]._replace(producer=""),
        events[2]._replace(epoch=""),
        events[3]._replace(producer="", epoch=""),
    ]
    proof.producer.store_events(blanks, at(3))
    if is_restarted:
        proof.restart()
    assert proof.run(4) == {"tampered": 3}
    assert {row[1:] for row in proof.rows()} == {
        ("ok", 1, ""),
        ("tampered", 1, "its seal is incomplete"),
    }
    proof.producer.store_events(events[1:], at(5))
    assert proof.run(6) == {"ok": 3}


def test_checkpoint_without_a_producer_is_bad_and_moves_no_place(proof: Scene) -> None:
    """Signed or not: its chain would be remembered where the pass itself is."""
    events = proof.producer.seal(1)
    blank = replace(proof.producer.cut(), producer="", epoch="")
    signed = replace(blank, signature=signer(PRIVATE)(blank.statement()).hex())
    proof.producer.store_checkpoint(signed, at(1))
    proof.producer.store_events(events, at(1))
    assert proof.run(2) == {"ok": 1, "forged_checkpoint": 1}
    proof.restart()
    assert proof.run(3) == {}
    rows = proof.store.client().query("SELECT producer FROM provenance_chains FINAL ORDER BY 1")
    assert [name for (name,) in rows.result_rows] == ["", "shop/1"]


def test_chain_goes_on_over_a_restart_and_a_late_event_amends_missing(proof: Scene) -> None:
    """A hole is found across a restart and across midnight, and is taken back by what it missed."""
    events = proof.producer.seal(10)
    proof.producer.store_events(events[:3], at(1))
    assert proof.run(2) == {"ok": 3}
    proof.restart()
    proof.producer.store_events(events[6:], at(3))
    assert proof.run(4) == {"ok": 4}
    proof.restart()
    assert proof.run(40) == {"missing": 3}
    assert (3, "missing", 3, "it is not here") in proof.rows()
    assert proof.totals() == {"ok": 7, "missing": 3}

    proof.restart()
    late_ns = NOW_NS + DAY_NS
    proof.producer.store_events(events[3:5], late_ns)
    report = proof.job.run_once(late_ns + NS_PER_S)
    assert report.verdicts == {"reordered": 2, "missing": 1}
    assert proof.totals() == {"ok": 7, "reordered": 2, "missing": 1}
    assert (5, "missing", 1, "it is not here") in proof.rows()


def test_duplicate_and_swap_are_told_apart(proof: Scene) -> None:
    """A retry of a sender is replayed and counts beside the event, which stays ok."""
    events = proof.producer.seal(3)
    proof.producer.store_events(events[:2], at(1))
    proof.producer.store_events([events[1], events[1]], at(2))
    proof.producer.store_events(events[2:], at(3))
    assert proof.run(4) == {"ok": 3, "retried": 2}
    assert proof.totals() == {"ok": 3, "retried": 2}


def test_cut_tail_is_missed_by_its_checkpoint(proof: Scene) -> None:
    """What was cut off at the end leaves no later event behind; the signed root tells."""
    events = proof.producer.seal(5)
    proof.producer.store_events(events[:3], at(1))
    proof.producer.store_checkpoint(proof.producer.cut(), at(2))
    assert proof.run(3) == {"ok": 3}
    proof.restart()
    assert proof.run(40) == {"missing": 2}
    assert proof.rows()[-1] == (3, "missing", 2, "it is not here")


def test_root_of_other_events_is_found_over_a_restart(proof: Scene) -> None:
    """Leaves wait for their checkpoint in the store, not in the process."""
    events = proof.producer.seal(2)
    first, insider = proof.producer.cut(), Sealer(KEY, "shop/1")
    proof.producer.store_events(events, at(1))
    proof.producer.store_checkpoint(first, at(1))
    more = proof.producer.seal(2)
    insider.epoch, insider._seq, insider._prev = events[0].epoch, 2, events[1].tag
    insider.rotate(KEY)
    changed = list(more[0].fields)
    changed[SIGNED.index("decision.region")] = "us-east"
    anew = [insider.seal(changed), insider.seal(more[1].fields)]
    proof.producer.store_events(anew, at(2))
    assert proof.run(3) == {"ok": 4}
    proof.restart()
    proof.producer.store_checkpoint(proof.producer.cut(), at(4))
    assert proof.run(5) == {"rechained": 2}
    assert proof.totals() == {"ok": 4, "rechained": 2}


def test_checkpoint_that_nobody_signed_is_named(proof: Scene) -> None:
    """It proves nothing, and says that someone wanted it to."""
    proof.producer.store_events(proof.producer.seal(1), at(1))
    proof.write_keys(checkpoints=False)
    proof.producer.store_checkpoint(proof.producer.cut(), at(1))
    assert proof.run(2) == {"ok": 1, "forged_checkpoint": 1}


def test_word_on_a_stolen_key_is_taken_back(proof: Scene) -> None:
    """Events that were ok are not any more once the key they were sealed with is revoked."""
    proof.producer.store_events(proof.producer.seal(2), at(1))
    proof.run(2)
    proof.write_keys("revoked = true")
    proof.producer.store_events(proof.producer.seal(1), at(3))
    assert proof.run(4) == {"tampered": 1}
    assert proof.totals() == {"tampered": 3}


def test_pass_goes_no_further_than_the_store_has_come(proof: Scene) -> None:
    """An event that was received and waits to be stored is not passed by."""
    events = proof.producer.seal(2)
    proof.producer.store_events(events[1:], at(5))
    proof.stored_ns = at(3)
    assert proof.run(6) == {}
    proof.producer.store_events(events[:1], at(4))
    proof.stored_ns = at(6)
    assert proof.run(7) == {"ok": 2}


def test_late_insert_is_found_where_nobody_says_how_far_the_store_is(proof: Scene) -> None:
    """Of a store that others write to, the last half minute is read again; nothing counts twice."""
    events = proof.producer.seal(2)
    proof.producer.store_events(events[1:], at(5))
    config = ProvenanceConfig(keys_path=proof.keys)
    proof.job = ProvenanceJob(config, proof.store, proof.counters, proof.attributes)
    assert proof.run(6) == {"ok": 1}
    proof.producer.store_events(events[:1], at(4))
    assert proof.run(7) == {"reordered": 1}
    assert proof.run(8) == {}


def test_key_file_that_cannot_be_read_stops_a_pass_not_the_chain(proof: Scene) -> None:
    """A typing error in the file is told, and judging goes on where it was once it is mended."""
    proof.producer.store_events(proof.producer.seal(2), at(1))
    proof.run(2)
    proof.keys.write_text("nonsense = [")
    with pytest.raises(InputError, match="not TOML"):
        proof.run(3)
    assert "not TOML" in proof.job.keys_problem
    proof.keys.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        proof.run(3)
    assert "cannot be read" in proof.job.keys_problem
    proof.write_keys()
    proof.producer.store_events(proof.producer.seal(1), at(4))
    assert proof.run(5) == {"ok": 1}
    assert proof.job.keys_problem == ""


def test_key_ring_that_others_may_read_is_refused(proof: Scene) -> None:
    """Whoever reads it can seal; the public halves of checkpoints are for everybody."""
    proof.keys.chmod(0o644)
    with pytest.raises(ConfigError, match=r"may be read by others .mode 0644.; run `chmod 600"):
        read_ring(proof.keys)
    with pytest.raises(ConfigError, match="may be read by others"):
        proof.run(1)
    proof.keys.write_text(f'[[checkpoint]]\nkid = "a"\npublic = "{public_of(PRIVATE).hex()}"\n')
    assert read_ring(proof.keys)[1].checkpoints


def test_key_file_that_is_not_there_stops_the_start_with_a_remedy(tmp_path: Path) -> None:
    """One line that names the setting; `config check` says the same."""
    missing = tmp_path / "none.toml"
    with pytest.raises(InputError, match=r"provenance.keys_path .*none.toml: cannot be read"):
        read_ring(missing)
    missing.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        read_ring(missing)
    settings = Settings(provenance=ProvenanceConfig(keys_path=tmp_path / "other.toml"))
    with pytest.raises(InputError, match="correct the path"):
        settings.require_secrets()


def test_large_step_is_read_in_pages(proof: Scene) -> None:
    """A backlog is judged in bounded memory, and no chain is torn by it."""
    for number in range(3):
        proof.producer.store_events(proof.producer.seal(2), at(number + 1))
    proof.job.page_items = 2
    assert proof.run(5) == {"ok": 6}
