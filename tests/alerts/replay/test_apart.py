from __future__ import annotations

import json

import pytest

from alerts.replay.apart import read_apart
from alerts.rules.imports.read import RuleFile, read_rules
from collector.core.errors import InputError
from tests.support.alerts.imported import OPENSLO, PROMETHEUS, PYRRA, SLOTH

FILES = [
    RuleFile(f"{at}.yaml", text) for at, text in enumerate((PROMETHEUS, SLOTH, PYRRA, OPENSLO))
]


def test_process_of_its_own_finds_the_same() -> None:
    """Rules, remarks, reasons and lines, through two pipes."""
    refused = RuleFile("r.yaml", 'groups: [{rules: [{alert: "é\\u2028", expr: up == 0}]}]')
    files = [*FILES, refused]
    assert read_apart(files, "edge", ["slow-requests"]) == read_rules(
        files, "edge", ["slow-requests"]
    )


def test_error_of_a_file_is_the_same() -> None:
    """With its line."""
    with pytest.raises(InputError, match=r"f.yaml:1: key 'a' is there twice"):
        read_apart([RuleFile("f.yaml", "{a: 1, a: 2}")])


def test_what_takes_too_long_is_ended() -> None:
    """Patterns that the parser compiles for minutes, and holds the interpreter meanwhile."""
    labels = ",".join(f'a{at}=~"(?:\\\\w{{99}}){{9}}"' for at in range(150))
    rules = [{"alert": "a", "expr": f"a{{{labels}}} > {at}"} for at in range(20)]
    text = json.dumps({"groups": [{"rules": rules}]})
    with pytest.raises(InputError, match="longer to read than 2 s of a processor"):
        read_apart([RuleFile("f.yaml", text)], cpu_s=2)
