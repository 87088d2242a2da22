from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typer.testing import CliRunner, Result

from collector.bench.provenance.chains import RING, sealed_chain
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.errors import InputError
from collector.instrument import DecisionInstrument, DecisionSeal, MacKey
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import Event, Sealer
from collector.provenance.export_file import write_line
from collector.provenance.keyring import KeyRing, public_of, read_keys, signer
from collector.provenance.live.job import ProvenanceJob
from collector.provenance.verify import Verdict, Verifier
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.client import ApiClient
from dashboard.cli.main import app
from dashboard.cli.verify.main import show_verdicts
from dashboard.cli.verify.sealed_items import stored_items
from dashboard.health.items import NoHealth
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, logs_request, store_request, trace_request
from tests.support.collector.provenance_scene import OUTCOMES, Scene, at, sealed_records
from tests.support.dashboard.fixtures import Run

PRIVATE = bytes(range(32))
KEYS = f"""
[[mac]]
kid = "shop-1"
secret = "{bytes(range(1, 33)).hex()}"
[[mac]]
kid = "shop-2"
secret = "{bytes(range(2, 34)).hex()}"
[[checkpoint]]
kid = "audit"
public = "{public_of(PRIVATE).hex()}"
"""


class OldAnchor:
    """A clock that moves a microsecond at each reading."""

    anchor_id = "first"
    bracket_ns = 100

    def __init__(self) -> None:
        self.ns = NOW_NS

    def now_ns(self) -> int:
        """Return the next microsecond."""
        self.ns += 1000
        return self.ns


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Return a key ring on disk."""
    path = tmp_path / "keys.toml"
    path.touch(mode=0o600)
    path.write_text(KEYS)
    return path


def export_file(folder: Path, items: Sequence[Event | Checkpoint]) -> Path:
    """Write an export."""
    path = folder / "export.jsonl"
    path.write_text("".join(write_line(item) for item in items))
    return path


def verify(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["verify", "provenance", *map(str, arguments)])


def test_clean_export_is_verified_without_a_service(tmp_path: Path, keys: Path) -> None:
    """An auditor has a file, the keys and nothing else."""
    events, checkpoints = sealed_chain(random.Random(1), 300)
    result = verify(export_file(tmp_path, [*events, *checkpoints]), "--keys", keys)
    assert result.exit_code == 0, result.output
    assert "300 events, 2 checkpoints: 300 ok" in result.output


def test_finding_ends_with_1_and_names_the_event(tmp_path: Path, keys: Path) -> None:
    """A script stops at it, and a person sees which event it was."""
    events, checkpoints = sealed_chain(random.Random(1), 20)
    path = export_file(tmp_path, [*events[:4], *events[5:], *checkpoints])
    result = verify(path, "--keys", keys)
    assert result.exit_code == 1
    assert f'missing: "shop/1" epoch "{events[0].epoch}" event 4: ' in result.output

    answer = json.loads(verify(path, "--keys", keys, "--json").stdout)
    assert answer["verdicts"]["missing"] == 1
    (finding,) = answer["findings"]
    assert (finding["first_seq"], finding["last_seq"]) == (4, 4)


def test_forged_name_does_not_reach_the_terminal_as_it_is(tmp_path: Path, keys: Path) -> None:
    """An escape sequence in a name could hide the line that names it."""
    (event,), _ = sealed_chain(random.Random(1), 1)
    path = export_file(tmp_path, [event._replace(producer="\x1b[2K", kid="\x1b[1A")])
    result = verify(path, "--keys", keys)
    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_line_that_stands_twice_is_a_retry_and_another_of_its_number_is_not(
    tmp_path: Path, keys: Path
) -> None:
    """An honest sender's retry ended with 1; who has the key may seal a number twice."""
    events, checkpoints = sealed_chain(random.Random(1), 9)
    path = export_file(tmp_path, [*events, events[3], *checkpoints])
    result = verify(path, "--keys", keys)
    assert result.exit_code == 0, result.output
    assert "1 retried" in result.output
    fork = Sealer(RING.macs["shop-1"], "shop/1")
    fork.epoch = events[0].epoch
    fork.rotate(RING.macs["shop-1"])
    other = fork.seal(events[1].fields)
    path.unlink()
    path = export_file(tmp_path, [*events, events[0], other, *checkpoints])
    answer = json.loads(verify(path, "--keys", keys, "--json").stdout)
    assert (answer["verdicts"]["replayed"], answer["verdicts"]["retried"]) == (2, 0)


def test_unsigned_events_are_found_unless_they_are_allowed(tmp_path: Path, keys: Path) -> None:
    """Who strips every seal must not pass for a service that never sealed."""
    path = tmp_path / "export.jsonl"
    path.write_text('{"event": {"decision.action": "offer"}}\n')
    assert verify(path, "--keys", keys).exit_code == 1
    assert verify(path, "--keys", keys, "--allow-unsigned").exit_code == 0


def test_wrong_use_names_the_remedy(tmp_path: Path, keys: Path) -> None:
    """What is no export is never reported as clean."""
    path = tmp_path / "export.jsonl"
    path.write_text("not JSON\n")
    with pytest.raises(InputError, match="line 1"):
        raise verify(path, "--keys", keys).exception or AssertionError
    with pytest.raises(InputError, match="cannot be read"):
        raise verify(tmp_path / "none", "--keys", keys).exception or AssertionError
    with pytest.raises(InputError, match="--keys names the key ring"):
        raise verify(path).exception or AssertionError
    with pytest.raises(InputError, match="leave FILE or --export"):
        raise verify(path, "--keys", keys, "--export", path).exception or AssertionError


def sealed_by_a_service(store: Connections, count: int) -> KeyRing:
    """Let a service decide, and store what it exported; return the keys that verify it."""
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # of OpenTelemetry
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    key = MacKey("shop-1", bytes(range(1, 33)))
    seal = DecisionSeal(
        key,
        "shop/1",
        sign=signer(PRIVATE),
        sign_kid="audit",
        logger=provider.get_logger("shop"),
    )
    instrument = DecisionInstrument(
        spans,
        Resource({"service.name": "shop"}),
        export_every_s=3600,
        anchor=OldAnchor,
        kernel=lambda: None,
        seal=seal,
    )
    for number in range(count):
        with instrument.begin("offer", region="köln", outcome_key=f"order-{number}") as decision:
            decision.set_attribute("decision.vendor", [0.1, True, None, 7][number % 4])
            decision.stage("decision")
            decision.set(value_usd=f"{number}.50", injected_delay_ns=number)
    instrument.shutdown()
    finished = spans.get_finished_spans()
    for first in range(0, count, 5):
        request = encode_spans(finished[first : first + 5])
        store_request(store, request, received_ns=NOW_NS + 1_000_000_000 + first)
    records = encode_logs(logs.get_finished_logs())
    for resource_logs in records.resource_logs:
        for record in resource_logs.scope_logs[0].log_records:
            record.observed_time_unix_nano = NOW_NS
    store_request(store, records, received_ns=NOW_NS + 1_000_000_000)
    return read_keys(KEYS, "keys.toml")


def api_of(store: Connections, clock: ManualClock | None = None) -> ApiClient:
    """Return the API over one store."""
    api = create_api(AppContext(store, NoHealth(), Counters(), clock or SystemClock()))
    return ApiClient("http://local", api, None)


def test_stored_decisions_verify_as_they_were_sealed(store: Connections) -> None:
    """Sealed in Python, stored through the views, read back as SQL renders it: the same text."""
    ring = sealed_by_a_service(store, 23)
    store_request(store, trace_request(decision_span()))
    verifier = Verifier(ring.macs, ring.check, arrival=True)
    items = list(stored_items(api_of(store), page_rows=4))
    verifier.take(item for item in items if isinstance(item, Event))
    for item in items:
        if isinstance(item, Checkpoint):
            verifier.take_checkpoint(item)
    report = verifier.finish()
    assert dict(report.verdicts) == {Verdict.OK: 23, Verdict.UNSIGNED: 1}
    assert (report.checkpoints, report.unproven, report.open_chains) == (1, 0, 0)


def test_export_of_a_store_is_verified_wherever_it_is_carried(
    run: Run, store: Connections, tmp_path: Path
) -> None:
    """The command refused each file that it had written of a store, which says when it came."""
    producer, keys = Scene(store, tmp_path).producer, str(tmp_path / "keys.toml")
    for place in range(4):
        producer.store_events(producer.seal(3, "3.50"), at(1 + place))
    producer.store_checkpoint(producer.cut(), at(5))
    store_request(store, logs_request(*sealed_records()), received_ns=at(6))
    path = tmp_path / "export.jsonl"
    written = run("verify", "provenance", "--keys", keys, "--export", str(path), "--json")
    events = 12 + OUTCOMES
    assert json.loads(written.stdout)["verdicts"]["ok"] == events
    lines = path.read_text().splitlines()
    arrived = [json.loads(line).get("received_ns") for line in lines]
    assert arrived.count(str(at(1))) == 3
    assert arrived.count(str(at(6))) == OUTCOMES

    changed = [line.replace('"3.50"', '"9.50"', place == 2) for place, line in enumerate(lines)]
    for told, verdict in ((lines, ""), (changed, "tampered"), (lines[:2] + lines[3:], "missing")):
        path.write_text("\n".join(told))
        for order in ((), ("--arrival",)):
            found = verify(path, "--keys", keys, *order, "--json")
            verdicts = {each: n for each, n in json.loads(found.stdout)["verdicts"].items() if n}
            expected = {"ok": events - 1, verdict: 1} if verdict else {"ok": events}
            assert (found.exit_code, verdicts) == (int(bool(verdict)), expected)


def test_change_in_the_store_is_found(store: Connections) -> None:
    """Whoever may write to the store cannot make a slow decision fast unseen."""
    ring = sealed_by_a_service(store, 5)
    rows: list[Any] = list(stored_items(api_of(store)))
    events = [row for row in rows if isinstance(row, Event)]
    store.client().command(
        "ALTER TABLE otel_traces UPDATE Duration = 1 WHERE SpanAttributes['provenance.seq'] = '3' "
        "SETTINGS mutations_sync = 1"
    )
    verifier = Verifier(ring.macs, ring.check, arrival=True)
    verifier.take(item for item in stored_items(api_of(store)) if isinstance(item, Event))
    (finding,) = verifier.finish().findings
    assert (finding.verdict, finding.first_seq) == (Verdict.TAMPERED, 3)
    assert finding.trace_id == events[3].fields[0]


def test_what_the_service_said_is_read_back(
    store: Connections, tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdicts of arrival are one call away, for a person and for a machine."""
    sealed_by_a_service(store, 5)
    store_request(store, trace_request(decision_span()), received_ns=NOW_NS + 1_000_000_000)
    store.client().command(
        "ALTER TABLE otel_traces UPDATE Duration = 1 WHERE SpanAttributes['provenance.seq'] = '3' "
        "SETTINGS mutations_sync = 1"
    )
    config = ProvenanceConfig(keys_path=keys)
    job = ProvenanceJob(config, store, Counters(), AttributesConfig(), lambda: 2**62)
    job.run_once(NOW_NS + 2_000_000_000)
    api = api_of(store, ManualClock(NOW_NS + 3_000_000_000))
    said = api.get("/api/v1/provenance?window=1h")
    assert {each["verdict"]: each["events"] for each in said["counts"]} == {
        "ok": 4,
        "tampered": 1,
        "unsigned": 1,
    }
    assert [(f["verdict"], f["first_seq"], f["last_seq"]) for f in said["findings"]] == [
        ("tampered", 3, 3)
    ]
    assert show_verdicts(said, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "judged as they arrived: 4 ok, 1 tampered, 1 unsigned"
    assert lines[1].startswith('tampered: "shop/1" epoch "')
    assert not show_verdicts(api.get("/api/v1/provenance?window=1s"), as_json=True)
    assert json.loads(capsys.readouterr().out)["findings"] == []
    required = api.get("/api/v1/provenance?window=1h&unsigned=1")
    assert {f["verdict"] for f in required["findings"]} == {"tampered", "unsigned"}
