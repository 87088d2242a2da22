"""`millworth token new`: what it prints is what the settings take, and the token is in neither."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.auth.gate import load_tokens
from collector.auth.tokens import find
from collector.core.errors import ConfigError, InputError
from dashboard.cli.admin.access import entry_toml, parse_expiry
from dashboard.cli.main import app
from dashboard.settings import text as settings_text
from dashboard.settings.settings import Settings, load

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_printed_entry_lets_the_printed_token_in() -> None:
    """The two are all that has to be copied, one to each side."""
    result = CliRunner().invoke(
        app,
        ["token", "new", "--name", "shop", "--scope", "traces,logs", "--scope", "metrics",
         "--bytes-per-s", "1e6"],
    )  # fmt: skip
    token, _, rest = result.output.partition("\n")
    settings = Settings.model_validate(tomllib.loads(rest[rest.index("[[") :]))
    found = find(token, load_tokens(settings.access))
    assert found is not None
    assert (found.name, found.bytes_per_s, found.requests_per_s) == ("shop", 1e6, None)
    assert sorted(found.scopes) == ["logs", "metrics", "traces"]
    assert found.expires_ns is not None
    assert token not in rest


def test_json_has_both_parts() -> None:
    """For whoever hands tokens out by script."""
    result = CliRunner().invoke(
        app, ["token", "new", "--name", "a", "--role", "viewer", "--expires", "never", "--json"]
    )
    made = json.loads(result.output)
    assert made["token"].startswith("mwt_")
    assert sorted(made["entry"]) == ["hash", "name", "role"]


def test_scope_of_an_earlier_release_is_printed_as_the_role_that_it_is() -> None:
    """Scripts go on working, and settings say it in one way."""
    arguments = ["token", "new", "--name", "a", "--scope", "logs,read,admin", "--json"]
    made = json.loads(CliRunner().invoke(app, arguments).output)
    assert (made["entry"]["scopes"], made["entry"]["role"]) == (["logs"], "admin")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "Shop", "--scope", "read"], r"^--name: a-z"),
        (["--name", "a", "--scope", "reed"], r"^--scope: give one or more of traces, logs"),
        (["--name", "a", "--scope", ","], r"^--role: give a role to who looks or acts, --scope"),
        (["--name", "a", "--role", "root"], r"^--role: give one of viewer, responder"),
        (["--name", "a", "--scope", "read", "--expires", "soon"], r"^--expires soon: not a time"),
        (["--name", "a", "--scope", "read", "--requests-per-s", "0"], r"^--requests-per-s: "),
    ],
)
def test_wrong_option_is_named(arguments: list[str], said: str) -> None:
    """One line, and no token is made."""
    result = CliRunner().invoke(app, ["token", "new", *arguments])
    assert isinstance(result.exception, InputError)
    assert result.exception.args[0].partition("\n")[1] == ""
    with pytest.raises(InputError, match=said):
        raise result.exception
    assert "mwt_" not in result.output


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("12h", NOW + timedelta(hours=12)),
        ("8w", NOW + timedelta(weeks=8)),
        ("2027-06-30", datetime(2027, 6, 30, tzinfo=UTC)),
        ("2027-06-30T02:00:00+02:00", datetime(2027, 6, 30, tzinfo=UTC)),
        ("never", None),
    ],
)
def test_expiry_is_what_a_person_writes(text: str, expires: datetime | None) -> None:
    """A length or an instant; a date is its first second in UTC."""
    assert parse_expiry(text, NOW) == expires


def test_expiry_in_the_past_is_refused() -> None:
    """A token that never works would be looked for in the wrong place."""
    with pytest.raises(InputError, match="has passed already"):
        parse_expiry("2026-11-25T12:00:00Z", NOW)
    with pytest.raises(InputError, match="--expires 0d: has passed already; write a later one"):
        parse_expiry("0d", NOW)


def test_settings_in_force_are_printed_as_they_are_read() -> None:
    """A token's entry survives `config print`, and its date stays a date."""
    entry = {
        "name": "shop",
        "hash": "sha256:" + "a" * 64,
        "scopes": ["traces"],
        "expires": datetime(2027, 6, 30, tzinfo=UTC),
    }
    settings = Settings.model_validate(tomllib.loads(entry_toml(entry)))
    text = settings_text.effective(settings, {}, with_origin=False)
    (back,) = Settings.model_validate(tomllib.loads(text)).access.tokens
    assert back == settings.access.tokens[0]


def test_token_in_place_of_its_hash_is_not_shown(tmp_path: Path) -> None:
    """It happens, and the error line ends in a log."""
    path = tmp_path / "millworth.toml"
    path.write_text('[[access.tokens]]\nname = "a"\nhash = "mwt_the-token"\nscopes = ["read"]\n')
    with pytest.raises(ConfigError, match=r"access\.tokens\.0\.hash expected sha256:") as raised:
        load(path, environment={})
    assert "the-token" not in str(raised.value)
