from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.core.errors import InputError
from dashboard.cli.main import app
from tests.support.attribution.trace_files import F, otlp_json
from tests.support.service import millworth


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """Return a file of one decision of 0.1 ms that waits 0.04 ms for another service."""
    path = tmp_path / "traces"
    path.write_bytes(otlp_json([F(1, kind="Server"), F(2, 1, 10, 50, "Client")]))
    return path


def what_if(*arguments: object) -> Result:
    """Run the command in this process, as a pipe would see it."""
    return CliRunner().invoke(app, ["what-if", *map(str, arguments)])


def test_a_trace_file_is_replayed_without_a_service(traces: Path) -> None:
    """Halving the wait saves 0.02 ms; what it is worth is not in the file."""
    result = what_if("--file", traces, "--scale", "network=0.5", "--json")
    assert result.exit_code == 0, result.output
    got = json.loads(result.stdout)
    assert (got["replayed"], got["saved_ns"], got["money"]) == (1, 20_000, None)


def test_the_table_shows_before_and_after(traces: Path) -> None:
    """The first look of a person."""
    result = what_if("--file", traces, "--cut", "network=10us", "--floor", "compute=50us")
    assert result.exit_code == 0, result.output
    assert [text in result.stdout for text in ("0.100", "0.080", "network", "unknown")] == [
        True
    ] * 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cut", "network=10us"], "network: 0.01 ms off each decision, once"),
        (["--cut", "store=2ms", "--per", "call"], "store: 2 ms off each call"),
        (["--scale", "egress=0.5"], "egress: the own time of each span times 0.5"),
        (["--floor", "decision/compute=50us"], "decision/compute: at most 0.05 ms a decision"),
    ],
)
def test_answer_says_what_each_change_applies_to(
    traces: Path, arguments: list[str], told: str
) -> None:
    """2 ms off each call and off each decision are far apart, and an answer is passed on alone."""
    assert told in what_if("--file", traces, *arguments).stdout
    assert json.loads(what_if("--file", traces, *arguments, "--json").stdout)["changes"] == [told]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "nothing is changed"),
        (["--scale", "store"], "is not SEGMENT=VALUE"),
        (["--scale", "store=half"], "half is not a factor; give 0 or more, such as 0.5"),
        (["--cut", "store=10"], "is not a length of time; give a number and us, ms or s"),
        (["--cut", "store=10ms", "--per", "day"], "neither call nor decision"),
        (["--scale", "cache=0.5", "--file", "FILE"], "names no segment"),
        (["--scale", "store=0.5", "--file", "FILE", "--region", "eu"], "every decision of the"),
        (["--scale", "store=-1"], "--scale 'store=-1': -1 is not a factor; give 0 or more"),
        (["--scale", "store=inf"], "--scale 'store=inf': inf is not a factor"),
        (["--scale", "store=NaN"], "--scale 'store=NaN': NaN is not a factor"),
        (["--scale", "store=101", "--file", "FILE"], "changes.0.scale: 101.0"),
        (["--cut", "store=-5ms", "--file", "FILE"], "'-5ms' is not a length of time"),
        (["--scale", "store=0.5", "--shares", "team"], "none of class, stage, segment"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(
    traces: Path, arguments: list[str], error: str
) -> None:
    """Before anything is asked of a service."""
    result = what_if(*(each.replace("FILE", str(traces)) for each in arguments))
    assert isinstance(result.exception, InputError)
    assert error in str(result.exception)


def test_compare_without_service_or_store_is_one_line(tmp_path: Path) -> None:
    """Exit 2 and the remedy, no traceback."""
    result = millworth(
        "compare", "--window", "5m", MILLWORTH__STORE__URL=f"chdb://{tmp_path}/none",
        MILLWORTH__DASHBOARD__PORT="1",
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith("millworth: no Millworth answers")
    assert len(result.stderr.splitlines()) == 1
