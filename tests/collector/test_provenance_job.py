from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from collector.clock import NS_PER_S
from collector.errors import ConfigError, InputError
from collector.provenance import Sealer
from collector.provenance_config import ProvenanceConfig
from collector.provenance_job import ProvenanceJob
from collector.provenance_keys import public_of, signer
from collector.provenance_ring import read_ring
from collector.schema import SIGNED
from dashboard.settings import Settings
from tests.builders import decision_span, span, store_request, trace_request
from tests.collector.provenance_scene import DAY_NS, KEY, PRIVATE, Scene, at
from tests.conftest import NOW_NS


def test_every_decision_gets_a_verdict_and_a_second_pass_says_the_same(scene: Scene) -> None:
    """Clean, forged and unsealed side by side, as stored values; sealed in Python, judged by SQL's
    rendering of it."""
    events = scene.producer.seal(4)
    forged = events[2]._replace(tag="0" * 32)
    scene.producer.store_events([*events[:2], forged, events[3]], at(1))
    store_request(scene.store, trace_request(decision_span(), span()), received_ns=at(1))
    assert scene.run(2) == {"ok": 3, "tampered": 1, "unsigned": 1}
    expected = [
        (-1, "unsigned", 1, "it has no seal"),
        (0, "ok", 1, ""),
        (1, "ok", 1, ""),
        (2, "tampered", 1, "its content or its seal was changed"),
        (3, "ok", 1, ""),
    ]
    assert scene.rows() == expected
    # A pass whose end was not remembered is done again, by a job that knows nothing of it.
    scene.store.client().command("TRUNCATE TABLE provenance_chains")
    scene.restart()
    assert scene.run(3) == {"ok": 3, "tampered": 1, "unsigned": 1}
    assert scene.rows() == expected
    assert scene.job.totals() == {"ok": 3, "tampered": 1, "unsigned": 1}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_seal_without_a_producer_or_an_epoch_holds_up_no_pass(
    scene: Scene, is_restarted: bool
) -> None:
    """Its kid is one of ours, and the place of the last pass lies under no producer."""
    events = scene.producer.seal(4)
    scene.producer.store_events(events[:1], at(1))
    assert scene.run(2) == {"ok": 1}
    blanks = [
        events[1]._replace(producer=""),
        events[2]._replace(epoch=""),
        events[3]._replace(producer="", epoch=""),
    ]
    scene.producer.store_events(blanks, at(3))
    if is_restarted:
        scene.restart()
    assert scene.run(4) == {"tampered": 3}
    assert {row[1:] for row in scene.rows()} == {
        ("ok", 1, ""),
        ("tampered", 1, "its seal is incomplete"),
    }
    scene.producer.store_events(events[1:], at(5))
    assert scene.run(6) == {"ok": 3}


def test_checkpoint_without_a_producer_is_bad_and_moves_no_place(scene: Scene) -> None:
    """Signed or not: its chain would be remembered where the pass itself is."""
    events = scene.producer.seal(1)
    blank = replace(scene.producer.cut(), producer="", epoch="")
    signed = replace(blank, signature=signer(PRIVATE)(blank.statement()).hex())
    scene.producer.store_checkpoint(signed, at(1))
    scene.producer.store_events(events, at(1))
    assert scene.run(2) == {"ok": 1, "forged_checkpoint": 1}
    scene.restart()
    assert scene.run(3) == {}
    rows = scene.store.client().query("SELECT producer FROM provenance_chains FINAL ORDER BY 1")
    assert [name for (name,) in rows.result_rows] == ["", "shop/1"]


def test_chain_goes_on_over_a_restart_and_a_late_event_amends_missing(scene: Scene) -> None:
    """A hole is found across a restart and across midnight, and is taken back by what it missed."""
    events = scene.producer.seal(10)
    scene.producer.store_events(events[:3], at(1))
    assert scene.run(2) == {"ok": 3}
    scene.restart()
    scene.producer.store_events(events[6:], at(3))
    assert scene.run(4) == {"ok": 4}
    scene.restart()
    assert scene.run(40) == {"missing": 3}
    assert (3, "missing", 3, "it is not here") in scene.rows()
    assert scene.totals() == {"ok": 7, "missing": 3}

    scene.restart()
    late_ns = NOW_NS + DAY_NS
    scene.producer.store_events(events[3:5], late_ns)
    report = scene.job.run_once(late_ns + NS_PER_S)
    assert report.verdicts == {"reordered": 2, "missing": 1}
    assert scene.totals() == {"ok": 7, "reordered": 2, "missing": 1}
    assert (5, "missing", 1, "it is not here") in scene.rows()


def test_duplicate_and_swap_are_told_apart(scene: Scene) -> None:
    """A retry of a sender is replayed and counts beside the event, which stays ok."""
    events = scene.producer.seal(3)
    scene.producer.store_events(events[:2], at(1))
    scene.producer.store_events([events[1], events[1]], at(2))
    scene.producer.store_events(events[2:], at(3))
    assert scene.run(4) == {"ok": 3, "retried": 2}
    assert scene.totals() == {"ok": 3, "retried": 2}


def test_cut_tail_is_missed_by_its_checkpoint(scene: Scene) -> None:
    """What was cut off at the end leaves no later event behind; the signed root tells."""
    events = scene.producer.seal(5)
    scene.producer.store_events(events[:3], at(1))
    scene.producer.store_checkpoint(scene.producer.cut(), at(2))
    assert scene.run(3) == {"ok": 3}
    scene.restart()
    assert scene.run(40) == {"missing": 2}
    assert scene.rows()[-1] == (3, "missing", 2, "it is not here")


def test_root_of_other_events_is_found_over_a_restart(scene: Scene) -> None:
    """Leaves wait for their checkpoint in the store, not in the process."""
    events = scene.producer.seal(2)
    first, insider = scene.producer.cut(), Sealer(KEY, "shop/1")
    scene.producer.store_events(events, at(1))
    scene.producer.store_checkpoint(first, at(1))
    more = scene.producer.seal(2)
    insider.epoch, insider._seq, insider._prev = events[0].epoch, 2, events[1].tag
    insider.rotate(KEY)
    changed = list(more[0].fields)
    changed[SIGNED.index("decision.region")] = "us-east"
    anew = [insider.seal(changed), insider.seal(more[1].fields)]
    scene.producer.store_events(anew, at(2))
    assert scene.run(3) == {"ok": 4}
    scene.restart()
    scene.producer.store_checkpoint(scene.producer.cut(), at(4))
    assert scene.run(5) == {"rechained": 2}
    assert scene.totals() == {"ok": 4, "rechained": 2}


def test_checkpoint_that_nobody_signed_is_named(scene: Scene) -> None:
    """It proves nothing, and says that someone wanted it to."""
    scene.producer.store_events(scene.producer.seal(1), at(1))
    scene.write_keys(checkpoints=False)
    scene.producer.store_checkpoint(scene.producer.cut(), at(1))
    assert scene.run(2) == {"ok": 1, "forged_checkpoint": 1}


def test_word_on_a_stolen_key_is_taken_back(scene: Scene) -> None:
    """Events that were ok are not any more once the key they were sealed with is revoked."""
    scene.producer.store_events(scene.producer.seal(2), at(1))
    scene.run(2)
    scene.write_keys("revoked = true")
    scene.producer.store_events(scene.producer.seal(1), at(3))
    assert scene.run(4) == {"tampered": 1}
    assert scene.totals() == {"tampered": 3}


def test_pass_goes_no_further_than_the_store_has_come(scene: Scene) -> None:
    """An event that was received and waits to be stored is not passed by."""
    events = scene.producer.seal(2)
    scene.producer.store_events(events[1:], at(5))
    scene.stored_ns = at(3)
    assert scene.run(6) == {}
    scene.producer.store_events(events[:1], at(4))
    scene.stored_ns = at(6)
    assert scene.run(7) == {"ok": 2}


def test_late_insert_is_found_where_nobody_says_how_far_the_store_is(scene: Scene) -> None:
    """Of a store that others write to, the last half minute is read again; nothing counts twice."""
    events = scene.producer.seal(2)
    scene.producer.store_events(events[1:], at(5))
    config = ProvenanceConfig(keys_path=scene.keys)
    scene.job = ProvenanceJob(config, scene.store, scene.counters, scene.attributes)
    assert scene.run(6) == {"ok": 1}
    scene.producer.store_events(events[:1], at(4))
    assert scene.run(7) == {"reordered": 1}
    assert scene.run(8) == {}


def test_key_file_that_cannot_be_read_stops_a_pass_not_the_chain(scene: Scene) -> None:
    """A typing error in the file is told, and judging goes on where it was once it is mended."""
    scene.producer.store_events(scene.producer.seal(2), at(1))
    scene.run(2)
    scene.keys.write_text("nonsense = [")
    with pytest.raises(InputError, match="not TOML"):
        scene.run(3)
    assert "not TOML" in scene.job.keys_problem
    scene.keys.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        scene.run(3)
    assert "cannot be read" in scene.job.keys_problem
    scene.write_keys()
    scene.producer.store_events(scene.producer.seal(1), at(4))
    assert scene.run(5) == {"ok": 1}
    assert scene.job.keys_problem == ""


def test_key_ring_that_others_may_read_is_refused(scene: Scene) -> None:
    """Whoever reads it can seal; the public halves of checkpoints are for everybody."""
    scene.keys.chmod(0o644)
    with pytest.raises(ConfigError, match=r"may be read by others .mode 0644.; run `chmod 600"):
        read_ring(scene.keys)
    with pytest.raises(ConfigError, match="may be read by others"):
        scene.run(1)
    scene.keys.write_text(f'[[checkpoint]]\nkid = "a"\npublic = "{public_of(PRIVATE).hex()}"\n')
    assert read_ring(scene.keys)[1].checkpoints


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


def test_large_step_is_read_in_pages(scene: Scene) -> None:
    """A backlog is judged in bounded memory, and no chain is torn by it."""
    for number in range(3):
        scene.producer.store_events(scene.producer.seal(2), at(number + 1))
    scene.job.page_items = 2
    assert scene.run(5) == {"ok": 6}
