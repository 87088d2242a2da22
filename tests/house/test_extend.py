"""docs/extend.md agrees with the code. Its diffs are of branches that were not merged."""

from __future__ import annotations

import ast
import inspect
import re

from alerts.rules.base import Rule
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
RULE_KIND = PAGE.partition("## A rule kind\n")[2].partition("\n## ")[0]
IN_DIFF = set(re.findall(r"^ (\S+) +\| +\d+ \++$", RULE_KIND, re.MULTILINE))


def test_path_on_the_page_is_there_or_in_the_diff() -> None:
    """A reader opens what the page names."""
    named = set(re.findall(r"`((?:alerts|tests)/[\w/.]+\.(?:py|sql))`", RULE_KIND))
    assert {path for path in named - IN_DIFF if not (ROOT / path).is_file()} == set()
    assert 0 < len(IN_DIFF) <= 5


def test_fragment_is_python() -> None:
    """What is copied has to run."""
    for fragment in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        ast.parse(fragment)


def test_steps_of_a_rule_are_those_of_the_protocol() -> None:
    """Name and arguments of each method that the table lists, and none left out."""
    table = RULE_KIND[RULE_KIND.index("| step |") : RULE_KIND.index("### 1.")]
    listed = dict(re.findall(r"^\| `(\w+)\(([^)]*)\)` \| kind", table, re.MULTILINE))
    methods = {
        name: ", ".join(method.__code__.co_varnames[1 : method.__code__.co_argcount])
        for name, method in vars(Rule).items()
        if not name.startswith("_") and inspect.isfunction(method)
    }
    assert listed == methods
