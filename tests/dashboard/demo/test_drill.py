"""A drill: what was done to a path, beside what was said of it."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from attribution.core.segments import SEGMENTS
from collector.core.errors import CaptureError, InputError
from collector.core.times import NS_PER_MS
from dashboard.cli.running.drill import Fault, impairment_of
from dashboard.demo.drill_report import SentDecision, StoredDecision, as_json, judge, true_times
from packet.lab.forwarder import FORWARDED, HEAD_BYTES, LOG_ROW, LOST
from packet.lab.network import LogRows
from tests.support.tree import ROOT

_MS = NS_PER_MS


def _row(arrived_ns: int, released_ns: int, way: int, payload: int = 100) -> bytes:
    ports = (40_000, 80) if way == 0 else (80, 40_000)
    frame = bytes(
        Ether() / IP() / TCP(sport=ports[0], dport=ports[1], flags="A") / Raw(b"x" * payload)
    )
    fate = FORWARDED if released_ns else LOST
    head = frame[:HEAD_BYTES].ljust(HEAD_BYTES, b"\0")
    return struct.pack(f"<QQBBH{HEAD_BYTES}s", arrived_ns, released_ns, way, fate, len(frame), head)


def _log(*rows: tuple[int, int, int]) -> LogRows:
    return np.frombuffer(b"".join(_row(*row) for row in sorted(rows)), LOG_ROW)


def _made(number: int, start_ns: int) -> SentDecision:
    return SentDecision(
        f"{number:032x}", start_ns, start_ns + 90 * _MS, start_ns + 9, start_ns + 19
    )


def _said(network_ns: int, compute_ns: int = 0, **proved: int) -> StoredDecision:
    segments = [0] * len(SEGMENTS)
    segments[SEGMENTS.index(("decision", "network"))] = network_ns
    segments[SEGMENTS.index(("decision", "compute"))] = compute_ns
    return StoredDecision(tuple(segments), proved, (("header", 1.0),))


def test_truth_is_from_the_first_that_came_to_the_last_that_left() -> None:
    """Both ways, what was lost waited for; acknowledgements are of no message."""
    rows = _log(
        (_MS, 0, 0), (3 * _MS, 4 * _MS, 0),  # lost, and sent again
        (10 * _MS, 13 * _MS, 1), (11 * _MS, 12 * _MS, 1),  # the second is released first
        (200 * _MS, 201 * _MS, 0),  # of nobody
    )  # fmt: skip
    acknowledgement = np.frombuffer(_row(90 * _MS, 99 * _MS, 1, payload=0), LOG_ROW)
    rows = np.sort(np.concatenate([rows, acknowledgement]), order="arrived_ns")
    (done,) = true_times([_made(1, 0)], rows)
    assert (done.network_ns, done.packets, done.lost, done.overtaken) == (6 * _MS, 4, 1, 1)


def _drilled(said_fault: StoredDecision, lost: bool = False) -> list[str]:
    made = [_made(number, number * 1_000 * _MS) for number in range(1, 5)]
    rows = []
    for place, each in enumerate(made):
        held = _MS if place < 2 else 11 * _MS
        at = each.start_ns + _MS
        rows += [(at, at + held, 0), (at + 20 * _MS, at + 20 * _MS + held, 1)]
        if lost and place >= 2:
            rows.append((at + 1, 0, 0))
    said = {each.trace_id: _said(2 * _MS, 5 * _MS) for each in made[:2]}
    said |= {each.trace_id: said_fault for each in made[2:]}
    drill = judge(made, said, _log(*rows), made[2].start_ns)
    assert (drill.sound.decisions, drill.fault.decisions) == (2, 2)
    assert drill.true_added_ns == 20 * _MS
    assert json.loads(json.dumps(as_json(drill)))["misses"] == drill.misses
    return drill.misses


def test_fault_that_is_named_as_it_was_has_no_miss() -> None:
    """The network grew by what the log says."""
    assert _drilled(_said(22 * _MS, 5 * _MS)) == []
    assert _drilled(_said(22 * _MS, retransmission=1), lost=True) == []


@pytest.mark.parametrize(
    ("said", "lost", "miss"),
    [
        (_said(2 * _MS, 25 * _MS), False, "decision/compute was blamed"),
        (_said(18 * _MS), False, "-4.000 ms too much or too little"),
        (_said(22 * _MS), True, "lost 2 packets, and no retransmission was said"),
        (StoredDecision(_said(22 * _MS).segments_ns, {}, ()), False, "linked to 2 of 4 decisions"),
    ],
)
def test_what_is_said_wrongly_is_a_miss(said: StoredDecision, lost: bool, miss: str) -> None:
    """Each in words that say what was and what was said."""
    assert any(miss in each for each in _drilled(said, lost))


@pytest.mark.parametrize("attributed", [0, 9, 18])
def test_drill_of_which_too_little_was_attributed_gives_no_verdict(attributed: int) -> None:
    """It blamed the first segment, and was "off from the log by 0.000 ms", over no decision."""
    made = [_made(number, number * 1_000 * _MS) for number in range(1, 21)]
    said = {each.trace_id: _said(2 * _MS) for each in made[:attributed]}
    with pytest.raises(CaptureError, match=rf"drill: {attributed} of 20 decisions were attributed"):
        judge(made, said, _log((_MS, 2 * _MS, 0)), made[10].start_ns)


def test_amount_has_the_unit_of_its_fault() -> None:
    """Half of the packets reordered is a path that nobody has; half a millisecond is one."""
    assert impairment_of(Fault.DELAY, 0.5, 1).delay_ns == 700_000
    assert impairment_of(Fault.LOSS, None, 3).loss_ratio == 0.02
    jitter = impairment_of(Fault.JITTER, 1.0, 1)
    assert (jitter.jitter_ns, jitter.delay_ns) == (_MS, 3_200_000)
    with pytest.raises(InputError, match=r"drill reorder: --amount is 0\.5; expected more than 0"):
        impairment_of(Fault.REORDER, 0.5, 1)
    with pytest.raises(InputError, match="drill delay: --amount is 0; expected more than 0"):
        impairment_of(Fault.DELAY, 0.0, 1)


@pytest.mark.integration
@pytest.mark.alone
def test_drill_runs_to_its_end_and_leaves_nothing_behind() -> None:
    """The real path, recorder and service: 25 ms each way are found, and on the right segment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.cli.main", "drill", "delay", "--amount", "25",
         "--decisions", "10", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    output, steps = process.communicate()
    told = json.loads(output)
    assert (process.returncode, told["misses"]) == (0, []), steps
    assert told["blamed"] == "decision/network"
    assert told["sound"]["linked"] == told["fault"]["linked"] == 10
    assert set(told["methods"]) == {"header"}
    assert told["true_added_ns"] >= 50 * _MS
    # To the tenth that a drill may be wrong by: a server that a busy machine stops behind its last
    # write ends its span while its answer is on the wire, and that time is the server's then.
    assert told["fault"]["proved_ns"]["rtt"] >= 45 * _MS, told["fault"]
    assert "drill: 10 decisions with the fault" in steps
    assert list(Path("/run/netns").glob(f"millworth-{process.pid}-*")) == []


@pytest.mark.integration
@pytest.mark.alone
def test_drill_that_is_ended_takes_its_namespaces_and_its_store_along(tmp_path: Path) -> None:
    """As a service manager, a time limit and a closed session end it."""
    process = subprocess.Popen(
        ["env", f"TMPDIR={tmp_path}", sys.executable, "-m", "dashboard.cli.main", "drill",
         "--decisions", "2000"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr as steps:
        assert any("2000 decisions" in step for step in steps)
        began = list(Path("/run/netns").glob(f"millworth-{process.pid}-*"))
        process.terminate()
        said = steps.read()
    assert (process.wait(), len(began)) == (128 + signal.SIGTERM, 2), said
    assert list(Path("/run/netns").glob(f"millworth-{process.pid}-*")) == []
    assert list(tmp_path.iterdir()) == []
