"""Roles apart: each says how far it is itself, and the one with the pages of all the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.store.cursors import SAMPLE_CURSOR
from dashboard.cli.main import app
from dashboard.health.peer_processes import ID_FILE, CollectorCursor
from dashboard.service.process import Service
from dashboard.service.role import Role
from dashboard.settings.settings import Settings
from packet.config import PacketConfig
from packet.jobs.cursor import OwnCursor
from packet.jobs.packets import PacketJob
from tests.conftest import ManualClock
from tests.support.builders import decision_span, trace_request
from tests.support.clickhouse.double import Double
from tests.support.collector.clients import WAIT_S, post

pytestmark = pytest.mark.integration

_BEHIND = "millworth_stage_behind_seconds"


class Apart:
    """Five processes of one service over one server; the second collector is `spare`."""

    def __init__(self, server: Double, directory: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.server = server
        self.of: dict[str, Service] = {}
        for name in ("collect", "spare", "attribute", "alert", "serve"):
            settings = Settings.model_validate(
                {
                    "store": server.config("writer", "secret", timeout_seconds=5).model_dump(),
                    "collector": {"grpc_port": 0, "http_port": 0, "wal_dir": directory / name},
                    "alerts": {"state_path": directory / "alerts.sqlite"},
                    "dashboard": {"port": 0},
                }
            )
            role = Role.COLLECT if name == "spare" else Role(name)
            port = None if role is Role.SERVE else 0
            self.of[name] = Service(settings, {role}, clock, metrics_port=port)

    def start(self, *names: str) -> None:
        """Start some of them, whose jobs run when they are told to."""
        for name in names:
            self.of[name].start()
            self.of[name].stop_jobs()

    def run(self, *names: str) -> list[str]:
        """Run the jobs of some once; return what failed."""
        loops = [loop for name in names for loop in self.of[name].loops]
        for loop in loops:
            loop.run_now()
        return [loop.last_error for loop in loops if loop.last_error]

    def send(self, decision_id: str) -> None:
        """Send a decision to the first collector."""
        url = f"http://127.0.0.1:{self.of['collect'].collector.http_port}"
        with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S) as http:
            assert post(http, trace_request(decision_span(decision_id=decision_id))).is_success

    def get(self, name: str, path: str) -> httpx.Response:
        """Ask one of them, on the port of its pages or of its metrics."""
        ports = self.of[name].ports
        url = f"http://127.0.0.1:{ports.dashboard or ports.metrics}{path}"
        return httpx.get(url, trust_env=False, timeout=WAIT_S)

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Return what one exports: by name and labels."""
        text = self.get(name, "/metrics").text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def stages(self, name: str) -> dict[str, float]:
        """Return how far behind one says that the stages are, in s."""
        found = self.samples(name).items()
        return {key[1]: round(seconds, 1) for key, seconds in found if key[0] == _BEHIND}

    def health(self) -> tuple[str, dict[str, Any]]:
        """Return what the one with the pages says of all: the worst, and what is not well.

        Lines that standard error did not take are of the process of the tests.
        """
        items = self.get("serve", "/api/v1/health").json()["items"]
        wrong = {i["name"]: i for i in items if i["status"] != "ok" and i["name"] != "log.lost"}
        found = {item["status"] for item in wrong.values()}
        return next((each for each in ("bad", "warn") if each in found), "ok"), wrong

    def ready(self) -> Result:
        """Return what `millworth ready` says of the one with the pages."""
        url = f"http://127.0.0.1:{self.of['serve'].ports.dashboard}"
        return CliRunner().invoke(app, ["ready", "--url", url])


@pytest.fixture
def apart(tmp_path: Path, clock: ManualClock) -> Iterator[Apart]:
    """Yield the processes, started, with a decision that has come all the way."""
    with Double(tmp_path / "server") as server, ExitStack() as stack:
        processes = Apart(server, tmp_path, clock)
        for name in processes.of:
            stack.callback(processes.of[name].stop, WAIT_S)
            processes.start(name)
        processes.send("d-1")
        assert processes.of["collect"].collector.flush(WAIT_S)
        clock.ns += 40 * NS_PER_S
        assert processes.run("collect", "spare", "attribute", "alert", "serve") == []
        yield processes


def test_each_process_exports_what_it_knows_and_no_zero_for_the_rest(apart: Apart) -> None:
    """A rule on `stored` never fired for a store that was away for ever: nobody exported it."""
    apart.clock.ns += 5 * NS_PER_S
    assert apart.stages("collect") == {"received": 45.0, "logged": 0.0, "stored": 0.0}
    assert set(apart.stages("attribute")) == {"attributed", "late"}
    # Of 21 s in which nothing came attribution has said nothing yet; rules wait for 10 more.
    assert apart.stages("alert") == {"alerted": 36.0}
    assert apart.stages("serve") == {
        "received": 45.0,
        "stored": 5.0,
        "attributed": 26.0,
        "late": 26.0,
        "alerted": 36.0,
    }
    assert ("millworth_unstored_age_seconds", "traces") in apart.samples("collect")
    assert ("millworth_watermark_timestamp_seconds", "traces") in apart.samples("serve")
    own = {
        "millworth_wal_bytes": {"collect"},
        "millworth_attribution_put_off_seconds": {"attribute"},
        "millworth_packets_recorded": set[str](),
    }
    for name, where in own.items():
        found = {each for each in apart.of if (name,) in apart.samples(each)} - {"spare"}
        assert found == where, name


def test_port_of_a_process_without_pages_answers_what_it_is_asked(apart: Apart) -> None:
    """Every path was 200 with the metrics, so a probe of `/readyz` was always green."""
    said = apart.get("collect", "/readyz")
    assert (said.status_code, said.text) == (
        200,
        "ready\nreceived: ready\nlogged: ready\nstored: ready\n",
    )
    assert apart.get("attribute", "/readyz").text == "ready\nattributed: ready\nlate: ready\n"
    assert apart.get("alert", "/readyz").text == "ready\nalerted: ready\n"
    assert apart.get("alert", "/healthz").status_code == 200
    assert apart.get("alert", "/nonsense").status_code == 404


def test_service_whose_processes_run_is_well(apart: Apart) -> None:
    """Nothing is said that would have to be explained away."""
    assert apart.health() == ("ok", {})
    ready = apart.get("serve", "/readyz")
    assert (ready.status_code, ready.text) == (
        200,
        "ready\nreceived: ready\nstored: ready\nattributed: ready\nlate: ready\nalerted: ready\n",
    )
    assert (apart.ready().exit_code, apart.ready().stdout) == (0, "ready\n")


def test_processes_that_stopped_are_told_by_the_one_with_the_pages(apart: Apart) -> None:
    """It was "ok" and "ready" with all of them gone."""
    apart.clock.ns += 90 * NS_PER_S
    assert apart.run("collect", "spare", "serve") == []
    status, wrong = apart.health()
    assert (status, set(wrong)) == ("warn", {"stage.attributed", "stage.late", "stage.alerted"})
    assert wrong["stage.attributed"]["detail"].startswith("`millworth attribute` has stopped or")
    assert wrong["stage.alerted"]["detail"].endswith("behind as well, that is why")

    apart.clock.ns += 700 * NS_PER_S
    assert apart.run("collect", "spare", "serve") == []
    assert apart.health()[0] == "bad"
    # Data are taken all the same: who balances over it sends on.
    assert apart.get("serve", "/readyz").status_code == 200
    said = apart.ready()
    assert said.exit_code == 0
    assert "ready\nattributed: not ready: 811.0 s behind: `millworth attribute` has" in said.stdout
    alone = apart.get("alert", "/readyz")
    assert (alone.status_code, "or `millworth attribute` is behind" in alone.text) == (503, True)


def test_one_collector_of_two_that_died_is_named_and_holds_no_stage_up(apart: Apart) -> None:
    """What the other takes is stored; what it had not stored itself is in its log."""
    apart.clock.ns += 130 * NS_PER_S
    assert apart.run("spare", "attribute", "alert", "serve") == []
    status, wrong = apart.health()
    (name,) = wrong
    assert (status, name.endswith("/collect"), wrong[name]["value"]) == ("bad", True, 130.0)
    assert "what it has not stored is in its log" in wrong[name]["detail"]
    assert apart.stages("serve")["stored"] == 0.0
    assert apart.get("serve", "/readyz").status_code == 200


def test_service_that_nobody_receives_for_says_so_and_shows_its_pages(apart: Apart) -> None:
    """Two that ended with nothing left in their logs are no failure each, and together are one.

    A balancer took the pages away, at the one time when they were needed most.
    """
    assert apart.of["spare"].stop(WAIT_S)
    apart.clock.ns += 20 * NS_PER_S
    assert apart.run("collect", "attribute", "alert", "serve") == []
    assert apart.health() == ("ok", {})
    assert apart.of["collect"].stop(WAIT_S)
    apart.clock.ns += 130 * NS_PER_S
    assert apart.run("attribute", "alert", "serve") == []
    status, wrong = apart.health()
    assert (status, set(wrong)) == ("bad", {"stage.stored"})
    said = apart.ready()
    assert said.exit_code == 0
    assert "stored: not ready: 130.0 s behind: `millworth collect` has stopped" in said.stdout


def test_recorder_that_died_is_named_until_it_is_back_or_ended(apart: Apart) -> None:
    """`kill -9` of a recorder was shown nowhere: decisions had no packets, and all was well."""
    cursor = OwnCursor(apart.of["serve"].store, SAMPLE_CURSOR, "web.example")
    cursor.write(apart.clock.ns)
    assert apart.run("serve") == []
    assert apart.health() == ("ok", {})
    apart.clock.ns += 130 * NS_PER_S
    assert apart.run("collect", "spare", "attribute", "alert", "serve") == []
    status, wrong = apart.health()
    assert (status, set(wrong)) == ("warn", {"capture.web.example"})
    assert wrong["capture.web.example"]["value"] == 130.0
    assert wrong["capture.web.example"]["detail"].startswith("`millworth capture` has stopped or")
    cursor.write(apart.clock.ns)
    assert apart.run("serve") == []
    assert apart.health() == ("ok", {})
    config = PacketConfig(host="web.example", interface="lo")
    job = PacketJob(config, AttributesConfig(), apart.of["serve"].store, None, Counters())
    job.end(apart.clock.ns + 1)
    apart.clock.ns += 130 * NS_PER_S
    assert apart.run("collect", "spare", "attribute", "alert", "serve") == []
    assert apart.health() == ("ok", {})


def test_collector_is_its_log_whatever_its_host_is_called(apart: Apart, tmp_path: Path) -> None:
    """A pod that died was bad for a day beside the one that had stored all of its log."""
    store, seen = apart.of["serve"].store, apart.of["serve"].elsewhere
    now_ns = apart.clock.ns
    logs = [tmp_path / name for name in ("volume", "other")]
    for each in logs:
        each.mkdir()
    CollectorCursor(store, logs[0], "pod-1").write(now_ns - 3_600 * NS_PER_S, None)
    CollectorCursor(store, logs[0], "pod-2").write(now_ns, None)
    seen.read()
    assert {at_ns for name, at_ns in seen.collectors(now_ns).items() if "volume" in name} == {
        now_ns
    }
    CollectorCursor(store, logs[1], "pod-2").write(now_ns - 600 * NS_PER_S, None)
    seen.read()
    found = seen.collectors(now_ns)
    assert found[f"pod-2:{logs[1]}"] == now_ns - 600 * NS_PER_S, "a log of its own"
    assert (logs[0] / ID_FILE).read_text() != (logs[1] / ID_FILE).read_text()


def test_server_that_is_away_is_told_by_all(apart: Apart) -> None:
    """A collector takes what comes into its log; the others can do nothing, and say so."""
    apart.server.stop()
    apart.send("d-2")
    apart.clock.ns += 200 * NS_PER_S
    assert apart.run("serve", "attribute", "alert") != []
    status, wrong = apart.health()
    assert (status, wrong["stage.stored"]["value"]) == ("bad", 200.0)
    assert "does not answer" in wrong["job.elsewhere"]["detail"]
    assert "Connection refused" in wrong["job.elsewhere"]["detail"]
    assert "Connection refused" in apart.get("serve", "/readyz").text
    assert "Connection refused" in apart.get("serve", "/api/v1/decisions").json()["detail"]
    assert apart.stages("collect")["stored"] == 200.0
    ready = apart.get("collect", "/readyz")
    assert (ready.status_code, "stored: not ready: 200.0 s behind" in ready.text) == (200, True)
    for name in ("attribute", "alert", "serve"):
        assert apart.get(name, "/readyz").status_code == 503, name
    apart.server.start()
