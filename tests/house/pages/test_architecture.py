"""Every file that docs/architecture.md names is there, and each room has a part in it."""

from __future__ import annotations

import re

from tests.support.tree import ROOMS, ROOT, assert_none, text

PAGE = "docs/architecture.md"
LIVES = {"request": "collector/", "packet": "packet/", "dollar": "attribution/"}


def steps(life: str) -> list[str]:
    """Return the steps of one life, in order."""
    part = text(PAGE).partition(f"\n## The life of a {life}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. (.*)$", part, re.MULTILINE)


def test_every_file_exists() -> None:
    """A module that moves takes its step along."""
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w/.]+\.(?:py|sql))`", text(PAGE))
    assert len(named) > 45
    assert_none(f"{PAGE}: {name} is not there" for name in named if not (ROOT / name).is_file())


def test_each_step_is_a_file_and_a_sentence() -> None:
    """A reader opens them one after another."""
    for life, room in LIVES.items():
        lines = steps(life)
        assert len(lines) > 10, life
        assert [line for line in lines if not re.match(r"`[\w/.]+` .*\.$", line)] == []
        assert sum(line.startswith(f"`{room}") for line in lines) > len(lines) / 2, life
