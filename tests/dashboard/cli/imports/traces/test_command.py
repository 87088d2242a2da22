"""The command in this process, against a receiver over the real store."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from collector.core.times import NS_PER_US
from collector.service import CollectorService
from collector.store.connect import Connections
from dashboard.cli.main import app
from dashboard.units import utc_text
from tests.conftest import NOW_NS
from tests.support.attribution.trace_files import BASE_US, WRITERS, F, otlp_json, otlp_spans
from tests.support.collector.clients import WAIT_S

WEEK_US = 7 * 86_400_000_000
LAST_WEEK = NOW_NS // NS_PER_US - BASE_US - WEEK_US


def of_last_week(*spans: F) -> list[F]:
    """Return spans as they were a week before the test's present."""
    return [
        F(
            s.span_id, s.parent, LAST_WEEK + s.start, LAST_WEEK + s.end, s.kind, s.service, s.name,
            s.host, s.trace, s.attributes,
        )
        for s in spans
    ]  # fmt: skip


SPANS = of_last_week(F(1, kind="Server"), F(2, 1, 10, 40, "Client"))
Import = Callable[..., Result]


@pytest.fixture
def imports(service: CollectorService) -> Import:
    """Return the command, which asks a receiver over the real store."""

    def run(*arguments: object, given: bytes = b"") -> Result:
        url = f"http://127.0.0.1:{service.http_port}"
        words = ["import", "otlp", "--url", url, *map(str, arguments)]
        return CliRunner().invoke(app, words, input=given)

    return run


def stored(service: CollectorService, store: Connections) -> int:
    """Return the rows of spans."""
    assert service.flush(WAIT_S)
    return int(store.client().query("SELECT count() FROM otel_traces").result_rows[0][0])


def reports(result: Result) -> list[dict[str, Any]]:
    """Return what it printed for a machine."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_twice_is_stored_once(
    imports: Import, service: CollectorService, store: Connections, tmp_path: Path, name: str
) -> None:
    """A person who is not sure whether it worked does it again."""
    path = tmp_path / "traces.gz"
    path.write_bytes(gzip.compress(WRITERS[name](SPANS)))

    first, again = imports(path, "--json"), imports(path)

    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    [report] = reports(first)
    assert [report[each] for each in ("spans", "imported", "known", "refused")] == [2, 2, 0, 0]
    begin, end = (utc_text(report[each]) for each in ("first_ns", "last_ns"))
    assert again.stdout == (
        f"{path}: 0 imported, 2 there already, 0 refused; of {begin} to {end}\n"
    )
    seconds = {
        "first_ns": "min(Timestamp)",
        "last_ns": "max(Timestamp + toIntervalNanosecond(Duration))",
    }
    for each, of in seconds.items():
        sql = f"SELECT toUnixTimestamp64Nano(toDateTime64({of}, 9)) FROM otel_traces"
        assert store.client().query(sql).result_rows == [(report[each],)]
    assert stored(service, store) == 2


def test_what_is_twice_in_a_file_is_counted_apart(
    imports: Import, service: CollectorService, store: Connections, tmp_path: Path
) -> None:
    """It was called "there already" of a store that had nothing."""
    path = tmp_path / "traces"
    path.write_bytes(otlp_json([*SPANS, SPANS[0], *of_last_week(F(1, end=70, kind="Server"))]))

    first, again = imports(path, "--json"), imports(path)

    [report] = reports(first)
    counted = ("spans", "imported", "known", "twice", "refused")
    assert [report[each] for each in counted] == [4, 3, 0, 1, 0]
    assert again.stdout.partition(";")[0] == f"{path}: 0 imported, 4 there already, 0 refused"
    path.write_bytes(otlp_json([new := of_last_week(F(9))[0], new]))
    shown = imports(path).stdout
    assert (
        shown.partition(";")[0]
        == f"{path}: 1 imported, 0 there already, 1 twice in the file, 0 refused"
    )
    assert stored(service, store) == 4


def test_standard_input_is_a_file_too(
    imports: Import, service: CollectorService, store: Connections
) -> None:
    """What a command before it in a pipe gives."""
    result = imports("-", given=otlp_json(SPANS))

    assert (
        result.stdout.partition(";")[0] == "standard input: 2 imported, 0 there already, 0 refused"
    )
    assert stored(service, store) == 2


def test_what_is_refused_is_counted_and_named(
    imports: Import, service: CollectorService, store: Connections, tmp_path: Path
) -> None:
    """By the file's reader, by what OTLP has a place for, and by the receiver."""
    old = [F(3, start=LAST_WEEK - 4 * WEEK_US, end=LAST_WEEK - 4 * WEEK_US + 5)]
    future = [F(4, start=LAST_WEEK + 2 * WEEK_US, end=LAST_WEEK + 2 * WEEK_US + 5)]
    document = otlp_spans([*SPANS, *old, *future])
    short = otlp_spans(SPANS)["resourceSpans"][0]
    short["scopeSpans"][0]["spans"][0]["spanId"] = "12"
    document["resourceSpans"].append(short)
    path = tmp_path / "traces"
    path.write_text(json.dumps(document))

    result = imports(path, "--json")

    assert result.exit_code == 1
    [report] = reports(result)
    counts = [report[each] for each in ("spans", "imported", "known", "refused")]
    assert counts == [5, 2, 0, 3]
    assert report["reasons"][0].startswith("2 of 4 refused: 2 time_out_of_range: span ")
    assert report["reasons"][1] == "line 1, span 5: spanId is '12', and not 16 hex digits"
    assert stored(service, store) == 2


def test_a_large_request_is_divided(
    imports: Import, service: CollectorService, store: Connections, tmp_path: Path
) -> None:
    """One span over the receiver's limit is named, and costs itself alone."""
    large = of_last_week(
        F(1), F(2, attributes={"k": "x" * 21 * 2**20}), F(3, attributes={"k": "x" * 7 * 2**20})
    )
    path = tmp_path / "traces"
    path.write_bytes(WRITERS["otlp_protobuf"](large))

    result = imports(path)

    assert result.exit_code == 1
    assert "2 imported, 0 there already, 1 refused" in result.stdout
    assert "the body is over 20971520 bytes" in result.stdout
    assert stored(service, store) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "no spans in it", id="nothing"),
        pytest.param(gzip.compress(b"\0" * 2**28), "a request of 0 bytes at byte 0", id="zeros"),
        pytest.param(gzip.compress(b" " * 2**28), "traces do not become 250 times", id="spaces"),
        pytest.param(b"id,name\n1,2\n", "not OTLP traces in Protobuf", id="a table"),
    ],
)
def test_a_file_that_is_no_trace_file_is_an_error(
    imports: Import, tmp_path: Path, content: bytes, why: str
) -> None:
    """It names the file, what is wrong and the remedy."""
    path = tmp_path / "traces"
    path.write_bytes(content)

    result = imports(path)

    assert result.exit_code != 0
    assert str(result.exception).startswith(f"{path}: ")
    assert why in str(result.exception)


def test_a_file_that_ends_early_gives_what_is_in_it(
    imports: Import, service: CollectorService, store: Connections, tmp_path: Path
) -> None:
    """A copy that was cut off; the next one brings the rest, and the first part once."""
    lines = b"".join(
        WRITERS["otlp_lines"](of_last_week(F(at + 1, attributes={"k": str(at)})))
        for at in range(2_000)
    )
    path = tmp_path / "traces.gz"
    whole = gzip.compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    cut = imports(path, "--json")
    path.write_bytes(whole)
    again = imports(path, "--json")

    [first], [second] = reports(cut), reports(again)
    assert (cut.exit_code, again.exit_code) == (1, 0)
    assert "the gzip body ends early" in first["reasons"][-1]
    assert 0 < first["imported"] == second["known"] < second["spans"] == 2_000
    assert stored(service, store) == 2_000


def test_import_that_is_interrupted_says_how_far_it_came(
    service: CollectorService, store: Connections, tmp_path: Path
) -> None:
    """Its line was wiped, and nobody knew whether to begin anew."""
    path = tmp_path / "traces"
    path.write_bytes(otlp_json(of_last_week(*(F(at + 1) for at in range(40_000)))))
    url = f"http://127.0.0.1:{service.http_port}"
    # Where the tests run in the background a child would ignore it, as its parent does.
    heard = ["env", "--default-signal=INT"]
    command = [*heard, sys.executable, "-m", "dashboard.cli.main", "import", "otlp", "--url", url]
    with subprocess.Popen([*command, str(path)], stderr=subprocess.PIPE, text=True) as importing:
        pause = threading.Event()
        while not service.status().spans_acked and importing.poll() is None:
            pause.wait(0.005)
        importing.send_signal(signal.SIGINT)
        _, said = importing.communicate(timeout=WAIT_S)

    told = re.search(r"stopped when (\d+) of its spans were in; the same command goes on", said)
    assert told is not None, (said, importing.returncode, service.status())
    assert int(told[1]) <= stored(service, store) < 40_000
