"""What another implementation seals is ok here, and what is sealed here it verifies."""

from __future__ import annotations

import ast
import random
import struct
import sys
from pathlib import Path

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.bench.provenance.chains import PRIVATE, RING, sealed_chain
from collector.core.times import NS_PER_MS
from collector.provenance.checkpoint import CHECKPOINT_EVENT
from collector.provenance.event import event_of
from collector.provenance.export_file import write_line
from collector.provenance.keyring import public_of
from collector.provenance.records import checkpoint_of
from collector.provenance.verify import Verdict, Verifier
from dashboard.read.sealed.store import SealedStore
from tests.conftest import NOW_NS
from tests.support.builders import key_values, logs_request, span, store_request, trace_request
from tests.support.collector import independent_provenance
from tests.support.collector.independent_provenance import ATTRIBUTES, Producer, verify
from tests.support.collector.provenance_scene import KEY, Scene, at

EVENTS = 10_000
A_REQUEST = 500
NUMBERS = (
    0.0, -0.0, 1.0, 100.0, 0.1, 1e-6, 1e-7, 2.5e-5, 2.5e-7, 9.99e-7, 1e16, 1e20, 1e21, 1.5e21,
    123456789.123456789, 5e-324, 1.7976931348623157e308, -1e-7, 2**53 + 2.0, float("nan"),
    float("inf"), float("-inf"), 0, -1, 2**63 - 1, -(2**63), "4.20", "4.2", "1e3", True, False,
)  # fmt: skip
TEXTS = (
    "",
    "köln",
    "ko\u0308ln",
    "東京",
    "a,b:c",
    "0:,",
    "\u2028",
    "x" * 3_000,
    "\U0001f600",
    "'\\\"\n",
)


def value(dice: random.Random) -> object:
    """Return a value as a producer may send it: any number, any text, or none."""
    kind = dice.randrange(8)
    if kind < 2:
        return dice.choice(NUMBERS)
    if kind == 2:
        return struct.unpack("<d", dice.randbytes(8))[0]
    if kind == 3:
        return dice.choice((dice.randint(-(2**63), 2**63 - 1), dice.uniform(-1e4, 1e4)))
    if kind == 4:
        return None
    return dice.choice(TEXTS) + "".join(
        chr(dice.randrange(1, 0xD7FF)) for _ in range(dice.randrange(4))
    )


def test_its_source_imports_nothing_of_ours() -> None:
    """Else it would show nothing."""
    tree = ast.parse(Path(independent_provenance.__file__).read_text())
    names = {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    } | {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert names <= sys.stdlib_module_names | {"cryptography"}


def test_what_another_producer_seals_is_ok_and_comes_back_as_it_was_sealed(proof: Scene) -> None:
    """Random events with numbers in every form: judged as they arrive, and by both verifiers."""
    dice = random.Random(7)
    producer = Producer(KEY.secret, KEY.kid, "théâtre/1", "0123456789abcdef", PRIVATE, "audit")
    records = []
    for begin in range(0, EVENTS, A_REQUEST):
        spans = []
        for number in range(begin, begin + A_REQUEST):
            start_ns = NOW_NS + number
            ids = f"{dice.getrandbits(128):032x}", f"{dice.getrandbits(64) | 1:016x}"
            attributes = {name: value(dice) for name in ATTRIBUTES[1:14]}
            attributes["decision.schema"] = "1"
            attributes["decision.action"] = "offer"
            attributes["decision.ts.ingress"] = dice.choice((start_ns, str(start_ns)))
            own = {
                "trace_id": ids[0],
                "span_id": ids[1],
                "start_ns": str(start_ns),
                "end_ns": str(start_ns + 5 * NS_PER_MS),
                "status": "Unset",
            }
            sealed = producer.seal(own, attributes)
            sent = {name: each for name, each in attributes.items() if each is not None}
            spans.append(
                span(
                    trace_id=ids[0],
                    span_id=ids[1],
                    start_ns=start_ns,
                    duration_ns=5 * NS_PER_MS,
                    attributes={**sent, **sealed},
                )
            )
            if len(producer.leaves) == 256:
                records.append(producer.checkpoint())
        store_request(proof.store, trace_request(*spans), received_ns=at(1) + begin)
    records.append(producer.checkpoint(closing=True))
    told = [
        LogRecord(time_unix_nano=NOW_NS, event_name=CHECKPOINT_EVENT, attributes=key_values(each))
        for each in records
    ]
    store_request(proof.store, logs_request(*told), received_ns=at(2))
    assert proof.run(3) == {"ok": EVENTS}
    assert proof.run(60) == {}

    sealed_store = SealedStore(proof.store)
    events = [event_of(each) for each in sealed_store.events(0, 2 * EVENTS).items]
    assert len(events) == EVENTS
    verifier = Verifier({KEY.kid: KEY})
    verifier.take(events)
    assert verifier.finish().verdicts == {Verdict.OK: EVENTS}
    lines = [write_line(each) for each in events]
    lines += [write_line(checkpoint_of(each)) for each in records]
    keys = {KEY.kid: KEY.secret}, {"audit": public_of(PRIVATE)}
    assert verify(lines, *keys) == []
    spoilt = lines[4_321].replace('"decision.action": "offer"', '"decision.action": "offers"')
    assert len(verify([*lines[:4_321], spoilt, *lines[4_322:]], *keys)) == 2  # and its root


def test_what_is_sealed_here_another_verifier_takes() -> None:
    """The other way round, with a key that was rotated half way, and a closing checkpoint."""
    events, checkpoints = sealed_chain(random.Random(3), 700)
    lines = [*map(write_line, events), *map(write_line, checkpoints)]
    secrets = {kid: key.secret for kid, key in RING.macs.items()}
    publics = {kid: key.public for kid, key in RING.checkpoints.items()}
    assert verify(lines, secrets, publics) == []
    assert len(verify([*lines[:9], *lines[10:]], secrets, publics)) >= 1
