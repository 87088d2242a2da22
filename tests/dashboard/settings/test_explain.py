"""What a user is told of settings that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.core.errors import ConfigError
from dashboard.settings.settings import load


def test_missing_key_names_the_variable_that_sets_it(tmp_path: Path) -> None:
    """`Field required` says what is wrong and not what to do."""
    file = tmp_path / "millworth.toml"
    file.write_text('[[alerts.webhooks]]\nname = "router"\n')

    with pytest.raises(ConfigError, match="MILLWORTH__ALERTS__WEBHOOKS__0__URL"):
        load(file, environment={})


def test_misspelt_key_is_told_before_the_one_that_it_makes_missing(tmp_path: Path) -> None:
    """The remedy of a missing key would be a second one."""
    file = tmp_path / "millworth.toml"
    file.write_text('[[alerts.webhooks]]\nnmae = "router"\nurl = "https://r.example/h"\n')
    with pytest.raises(ConfigError, match=r"nmae is not a setting; did you mean .*name"):
        load(file, environment={})


def test_value_of_the_wrong_form_is_told_what_the_key_means() -> None:
    """A regular expression is no remedy."""
    with pytest.raises(ConfigError, match="'store': expected chdb:///PATH"):
        load(environment={"MILLWORTH__STORE__URL": "store"})


def test_name_of_the_wrong_form_is_told_what_it_is_made_of() -> None:
    """Of a rule, which may be called nothing but that."""
    rule = {"kind": "dollar_burn", "name": "my rule", "budget_usd": 1}
    with pytest.raises(ConfigError, match="'my rule': expected Name of the rule: a to z, 0 to 9"):
        load(None, overrides={"alerts": {"rules": [rule]}}, environment={})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"MILLWORTH__DASHBOARD__TLS__CERT_FILE": "/srv/cert.pem"},
            "MILLWORTH__DASHBOARD__TLS__CERT_FILE: dashboard.tls: cert_file and key_file",
        ),
        ({"MILLWORTH__STORE__DATABASE": "default"}, "MILLWORTH__STORE__DATABASE: store"),
        (
            {"MILLWORTH__ACCESS__TOKENS__SHOP__HASH": "sha256:00"},
            "MILLWORTH__ACCESS__TOKENS__SHOP__HASH: access.tokens has a list of entries",
        ),
    ],
)
def test_section_that_a_variable_made_wrong_names_the_variable(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    """The file was named, in which there is nothing to correct."""
    file = tmp_path / "millworth.toml"
    file.write_text("")

    with pytest.raises(ConfigError) as caught:
        load(file, environment=environment)

    assert str(caught.value).startswith(message)


def test_section_that_file_and_variable_made_wrong_names_both(tmp_path: Path) -> None:
    """Either of them may be what is to be corrected."""
    file = tmp_path / "millworth.toml"
    file.write_text('[dashboard.tls]\nclient_ca_file = "/srv/ca.pem"\n')
    variable = "MILLWORTH__DASHBOARD__TLS__CERT_FILE"

    with pytest.raises(ConfigError, match=f"^{file}, {variable}|^{variable}, {file}"):
        load(file, environment={variable: "/srv/cert.pem"})
