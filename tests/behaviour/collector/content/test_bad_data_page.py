"""docs/operate/bad-data.md names every reason that the code gives, and no other."""

from __future__ import annotations

import re

from tests.support.tree import ROOT

COLLECTOR = ROOT / "collector"


def reasons_in_the_code() -> set[str]:
    """Return the reason codes of refusals, of the intake, of the writer and of the views."""
    patterns = {
        "otlp/*.py": r'Refusal\(\s*"([a-z_]+)"',
        "receive/pipeline.py": r'_refuse\(signal, \{"([a-z_]+)"',
        "write/writer.py": r'_reject\([^"]*"([a-z_]+)",',
    }
    found = {
        reason
        for name, pattern in patterns.items()
        for path in COLLECTOR.glob(name)
        for reason in re.findall(pattern, path.read_text())
    }
    for path in (COLLECTOR / "store" / "schema" / "views").glob("rejected_*"):
        # The expression that ends in `AS reason_code` may be cut into lines.
        (expression,) = re.findall(r"(?s)AS signal,(.*?)AS reason_code", path.read_text())
        found |= set(re.findall(r"'([a-z]+_[a-z_]+)'", expression))
    return found


def test_page_names_every_reason() -> None:
    """An operator who finds a code in a counter or a row looks for it there."""
    page = (ROOT / "docs" / "operate" / "bad-data.md").read_text()
    named = set(re.findall(r"^\| `([a-z]+(?:_[a-z]+)*)` \|", page, re.MULTILINE))
    results = {"stored", "refused", "gone"}
    assert len(reasons_in_the_code()) > 12
    assert named - results == reasons_in_the_code()
