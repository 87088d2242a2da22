"""Traces of last week, imported, give what their file gives: by the parts that a service has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from attribution.core.segments import CLASSES, STAGES
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.report import AttributionReport
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MINUTE, NS_PER_S, NS_PER_US
from collector.service import CollectorService
from collector.store.connect import Connections
from dashboard.cli.main import app
from tests.conftest import NOW_NS, ManualClock
from tests.support.attribution.attribution_job import computed_afresh, everything, job
from tests.support.attribution.detect import split_file
from tests.support.attribution.stored import attributions, rows
from tests.support.attribution.trace_files import BASE_US, WRITERS, F, otlp_json, zipkin_json
from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService, begin, ended_within, millworth, until

WEEK_US = 7 * 86_400_000_000
LAST_WEEK = NOW_NS // NS_PER_US - BASE_US - WEEK_US
DECISIONS = 20


def decisions(count: int, begin_us: int) -> list[F]:
    """Return decisions of four spans each, a minute apart, over two services and their hosts."""
    found = []
    for at in range(count):
        t0, first, trace = begin_us + at * 60_000_000, 10 * at, f"{at + 1:032x}"
        t1, region = t0 + 100 + at, {"decision.action": "offer", "decision.region": "eu"}
        found += [
            F(first + 1, 0, t0, t1, "Server", "shop", "offer", "10.0.0.1", trace, region),
            F(first + 2, first + 1, t0 + 10, t0 + 40, "Client", "shop", "get", "10.0.0.1", trace,
              {"db.system": "redis"}),
            F(first + 3, first + 1, t0 + 50, t0 + 90, "Client", "shop", "post", "10.0.0.1", trace),
            F(first + 4, first + 3, t0 + 60, t0 + 80, "Server", "stock", "post", "10.0.0.2", trace),
        ]  # fmt: skip
    return found


def import_files(service: CollectorService, *paths: Path) -> list[dict[str, Any]]:
    """Import files by the running receiver, and bring what it took into the store."""
    url = f"http://127.0.0.1:{service.http_port}"
    words = ["import", "otlp", "--json", "--url", url, *map(str, paths)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert service.flush(WAIT_S)
    return [json.loads(line) for line in result.stdout.splitlines()]


def attribute(
    ours: AttributionJob, service: CollectorService, clock: ManualClock
) -> AttributionReport:
    """Attribute what was received by now; return what was done with what is old."""
    clock.ns += NS_PER_MINUTE
    ours.run_once(clock.ns, service.stored_ns())
    return ours.run_late(clock.ns, lambda: True)


def of_the_store(store: Connections) -> list[tuple[int, str, dict[str, int], dict[str, int]]]:
    """Return total, trace, classes and stages of the attributions, by their begin."""
    found = []
    for row in rows(store, "SELECT * FROM attributions FINAL ORDER BY ingress_ns"):
        by_class = {c: sum(row[f"{s}_{c}_ns"] for s in STAGES) for c in CLASSES}
        by_stage = {s: sum(row[f"{s}_{c}_ns"] for c in CLASSES) for s in STAGES}
        found.append((row["total_ns"], row["trace_id"], by_class, by_stage))
    return found


def of_the_file(body: bytes) -> list[tuple[int, str, dict[str, int], dict[str, int]]]:
    """Return the same of the decisions of a file, as `attribute --file` has them."""
    return [
        (each["total_ns"], each["trace_ids"][0], dict(each["classes"]), dict(each["stages"]))
        for each in split_file(body)
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_decisions_of_last_week_are_attributed_as_their_file_is(
    service: CollectorService, store: Connections, clock: ManualClock, tmp_path: Path, name: str
) -> None:
    """The job goes on by what was received, so that what is old is found when it comes."""
    ours = job(store)
    clock.ns += NS_PER_MINUTE
    ours.run_once(clock.ns, service.stored_ns())  # it has seen all until now
    body = WRITERS[name](decisions(DECISIONS, LAST_WEEK))
    path = tmp_path / "traces"
    path.write_bytes(body)

    import_files(service, path)
    report = attribute(ours, service, clock)

    assert report.attributed == DECISIONS
    assert of_the_store(store) == of_the_file(body)
    assert len(attributions(store)) == DECISIONS
    assert everything(store) == computed_afresh(store, (clock.ns - NOW_NS) / NS_PER_S + 10**9)


def test_what_is_imported_again_changes_no_figure(
    service: CollectorService, store: Connections, clock: ManualClock, tmp_path: Path
) -> None:
    """The same file, one that overlaps it, and another format of the same traces."""
    all_, part = decisions(DECISIONS, LAST_WEEK), decisions(DECISIONS // 2, LAST_WEEK)
    files: Sequence[tuple[str, bytes]] = (
        ("part", otlp_json(part)),
        ("all", otlp_json(all_)),
        ("other", WRITERS["jaeger_json"](all_)),
    )
    for name, body in files:
        (tmp_path / name).write_bytes(body)
    ours = job(store)

    first = import_files(service, *(tmp_path / name for name, _ in files))
    assert attribute(ours, service, clock).attributed == DECISIONS
    figures = everything(store)
    again = import_files(service, *(tmp_path / name for name, _ in files))
    report = attribute(ours, service, clock)

    assert [each["imported"] for each in first] == [40, 40, 0]
    assert [each["imported"] for each in again] == [0, 0, 0]
    assert (report.attributed, report.revised) == (0, 0)
    assert everything(store) == figures


def test_shared_ids_of_zipkin_are_attributed_as_their_file_is(
    service: CollectorService, store: Connections, clock: ManualClock, tmp_path: Path
) -> None:
    """Both halves of a call are on the path, though they have one id."""
    t0 = LAST_WEEK
    root = {"decision.action": "offer"}
    body = zipkin_json(
        [
            F(1, 0, t0, t0 + 100, "Server", "shop", host="10.0.0.1", attributes=root),
            F(2, 1, t0 + 10, t0 + 90, "Client", "shop", host="10.0.0.1"),
            F(2, 1, t0 + 20, t0 + 80, "Server", "stock", host="10.0.0.2"),
            F(3, 2, t0 + 30, t0 + 60, "Client", "stock", host="10.0.0.2",
              attributes={"db.system": "redis"}),
        ]
    )  # fmt: skip
    path = tmp_path / "traces"
    path.write_bytes(body)
    import_files(service, path)

    attribute(job(store), service, clock)

    assert of_the_store(store) == of_the_file(body)
    assert of_the_store(store)[0][2] == {
        "network": 20_000, "compute": 50_000, "store": 30_000, "untraced": 0,
    }  # fmt: skip


def recent() -> int:
    """Return the microseconds from the base of the files to an hour ago."""
    return SystemClock().now_ns() // NS_PER_US - BASE_US - 3_600_000_000


def spans_in(environment: dict[str, str]) -> tuple[int, int]:
    """Return the rows of spans in a store that nobody holds, and how many spans they are."""
    asked = millworth(
        "query", "SELECT count() AS n, uniqExact(TraceId, SpanId) AS u FROM otel_traces",
        **environment,
    )  # fmt: skip
    found = json.loads(asked.stdout)
    return int(found["n"]), int(found["u"])


@pytest.fixture
def month(tmp_path: Path) -> Path:
    """Return a file of 40,000 spans of the last hours of a week ago."""
    path = tmp_path / "traces"
    path.write_bytes(WRITERS["otlp_protobuf"](decisions(10_000, recent() - WEEK_US)))
    return path


@pytest.mark.integration
def test_a_running_service_takes_it(tmp_path: Path, month: Path) -> None:
    """The embedded store has one owner: the command speaks to its receiver."""
    with RunningService(tmp_path) as service:
        port = str(service.ready["http_port"])
        environment = {**service.environment, "MILLWORTH__COLLECTOR__HTTP_PORT": port}
        first = millworth("import", "otlp", str(month), "--json", **environment)
        again = millworth("import", "otlp", str(month), **environment)
        elsewhere = millworth("import", "otlp", str(month), **service.environment)

    assert json.loads(first.stdout)["imported"] == 40_000, first.stderr
    assert (first.returncode, first.stderr) == (0, "")
    assert again.stdout.partition(";")[0] == f"{month}: 0 imported, 40000 there already, 0 refused"
    assert elsewhere.returncode == os.EX_TEMPFAIL
    assert "whose receiver does not answer at http://127.0.0.1:0 yet" in elsewhere.stderr
    assert spans_in(service.environment) == (40_000, 40_000)


@pytest.mark.integration
def test_an_import_that_is_killed_goes_on(tmp_path: Path, month: Path) -> None:
    """What was acknowledged before is known, wherever it lay then, and the rest comes."""
    with RunningService(tmp_path) as service:  # makes a store that nobody holds then
        pass
    seen = set[str]()
    with begin("import", "otlp", str(month), **service.environment) as begun:
        pidfd = os.pidfd_open(begun.pid)

        def has_stored() -> bool:
            assert not ended_within(pidfd, 0.005), "it was done before it could be killed"
            seen.update(each.name for each in (tmp_path / "wal").glob("traces-*.segment"))
            return len(seen) > 1

        until(has_stored)
        begun.kill()
        os.close(pidfd)
    again = millworth("import", "otlp", str(month), "--json", **service.environment)
    once_more = millworth("import", "otlp", str(month), "--json", **service.environment)

    report = json.loads(again.stdout)
    assert report["known"] > 0, again.stderr
    assert report["imported"] + report["known"] == 40_000
    assert json.loads(once_more.stdout)["known"] == 40_000
    assert spans_in(service.environment) == (40_000, 40_000)


@pytest.mark.integration
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A typing error in a path must not become a store."""
    path = tmp_path / "traces"
    path.write_bytes(otlp_json(decisions(1, recent())))
    nowhere = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path}/nowhere",
        "MILLWORTH__COLLECTOR__HTTP_PORT": "1",
    }

    result = millworth("import", "otlp", str(path), **nowhere)

    assert result.returncode == 2
    assert "there is no store at" in result.stderr
    assert "make one with `millworth migrate`" in result.stderr
    assert not (tmp_path / "nowhere").exists()
