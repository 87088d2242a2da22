from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dashboard.cli.main import app
from tests.support.attribution.detect import split
from tests.support.attribution.trace_files import TRACE, WRITERS, F, otlp_json, otlp_spans
from tests.support.service import millworth

SPANS = [F(1, kind="Server"), F(2, 1, 10, 40, "Client")]


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """Return a file of one decision."""
    path = tmp_path / "traces"
    path.write_bytes(otlp_json(SPANS))
    return path


def attribute(*arguments: object) -> Result:
    """Run the command in this process, as a pipe would see it."""
    return CliRunner().invoke(app, ["attribute", *map(str, arguments)])


@pytest.mark.parametrize("name", WRITERS)
def test_json_is_one_object_a_decision(tmp_path: Path, name: str) -> None:
    """What other programs read: nothing else may be on standard output."""
    path = tmp_path / "traces"
    path.write_bytes(WRITERS[name](SPANS))

    result = attribute("--file", path, "--json")

    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    assert json.loads(line) == split(SPANS)[0]
    assert result.stderr == f"{path}: spans read: 2, decisions: 1\n"


def test_table_names_decision_and_classes(traces: Path) -> None:
    """The first look of a person."""
    result = attribute("--file", traces)

    assert result.exit_code == 0
    assert [text in result.stdout for text in ("network", "0.030", "0.070", "opaque_peer")] == [
        True
    ] * 4


def test_span_that_cannot_be_used_is_named_and_the_rest_done(tmp_path: Path) -> None:
    """Exit 1 tells a script that the answer is not of the whole file."""
    request = otlp_spans([*SPANS, F(3, 1)])
    request["resourceSpans"][2]["scopeSpans"][0]["spans"][0]["endTimeUnixNano"] = "5"
    path = tmp_path / "traces"
    path.write_text(json.dumps(request))

    result = attribute("--file", path, "--json")

    assert result.exit_code == 1
    lost = {"flags": ["opaque_peer", "refused_spans"], "refused_spans": 1, "refused_in_file": 1}
    assert json.loads(result.stdout) == {**split(SPANS)[0], **lost}
    assert "not used: line 1, span 3: it ends" in result.stderr
    assert "refused_spans" in attribute("--file", path).stdout.replace("\n", "")


def test_settings_of_the_file_that_is_named_apply(traces: Path, tmp_path: Path) -> None:
    """The same rules as the service has make the same decisions."""
    config = tmp_path / "millworth.toml"
    config.write_text('[[decisions.match]]\nspan_name = "work"\nkind = "client"\n')

    result = attribute("--file", traces, "--config", config, "--json")

    assert json.loads(result.stdout)["total_ns"] == 30_000
    assert json.loads(result.stdout)["decision_id"] == TRACE


def test_file_without_decisions_says_so(tmp_path: Path) -> None:
    """An empty answer is an answer."""
    path = tmp_path / "traces"
    path.write_text("[]")

    assert attribute("--file", path, "--json").stdout == ""
    assert attribute("--file", path).stdout == "no decisions\n"


@pytest.mark.integration
def test_file_that_is_none_ends_in_one_line_and_exit_2(tmp_path: Path) -> None:
    """A wrong file, or none, names itself and the remedy."""
    path = tmp_path / "notes.txt"
    path.write_text("hello")

    for given, remedy in ((path, "give OTLP JSON"), (tmp_path / "none", "name a file")):
        result = millworth("attribute", "--file", str(given))

        assert result.returncode == 2
        [line] = result.stderr.splitlines()
        assert line.startswith(f"millworth: {given}: ")
        assert remedy in line
