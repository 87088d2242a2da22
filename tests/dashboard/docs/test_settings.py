"""docs/reference/settings.md is as the settings are."""

from __future__ import annotations

import re

import pytest
from pydantic.fields import FieldInfo

from dashboard.docs.settings import settings_page, unit_of
from dashboard.settings.settings import Settings
from dashboard.settings.text import flat

PAGE = "docs/reference/settings.md"


def test_every_setting_is_explained() -> None:
    """A row without an effect helps nobody, and a key that is not there is not found."""
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*) \|$", settings_page(), re.MULTILINE)
    assert [key for key, cells in rows if cells.endswith("| ")] == []
    named = {key for key, _ in rows}
    lists = set(re.findall(r"^## \[\[([a-z_.]+)\]\]$", settings_page(), re.MULTILINE))
    assert lists >= {"alerts.rules", "alerts.webhooks", "access.tokens", "decisions.match"}
    assert [
        key
        for key in flat(Settings())
        if not any(key == each or key.startswith(f"{each}.") for each in named | lists)
    ] == []


@pytest.mark.parametrize(
    ("name", "kind", "unit"),
    [
        ("refresh_s", float, "s"),
        ("body_bytes_max", int, "bytes"),
        ("requests_per_s", float | None, "1/s"),
        ("bytes_per_s", float | None, "bytes/s"),
        ("budget_usd", float, "`attribution.currency`"),
        ("budget_days", float, "days"),
        ("port", int, ""),
        ("currency", str, ""),
    ],
)
def test_unit_is_the_end_of_the_name(name: str, kind: type, unit: str) -> None:
    """The unit stands last in a name."""
    assert unit_of(name, FieldInfo(annotation=kind)) == unit
