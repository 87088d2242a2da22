"""One role a process: what `up` does over an embedded store, they do together over a server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from collector.core.errors import (
    AddressInUseError,
    CaptureError,
    ConfigError,
    SchemaMissingError,
    StoreRefusedError,
    TransientError,
)
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.schema.migrate import migrate
from dashboard.cli.admin.doctor import examine
from dashboard.cli.main import app
from dashboard.read.adhoc.reader import OutsideReader
from dashboard.read.reader import Reader
from dashboard.service.process import Service
from dashboard.service.role import Role
from dashboard.settings.settings import Settings
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, logs_request, outcome, trace_request
from tests.support.clickhouse.double import Double
from tests.support.collector.clients import WAIT_S, post
from tests.support.packet.traffic import echo_server, talk

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Double]:
    """Yield a server without tables."""
    with Double(tmp_path / "server") as double:
        yield double


def settings(server: Double, directory: Path, **sections: Any) -> Settings:  # noqa: ANN401 - TOML
    """Return the settings that every role is given."""
    return Settings.model_validate(
        {
            "store": {"url": server.config("writer", "secret").url},
            "collector": {"grpc_port": 0, "http_port": 0, "wal_dir": directory / "wal"},
            "alerts": {"state_path": directory / "alerts.sqlite"},
            "dashboard": {"port": 0},
            **sections,
        }
    )


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    """Return what is answered."""
    return httpx.get(url, trust_env=False, timeout=WAIT_S).raise_for_status()


def test_four_processes_do_together_what_one_does(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """A decision goes in at one, is attributed by another, and is read from a third."""
    given = settings(server, tmp_path)
    collect = Service(given, {Role.COLLECT}, clock, metrics_port=0)
    collect.start()
    assert collect.describe().startswith("OTLP on 127.0.0.1:")
    url = f"http://127.0.0.1:{collect.collector.http_port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S) as http:
        root = decision_span(decision_id="d-1", duration_ns=7_000_000)
        assert post(http, trace_request(root)).status_code == 200
    assert collect.collector.flush(WAIT_S)
    metrics = get(f"http://127.0.0.1:{collect.ports.metrics}/metrics").text
    assert 'millworth_stored_total{signal="traces"} 1.0' in metrics
    assert collect.stalled() == []

    clock.ns += 60 * NS_PER_S
    roles = (Role.ATTRIBUTE, Role.ALERT, Role.SERVE)
    others = attribute, alert, serve = [Service(given, {role}, clock) for role in roles]
    for other in (serve, attribute, alert):
        other.start()
    for loop in (*attribute.loops, *alert.loops):
        loop.run_now()
        assert loop.last_error == "", loop.name
    decision = get(f"http://127.0.0.1:{serve.ports.dashboard}/api/v1/decisions/d-1").json()

    assert decision["attribution"]["total_ns"] == 7_000_000
    assert [sorted(loop.name for loop in other.loops) for other in others] == [
        [
            "attribution",
            "budgets",
            "evidence",
            "experiments",
            "late",
            "observed",
            "outcomes",
            "senders",
            "sizes",
            "slope",
        ],
        ["alerts", "elsewhere", "webhooks"],
        ["alert_state", "elsewhere"],
    ]
    assert [other.stalled() for other in others] == [[], [], []]
    assert all(process.stop(WAIT_S) for process in (*others, collect))


def test_pages_that_are_there_before_the_state_of_alerts_show_it_when_it_is(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """Two units that a boot starts together: whichever came first, it was 400 until a restart."""
    given = settings(server, tmp_path)
    roles = (Role.COLLECT, Role.SERVE, Role.ALERT)
    with ExitStack() as stack:
        collect, serve, alert = (Service(given, {role}, clock) for role in roles)
        for each in (collect, serve, alert):
            stack.callback(each.stop, WAIT_S)
        collect.start()
        serve.start()
        url = f"http://127.0.0.1:{serve.ports.dashboard}/api/v1/alerts/open"
        before = httpx.get(url, trust_env=False, timeout=WAIT_S)
        (tmp_path / "alerts.sqlite").touch()  # it is being made: opened now it would be made twice
        (look,) = (loop for loop in serve.loops if loop.name == "alert_state")
        look.run_now()
        meanwhile = httpx.get(url, trust_env=False, timeout=WAIT_S)
        alert.start()
        look.run_now()
        after = httpx.get(url, trust_env=False, timeout=WAIT_S)

    assert (before.status_code, meanwhile.status_code, after.status_code) == (400, 400, 200)
    assert "the same alerts.state_path" in before.json()["detail"]
    assert after.json()["alerts"] == []
    assert look.last_error == ""


def test_what_a_collector_could_not_store_is_attributed_when_it_has(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """Attribution elsewhere goes on by the clock meanwhile, past what the log still holds."""
    given = settings(server, tmp_path)
    attributed = (
        "SELECT decision_id, total_ns, revenue FROM attributions AS a FINAL LEFT JOIN ("
        "SELECT decision_id, revenue FROM outcome_matches FINAL) AS m USING decision_id"
    )
    with ExitStack() as stack:
        collect, attribute = (
            Service(given, {role}, clock) for role in (Role.COLLECT, Role.ATTRIBUTE)
        )
        for each in (collect, attribute):
            stack.callback(each.stop, WAIT_S)
            each.start()
        url = f"http://127.0.0.1:{collect.collector.http_port}"
        http = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S))

        def decide(decision_id: str) -> None:
            root = decision_span(decision_id=decision_id, duration_ns=7_000_000)
            assert post(http, trace_request(root)).status_code == 200
            told = logs_request(outcome(decision_id=decision_id, outcome_id=decision_id))
            assert post(http, told, "/v1/logs").status_code == 200

        def run_all() -> list[tuple[Any, ...]]:
            for loop in attribute.loops:
                loop.run_now()
                assert loop.last_error == "", loop.name
            rows = Connections(given.store).client().query(attributed).result_rows
            return sorted(tuple(row) for row in rows)

        decide("d-1")
        assert collect.collector.flush(WAIT_S)
        clock.ns += 60 * NS_PER_S
        before = run_all()
        server.fail("busy", "INSERT INTO otel", times=1_000)
        decide("d-2")
        clock.ns += 120 * NS_PER_S
        assert run_all() == before
        server.heal()
        assert collect.collector.flush(WAIT_S)
        clock.ns += 10 * NS_PER_S
        after = run_all()

    assert before == [("d-1", 7_000_000, Decimal("20.00"))]
    assert after == [*before, ("d-2", *before[0][1:])]


def test_roles_run_every_job_that_up_does(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """A job that no role runs would leave its tables empty wherever a server is used."""
    given = settings(server, tmp_path, packet={"host": "web"}, reference={"canary_every_s": 3600.0})
    service = Service(given, clock=clock)
    roles = [Service(given, {role}, clock) for role in Role]
    with ExitStack() as stack:
        stack.callback(service.stop, WAIT_S)
        service.start()
        service.start_packets()
    with ExitStack() as stack:
        for role in roles:
            stack.callback(role.stop, WAIT_S)
            role.start()

    # What each says of itself, and reads of others, is for roles apart alone.
    apart = {"progress", "elsewhere", "alert_state"}
    jobs = [loop.name for role in roles for loop in role.loops if loop.name not in apart]
    assert sorted(jobs) == sorted(loop.name for loop in service.loops)
    assert {"canary", "evidence", "packets"} <= set(jobs)


def test_two_recorders_share_a_store(server: Double, tmp_path: Path) -> None:
    """Each has rows and cursors of its own; of one that ended, whoever watches over us hears."""
    with ExitStack() as stack:
        port = stack.enter_context(echo_server())
        roles = [Service(settings(server, tmp_path), {Role.COLLECT})]
        for host in ("web", "app"):
            packet = {"host": host, "ports": [port], "sample_ratio": 1.0}
            given = settings(server, tmp_path, packet=packet)
            roles.append(Service(given, {Role.CAPTURE}, metrics_port=0))
        said = []
        for role in roles:
            stack.callback(role.stop, WAIT_S)
            role.start()
            said.append(role.describe())
        _, web, app = roles
        talk(port, rounds=10, size=100)
        client = Connections(given.store).client()
        counted = (
            "SELECT host, countIf(payload_bytes = 100) FROM packets FINAL GROUP BY 1 ORDER BY 1"
        )
        wait_for(lambda: list(client.query(counted).result_rows) == [("app", 20), ("web", 20)])
        cursors = (
            "SELECT DISTINCT job FROM job_cursors WHERE job LIKE 'packet.sample%' ORDER BY job"
        )
        own = [row[0] for row in client.query(cursors).result_rows]
        metrics = get(f"http://127.0.0.1:{web.ports.metrics}/metrics").text

        assert said[1] == f"recording lo of web into {given.store.place}"
        assert own == ["packet.sample.app", "packet.sample.web"]
        assert 'millworth_packet_bytes_total{tier="sampled"}' in metrics
        assert [web.loops[0].last_error, web.stalled(), app.stalled()] == ["", [], []]
        assert web.recorder is not None
        os.kill(web.recorder.pid, signal.SIGKILL)
        wait_for(lambda: web.stalled() == ["recorder"])
        assert web.loops[0].last_error.startswith("CaptureError: the packet recorder has ended")
        assert app.stalled() == []


def wait_for(is_so: Callable[[], bool]) -> None:
    """Ask until it is so."""
    pause = threading.Event()
    for _ in range(10 * int(WAIT_S)):
        if is_so():
            return
        pause.wait(0.1)
    raise AssertionError("it did not come to be")


def test_recorder_without_a_name_is_refused(server: Double, tmp_path: Path) -> None:
    """Two of them would take each other's cursors, and stamps of two clocks for those of one."""
    with pytest.raises(ConfigError, match=r"packet\.host is empty.* as its spans do in host.name"):
        Service(settings(server, tmp_path), {Role.CAPTURE})


def test_recorder_that_may_not_record_ends_at_once(server: Double, tmp_path: Path) -> None:
    """`up` has other things to do and runs on without packets; here there is nothing else."""
    given = settings(server, tmp_path, packet={"host": "web", "enabled": False})
    with ExitStack() as stack:
        collect = Service(given, {Role.COLLECT})
        stack.callback(collect.stop, WAIT_S)
        collect.start()
        with pytest.raises(CaptureError, match=r"packet\.enabled is false; set it to true"):
            Service(given, {Role.CAPTURE}).start()


def test_role_that_finds_no_schema_says_who_makes_it(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """Two processes that alter one table at once is what is avoided; it passes, so try again."""
    missing = "the store lacks alerts/001_create_alert_events and"
    with pytest.raises(SchemaMissingError, match=missing) as raised:
        Service(settings(server, tmp_path), {Role.SERVE}, clock).start()
    assert isinstance(raised.value, TransientError), "with exit 2 systemd leaves it down"
    assert server.requests("CREATE TABLE") == []


def test_port_of_the_metrics_that_is_taken_is_named(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """The rest is stopped again, so that another start finds nothing of it."""
    process = Service(settings(server, tmp_path), {Role.COLLECT}, clock, metrics_port=server.port)
    with pytest.raises(AddressInUseError, match=f"--metrics-port {server.port} is taken"):
        process.start()


@pytest.mark.parametrize("role", list(Role))
def test_embedded_store_has_one_owner(role: Role, tmp_path: Path) -> None:
    """The line says which command does the work there."""
    config = tmp_path / "millworth.toml"
    config.write_text(f'[store]\nurl = "chdb://{tmp_path}/store"\n')

    result = CliRunner().invoke(app, [str(role), "--config", str(config)])

    assert isinstance(result.exception, ConfigError)
    assert f"`millworth {role}` needs a server in store.url" in str(result.exception)
    assert not (tmp_path / "store").exists()


def test_doctor_names_what_sql_from_outside_may_do_on_a_server(
    server: Double, tmp_path: Path
) -> None:
    """The second wall behind the judge of statements: a user who can do nothing but read."""
    given = settings(server, tmp_path)
    found = {finding.check: finding for finding in examine(given)}
    assert not found["SQL from outside"].ok
    assert "GRANT SELECT ON millworth.*" in found["SQL from outside"].detail
    assert "secret" not in str(found.values())


def test_sql_from_outside_runs_as_the_user_who_is_named_for_it(
    server: Double, tmp_path: Path
) -> None:
    """A user that the server does not let in is refused there, and nowhere else."""
    config = server.config("writer", "secret")
    named = config.model_copy(update={"query_url": server.config("writer", "wrong").url})
    store = Connections(named)
    migrate(store.client(), NOW_NS)
    assert Reader(store).table_sizes()
    with pytest.raises(StoreRefusedError, match=r"query_url|password"):
        store.outside()
    store.close()
    assert OutsideReader(Connections(config)).answer("SELECT 1 AS a", {}).rows == [[1]]
