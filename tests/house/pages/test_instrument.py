"""docs/use/instrument.md: its example against a real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import collector.instrument
from tests.support.docs.pages import PageShell, await_rows, blocks
from tests.support.service import RunningService
from tests.support.tree import text

PAGE = "docs/use/instrument.md"


@pytest.mark.integration
def test_example_becomes_a_decision(tmp_path: Path) -> None:
    """It is copied into a customer's service as it stands, but for the port."""
    with RunningService(tmp_path) as service:
        port = str(service.ready["http_port"])
        (tmp_path / "shop.py").write_text(blocks(PAGE, "python")[0].replace("4318", port))
        PageShell(tmp_path).run("python shop.py")
        await_rows(
            service, "SELECT count() FROM decisions WHERE toString(value_usd) LIKE '4.2%'", 1
        )


def test_every_public_name_is_explained() -> None:
    """What is exported and stands nowhere is found by nobody."""
    named = set(re.findall(r"`([A-Za-z_]+)`", text(PAGE)))
    typing = {"Decision", "DecisionFields", "STAGES"}  # what `begin` returns and takes
    assert set(collector.instrument.__all__) - typing <= named
