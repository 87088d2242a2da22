"""`millworth identifiers`: what a value has become in what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.core.clock import SystemClock
from collector.core.errors import ConfigError, InputError
from collector.core.times import NS_PER_DAY
from collector.privacy.guard import Protection
from collector.privacy.rules import IdentifiersConfig
from dashboard.cli.admin.identifiers import identifiers_app
from dashboard.cli.main import app

HEX = "00" * 32


def opened(directory: Path, **settings: object) -> Protection:
    """Return a protection over a directory, opened."""
    made = Protection(IdentifiersConfig.model_validate(settings))
    made.open(directory)
    return made


def test_every_token_of_a_person_can_be_listed(tmp_path: Path) -> None:
    """A person may ask what is stored of him, over every period and under every key."""
    settings = tmp_path / "millworth.toml"
    settings.touch(mode=0o600)
    settings.write_text(
        f'[collector]\nwal_dir = "{tmp_path}"\n[identifiers]\nrotation_days = 7\n'
        f'keys = "k2:{"22" * 32},k1:{HEX}"\n'
    )
    arguments = ["tokens", "alice", "--json", "--config", str(settings)]
    said = json.loads(CliRunner().invoke(identifiers_app, arguments).stdout)["tokens"]
    piped = CliRunner().invoke(identifiers_app, ["tokens", "-", *arguments[2:]], input="alice\n")
    assert json.loads(piped.stdout)["tokens"] == said

    now_ns = SystemClock().now_ns()
    made = opened(tmp_path, keys=f"k2:{'22' * 32},k1:{HEX}", rotation_days=7)
    was = opened(tmp_path, keys=f"k1:{HEX}", rotation_days=7)
    assert made.replace("outcome.id", "alice@b.example", now_ns).startswith("key_k1_")
    for days in range(31):
        then_ns = now_ns - days * NS_PER_DAY
        assert made.replace("user.id", "alice", then_ns) in said
        assert was.replace("user.id", "alice", then_ns) in said
    assert len(said) == len(set(said))
    assert 2 * 5 + 2 <= len(said) <= 2 * 6 + 2
    empty = CliRunner().invoke(identifiers_app, ["tokens", "-", *arguments[2:]], input="\n")
    assert isinstance(empty.exception, InputError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[encryption]\nkeys = "e1:12ab"\n', "encryption.keys: key 1 is not kid:64 hex digits"),
        ('[identifiers]\nkeys_path = "/none"\n', "identifiers.keys_path: /none cannot be read"),
        ("[encryption]\nkeys = 1212\n", "encryption.keys should be a text"),
    ],
)
def test_bad_key_is_found_before_the_start_and_not_shown(
    tmp_path: Path, text: str, message: str
) -> None:
    """`config check` is what is run before a restart; its output ends in a log."""
    settings = tmp_path / "millworth.toml"
    settings.touch(mode=0o600)
    settings.write_text(text)
    checked = CliRunner().invoke(app, ["config", "check", "--config", str(settings)])
    assert isinstance(checked.exception, ConfigError)
    assert message in str(checked.exception)
    assert "12" not in str(checked.exception).replace(str(settings), "").replace("at most 12", "")
