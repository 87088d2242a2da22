"""What a start writes into the audit of its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery.demo_receiver import new_secret
from collector.audit.log import check_audit, read_audit
from collector.audit.seal import KEY_FILE
from collector.store.connect import Connections
from dashboard.service.audit import note_start
from dashboard.settings.settings import load
from tests.conftest import NOW_NS

Start = Callable[..., list[list[str]]]


@pytest.fixture
def start(store: Connections, tmp_path: Path) -> Start:
    """Return what starts with settings, and returns what each start so far said has changed."""

    def started(**settings: object) -> list[list[str]]:
        given = {"collector": {"wal_dir": str(tmp_path)}, **settings}
        note_start(store, load(overrides=given, environment={}).settings, NOW_NS)
        return [detail["changed"] for detail in configured(store)]

    return started


def configured(store: Connections) -> list[dict[str, Any]]:
    """Return what each row about settings holds."""
    rows = read_audit(store.client())
    return [json.loads(row.detail) for row in rows if row.action == "configured"]


def webhooks(*secrets: str) -> dict[str, Any]:
    """Return receivers with these secrets."""
    return {
        "webhooks": [
            {"name": f"r{place}", "url": "https://r.example.com/", "secret": secret}
            for place, secret in enumerate(secrets)
        ]
    }


def test_secret_that_was_replaced_is_named_and_one_that_stays_is_not(start: Start) -> None:
    """Who takes over the signing of webhooks left no trace: one masked value is as another."""
    first, second, other = new_secret(), new_secret(), new_secret()
    assert start(alerts=webhooks(first, second)) == [[]]
    assert start(alerts=webhooks(first, second)) == [[]]
    assert start(alerts=webhooks(first, other))[1:] == [["alerts.webhooks.1.secret"]]
    assert start(alerts=webhooks(first, other))[2:] == []
    both = ["alerts.webhooks.0.secret", "alerts.webhooks.1.secret"]
    assert start(alerts=webhooks(other, first))[2:] == [both]


@pytest.mark.parametrize(
    ("section", "key", "texts"),
    [
        ("access", "token", ("mwt_" + "a" * 40, "mwt_" + "b" * 40)),
        ("identifiers", "keys", ("a1:" + "ab" * 32, "a1:" + "cd" * 32)),
        ("encryption", "keys", ("a1:" + "ab" * 32, "a1:" + "cd" * 32)),
        ("store", "url", ("http://u:hunter2@db:8123", "http://u:hunter3@db:8123")),
        ("store", "url", ("http://db/?password=hunter2", "http://db/?password=hunter3")),
    ],
)
def test_whatever_is_masked_is_compared(
    start: Start, section: str, key: str, texts: tuple[str, str]
) -> None:
    """A password in an address, tokens and keys: all of them are shown as the same stars."""
    for text in texts:
        changed = start(**{section: {key: text}})
    assert changed == [[], [f"{section}.{key}"]]


def test_audit_tells_no_secret_to_whoever_guesses(
    start: Start, store: Connections, tmp_path: Path
) -> None:
    """A plain digest of a short password is found by trying; the key is not in the store."""
    url = "http://u:hunter2@db:8123"
    start(store={"url": url}, access={"token": "hunter2"})
    (detail,) = configured(store)
    [own] = detail["marks"].values()
    assert own.keys() == {"store.url", "access.token"}
    text = json.dumps(detail)
    assert "hunter2" not in text
    for guess in (url, "hunter2", json.dumps(url), '"hunter2"'):
        for name in ("", "store.url", "access.token"):
            for covered in (guess, f"{name}{guess}", f"{name}\0{guess}", f"{name}={guess}"):
                assert hashlib.sha256(covered.encode()).hexdigest() not in text
    # With another key the marks of the same secrets are others.
    (tmp_path / KEY_FILE).write_text("a1:" + "ab" * 32)
    start(store={"url": url}, access={"token": "hunter2"})
    # Which of the two stands first is chance: they go by the name of a key that was drawn.
    [second] = [each for each in configured(store)[-1]["marks"].values() if each != own]
    assert {*own.values()}.isdisjoint(second.values())


def test_row_of_an_earlier_release_is_followed_by_one_that_secrets_are_compared_with(
    start: Start, store: Connections
) -> None:
    """It holds no mark, so nothing is said of what is masked until the next start."""
    first, second = new_secret(), new_secret()
    start(alerts=webhooks(first))
    client = store.client()
    client.command(
        "ALTER TABLE audit UPDATE detail = replaceRegexpOne(detail, '\"marks\": {[^}]*}}, ', '') "
        "WHERE action = 'configured' SETTINGS mutations_sync = 1"
    )
    assert "marks" not in configured(store)[0]
    assert start(alerts=webhooks(first)) == [[], []]
    assert start(alerts=webhooks(second))[2:] == [["alerts.webhooks.0.secret"]]


def test_marks_are_sealed_with_their_row(start: Start, store: Connections) -> None:
    """Who may write to the store cannot put those of another secret there."""
    start(alerts=webhooks(new_secret()))
    assert check_audit(read_audit(store.client()), store.audit_seal).broken_seq is None
    store.client().command(
        "ALTER TABLE audit UPDATE detail = replaceRegexpOne(detail, 'a1:[0-9a-f]{8}', 'a1:00') "
        "WHERE action = 'configured' SETTINGS mutations_sync = 1"
    )
    found = check_audit(read_audit(store.client()), store.audit_seal)
    assert found.reason == "it was changed"


def test_machine_beside_it_names_no_secret_that_is_the_same(
    store: Connections, tmp_path: Path
) -> None:
    """Each has a key of its own, by which it cannot tell what the other has."""
    given, other = webhooks(new_secret()), webhooks(new_secret())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for wal, alerts in (("a", given), ("b", given), ("a", given), ("a", other)):
        settings = {"collector": {"wal_dir": str(tmp_path / wal)}, "alerts": alerts}
        note_start(store, load(overrides=settings, environment={}).settings, NOW_NS)
    named = [[name for name in row["changed"] if "secret" in name] for row in configured(store)]
    assert named == [[], [], [], ["alerts.webhooks.0.secret"]]
