"""Settings as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.auth.tokens import hash_text
from dashboard.settings import text as settings_text
from dashboard.settings.settings import load


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:hunter2@db:8123", "http://u:**********@db:8123"),
        ("https://u:hunter2@%40@db:8443/?a=1", "https://u:**********@db:8443/?a=1"),
        ("http://:hunter2@db", "http://:**********@db"),
        (
            "http://db:8123/?user=u&password=hunter2&pass=hunter2&a=1",
            "http://db:8123/?user=u&password=**********&pass=**********&a=1",
        ),
        (
            "http://db:8123/?api-key=hunter2&X-Signature=hunter2&keys=1#a",
            "http://db:8123/?api-key=**********&X-Signature=**********&keys=1#a",
        ),
        ("http://u@db:8123", "http://u@db:8123"),
        ("http://hunter2-and-a-long-token@db:8123", "http://**********@db:8123"),
        ("chdb:///var/lib/a:b@c", "chdb:///var/lib/a:b@c"),
    ],
)
def test_a_password_in_a_url_is_not_printed(url: str, shown: str) -> None:
    """`config print` goes into tickets and terminals of others."""
    settings = load(None, overrides={"store": {"url": url}}, environment={}).settings
    text = settings_text.effective(settings, {}, with_origin=False)
    assert f'url = "{shown}"' in text
    assert "hunter2" not in text


def test_what_is_printed_is_read_back_as_it_was(tmp_path: Path) -> None:
    """The tiers of every dollar rule were texts of Python, which no settings file may hold."""
    entries = re.sub(r"^# (?=\[|\w+ = .)", "", settings_text.example(), flags=re.MULTILINE)
    entries = entries.replace("sha256:...", hash_text("mwt_shop"))
    written, printed = tmp_path / "written.toml", tmp_path / "printed.toml"
    written.write_text(entries)
    settings = load(written, environment={}).settings
    assert settings.alerts.rules
    assert settings.access.tokens
    assert settings.channels
    text = settings_text.effective(settings, {}, with_origin=False)
    printed.write_text(text)

    again = load(printed, environment={}).settings

    assert again == settings
    assert settings_text.effective(again, {}, with_origin=False) == text
    assert "tiers = [{budget_share = 0.02, long_window_s = 3600, short_window_s = 300" in text
