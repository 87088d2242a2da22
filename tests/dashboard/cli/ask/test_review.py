"""`millworth review` and `millworth verify review`, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from collector.core.errors import InputError
from collector.store.connect import Connections
from dashboard.cli.main import app
from tests.support.attribution.stored import decision, outcome, put_outcomes, put_spans, trace_id
from tests.support.dashboard.fixtures import Run

FILES = {"review.json", "findings.json", "review.md", "manifest.json"}


def checked(*arguments: str) -> Result:
    """Check a pack, for which no service and no settings are needed."""
    return CliRunner().invoke(app, ["verify", "review", *arguments])


def test_pack_is_written_checked_and_the_same_again(
    run: Run, store: Connections, tmp_path: Path
) -> None:
    """One command; the printed hash holds until a file is changed."""
    put_spans(store, decision("d", 0, 90, decision__channel="a|<b>"))
    put_outcomes(store, [outcome("o", decision_id=trace_id("d"), revenue="1234567890.12")])
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        shown = run("review", "--quarter", "2033Q2", "--out", str(folder))
        assert shown.exit_code == 1, shown.output  # there are problems
        assert {path.name for path in folder.iterdir()} == FILES
    assert "problem: no ledger, or no rate for it: 2033-05-18; millworth import ledger" in (
        shown.stdout
    )
    one, two = ({name: (folder / name).read_bytes() for name in FILES} for folder in folders)
    assert one == two
    page = one["review.md"].decode()
    assert "# Review of 2033Q2" in page
    assert "1,234,567,890.12" in page
    assert json.loads(one["review.json"])["nodes"]["total"] == "1234567890.120000"
    sha256 = shown.stdout.splitlines()[0].rpartition(" ")[2]
    held = checked(str(folders[0]), "--sha256", sha256)
    assert (held.exit_code, held.stdout.rstrip()[-7:]) == (0, ": holds")
    (folders[0] / "review.md").write_text("all is well")
    broken = checked(str(folders[0]), "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["faults"] == ["review.md: was changed"]
    refused = run("review", "--quarter", "2033Q9", "--out", str(tmp_path / "three"))
    assert isinstance(refused.exception, InputError)
    assert not (tmp_path / "three").exists()
