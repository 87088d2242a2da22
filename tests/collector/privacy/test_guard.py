"""Keys: where they come from, who may read them, and what is in the way of a start without them."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from google.protobuf.message import Message
from pydantic import SecretStr

from collector.core.config import AttributesConfig, CollectorConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError
from collector.core.key_files import made_keys_file, parse_keys, read_keys_file
from collector.core.times import NS_PER_DAY
from collector.imports.outcomes import import_outcomes
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.privacy.known_keys import KIDS_FILE
from collector.privacy.rules import EncryptionConfig, IdentifiersConfig
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    decision_span,
    logs_request,
    outcome,
    store_request,
    trace_request,
)
from tests.support.collector.clients import WAIT_S, post

HEX = "00" * 32


def opened(directory: Path, **settings: object) -> Protection:
    """Return a protection over a directory, opened."""
    made = Protection(IdentifiersConfig.model_validate(settings))
    made.open(directory)
    return made


def test_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    """Tokens stay the same over a restart, and nobody else can make them."""
    first = opened(tmp_path).replace("user.id", "7", NOW_NS)
    path = tmp_path / "identifiers.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert opened(tmp_path).replace("user.id", "7", NOW_NS) == first
    assert {entry.name for entry in tmp_path.iterdir()} == {"identifiers.key", KIDS_FILE}


def test_configured_key_is_taken_and_none_is_made(tmp_path: Path) -> None:
    """Several collectors make the same tokens by the same key."""
    keys = f"k2:{'22' * 32},k1:{HEX}"
    token = opened(tmp_path, keys=keys).replace("user.id", "7", NOW_NS)
    assert token.startswith("tok_k2-")
    assert [entry.name for entry in tmp_path.iterdir()] == [KIDS_FILE]

    path = tmp_path / "keys"
    path.write_text(f"# newest first\nk2:{'22' * 32}\nk1:{HEX}\n")
    path.chmod(0o600)
    assert opened(tmp_path, keys_path=path).replace("user.id", "7", NOW_NS) == token


def test_what_is_in_force_is_said_without_making_a_key(tmp_path: Path) -> None:
    """A doctor looks and leaves nothing behind."""
    rules = [{"attribute": "a", "action": "drop"}]
    made = Protection(IdentifiersConfig.model_validate({"rules": rules}))
    assert made.describe(tmp_path) == (
        f"replaced by the shipped rules and 1 of yours, tokens by {tmp_path / 'identifiers.key'}, "
        "which is not there yet; the log is not encrypted"
    )
    off = IdentifiersConfig(enabled=False)
    encrypted = Protection(off, EncryptionConfig(keys=SecretStr(f"e1:{HEX}")))
    assert encrypted.describe(tmp_path) == "not replaced; the log is encrypted"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 1 is not kid:64 hex digits"),
        ("k1:abcd", "key 1 is not kid:64 hex digits"),
        (f"k1:{HEX},K2:{HEX}", "key 2 is not kid:64 hex digits"),
        (f"k1:{HEX},k1:{HEX}", "kid k1 stands twice"),
    ],
)
def test_key_that_is_none_is_refused_without_being_shown(text: str, message: str) -> None:
    """A message ends in a log, and a nearly right key is a key."""
    with pytest.raises(ConfigError, match=message) as raised:
        parse_keys(text, "identifiers.keys")
    assert HEX not in str(raised.value)


def test_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """As ssh does it: what others could have read is no secret."""
    path = tmp_path / "keys"
    path.write_text(f"k1:{HEX}\n")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"may be read by others .mode 0640.; run `chmod 600"):
        read_keys_file(path, "encryption.keys_path")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_keys_file(tmp_path / "none", "encryption.keys_path")
    with pytest.raises(ConfigError, match="cannot be made: No such file"):
        made_keys_file(tmp_path / "none" / "key", "the key")


def test_key_that_is_gone_beside_what_is_stored_stops_the_start(
    store: Connections, tmp_path: Path
) -> None:
    """A new one would be another person for each; nobody would be told that tokens stop joining."""

    def start() -> str:
        made = Protection(store=store)
        made.open(tmp_path)
        return made.replace("user.id", "7", NOW_NS)

    token = start()  # nothing is stored yet
    path = tmp_path / "identifiers.key"
    store_request(store, trace_request(decision_span()))
    assert start() == token
    kept = path.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"identifiers.key is not there.*put it back from"):
            start()
        with pytest.raises(ConfigError, match=r"identifiers.key is not there"):
            Protection(store=store).describe(tmp_path)  # `doctor` said that all is well
    assert not path.exists()
    kept.rename(path)
    assert start() == token
    path.write_text(f"b1:{HEX}\n")  # as the message says, once it is lost for good
    assert start().startswith("tok_b1-")


def test_command_makes_no_key(tmp_path: Path) -> None:
    """It would answer a person's question by tokens that no row has."""
    late = Protection(directory=tmp_path / "wal")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"identifiers.key is not there"):
            late.tokens("alice", NOW_NS)
    opened(tmp_path / "wal").replace("user.id", "7", NOW_NS)
    assert late.tokens("alice", NOW_NS)


def test_two_sources_of_keys_are_one_too_many(tmp_path: Path) -> None:
    """Whoever sets both would not know which of them holds."""
    with pytest.raises(ConfigError, match="identifiers: both keys and keys_path are given"):
        opened(tmp_path, keys=f"k1:{HEX}", keys_path=tmp_path / "keys")


def test_command_reads_keys_only_where_it_needs_them(tmp_path: Path) -> None:
    """`millworth query` runs in a shell that knows no secrets."""
    missing = EncryptionConfig(keys_path=tmp_path / "none")
    late = Protection(None, missing, directory=tmp_path / "wal")
    assert not (tmp_path / "wal").exists()
    with pytest.raises(ConfigError, match=r"encryption.keys_path: .* cannot be read"):
        late.replace("user.id", "7", NOW_NS)


def test_replaced_join_key_joins_spans_log_records_and_files(
    store: Connections, tmp_path: Path
) -> None:
    """A decision finds what it earned, though nobody can read the order's number any more."""
    rules = [
        {"attribute": "decision.id", "action": "tokenise"},
        {"attribute": "outcome.key", "action": "hash"},
    ]
    names = AttributesConfig(map={"outcome.key": "shop.order"})
    made = Protection(IdentifiersConfig.model_validate({"rules": rules}), attributes=names)
    made.open(tmp_path)

    def send(request: Message, signal: Signal) -> None:
        body = made.rewrite(signal, request.SerializeToString(), NOW_NS)
        store_request(store, signal.request_class.FromString(body))

    root = decision_span(decision_id="order-7", attributes={"outcome.key": "alice@example.com"})
    send(trace_request(root), Signal.TRACES)
    send(
        logs_request(outcome(outcome_id="o1", decision_id="order-7", outcome_key="order-7")),
        Signal.LOGS,
    )
    csv = (
        "outcome_id,occurred_at,decision_id,outcome_key\n"
        f"o2,{NOW_NS},order-7,\n"
        f"o3,{NOW_NS},,alice@example.com\n"
    )
    import_outcomes(store.client(), "f.csv", csv.encode(), "USD", ManualClock(), made.replace)

    decision_id = made.replace("decision.id", "order-7", NOW_NS)
    key = made.replace("shop.order", "alice@example.com", NOW_NS)
    client = store.client()
    assert client.query("SELECT decision_id, outcome_key FROM decisions").result_rows == [
        (decision_id, key)
    ]
    found = client.query(
        "SELECT outcome_id, decision_id, outcome_key FROM outcomes ORDER BY outcome_id"
    ).result_rows
    assert found == [
        ("o1", decision_id, made.replace("outcome.key", "order-7", NOW_NS)),
        ("o2", decision_id, ""),
        ("o3", "", key),
    ]
    assert {decision_id[:7], key[:7]} == {"key_a1_"}


def test_batch_that_is_sent_again_over_a_rotation_counts_once(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """The retry has other tokens, and the same ids by which everything is counted."""
    rules = [{"attribute": "decision.id", "action": "tokenise"}]
    made = Protection(IdentifiersConfig.model_validate({"rules": rules, "rotation_days": 1}))
    service = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0),
        store,
        tmp_path / "wal",
        Counters(),
        clock,
        protection=made,
    )
    service.start()
    root = decision_span(decision_id="order-7", attributes={"user.id": "alice"})
    with httpx.Client(
        base_url=f"http://127.0.0.1:{service.http_port}", timeout=WAIT_S, trust_env=False
    ) as http:
        for day in range(2):
            clock.ns = NOW_NS + day * NS_PER_DAY
            for _ in range(2):
                assert post(http, trace_request(root)).status_code == 200
    assert service.stop(WAIT_S)

    client = store.client()
    tokens = client.query("SELECT DISTINCT SpanAttributes['user.id'] FROM otel_traces").result_rows
    ids = client.query("SELECT DISTINCT TraceId, SpanId FROM otel_traces").result_rows
    assert len(tokens) == 2
    assert ids == [(root.trace_id.hex(), root.span_id.hex())]
    decisions = client.query("SELECT decision_id FROM decisions FINAL").result_rows
    assert decisions == [(made.replace("decision.id", "order-7", NOW_NS),)]
