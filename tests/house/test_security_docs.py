"""What docs/operate/security.md tells an operator to write has to be what the settings take."""

from __future__ import annotations

import re
import tomllib

from collector.auth.gate import load_tokens
from collector.auth.roles import Role
from collector.auth.tokens import Scope
from dashboard.settings.settings import Settings
from tests.support.tree import text

PAGE = text("docs/operate/security.md")


def test_settings_of_the_page_open_no_door() -> None:
    """They are copied as they stand."""
    door, query = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert Settings.model_validate(tomllib.loads(query)).store.query_url
    settings = Settings.model_validate(tomllib.loads(door))
    settings.require_secrets()
    assert [token.name for token in load_tokens(settings.access)] == ["shop"]
    assert settings.collector.host == settings.dashboard.host == "0.0.0.0"
    assert settings.collector.tls.is_on
    assert settings.dashboard.tls.is_on


def test_every_scope_is_explained() -> None:
    """A scope that nobody explains is given to everybody."""
    table = PAGE.partition("| scope |")[2].partition("\n\n")[0]
    rows = "".join(line.split("|")[1] for line in table.splitlines() if line.count("|") > 2)
    assert set(re.findall(r"`(\w+)`", rows)) == set(Scope)


def test_every_role_is_explained() -> None:
    """In the order in which they include one another."""
    table = PAGE.partition("| role |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*Role]


def test_every_setting_that_the_page_names_is_one() -> None:
    """A key that was renamed would be looked for in vain."""
    named = set(re.findall(r"`((?:collector|dashboard|access)\.[a-z_.]+)`", PAGE))
    assert named
    for key in named:
        model: object = Settings()
        for part in key.split("."):
            assert part in type(model).model_fields, key  # type: ignore[attr-defined]  # a section
            model = getattr(model, part)
