"""`millworth up` whose store, write-ahead log and log lines share one disk, which fills up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.core.clock import SystemClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import TRACES, WAIT_S
from tests.support.service import RunningService, until

MIGRATE = f"{sys.executable} -m dashboard.cli.main migrate >/dev/null && "

pytestmark = pytest.mark.integration

SPANS = 20
ROUNDS = 3
# A disk of its own that no other process sees, gone with the service.
FULL = 'mount -t tmpfs -o size=60m tmpfs "$0" && cd "$0" && {}cat /dev/zero >ballast; exec "$@"'
ON_A_DISK = 'mount -t tmpfs -o size=60m tmpfs "$0" && cd "$0" && exec "$@" 2>lines'


class Service:
    """One service on one small disk, as its sender sees it."""

    def __init__(self, running: RunningService, disk: Path, channel: grpc.Channel) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[grpc.StatusCode] = []
        self.lines = ""
        self._ballast = disk / "ballast"
        self._running = running
        self._export = channel.unary_unary(TRACES, None, None)

    def send(self) -> bool:
        """Send a request of its own name once; return whether it was acknowledged."""
        name = f"request-{len(self.acknowledged) + len(self.refused)}"
        now_ns = SystemClock().now_ns()
        spans = [span(name=name, start_ns=now_ns - 1000, end_ns=now_ns) for _ in range(SPANS)]
        try:
            self._export(trace_request(*spans).SerializeToString(), timeout=WAIT_S)
        except grpc.RpcError as error:
            self.refused.append(error.code())
            return False
        self.acknowledged.append(name)
        return True

    def fill(self) -> None:
        """Leave no byte of the disk, also none that the store gave back since."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1024 * 1024, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give the disk back."""
        self._ballast.unlink()

    def logs(self) -> bool:
        """Return whether it says that it is ready to log what comes; with `logged`, all is."""
        answer = self._get("/readyz")
        said = [line for line in answer.text.splitlines() if line.startswith("logged: ")]
        is_ready = said == ["logged: ready"]
        assert is_ready or "No space left on device; free space" in said[0]
        assert (answer.status_code == 200) == is_ready
        return is_ready

    def lines_lost(self) -> float:
        """Return how many log lines found no room."""
        text = self._get("/metrics").text
        (found,) = [
            family.samples[0].value
            for family in text_string_to_metric_families(text)
            if family.name == "millworth_log_lines_lost"
        ]
        return found

    def health(self) -> dict[str, object]:
        """Return the figures of the Health page by their name."""
        return {item["name"]: item["value"] for item in self._get("/api/v1/health").json()["items"]}

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self._running.url}{path}", trust_env=False, timeout=WAIT_S)

    def stored(self) -> dict[str, int]:
        """Return the spans of each request that are in the store."""
        sql = "SELECT SpanName, count() FROM otel_traces GROUP BY SpanName"
        answer = self._running.command("query", sql)
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(line).values() for line in answer.stdout.splitlines())


@contextmanager
def on_one_disk(directory: Path) -> Iterator[Service]:
    """Yield a service whose every file is on one small disk; its `lines` are there at the end."""
    disk = directory / "disk"
    disk.mkdir()
    wrapper = ["unshare", "--mount", "sh", "-c", ON_A_DISK, str(disk)]
    python = {"PYTHONPATH": str(Path(__file__).parents[2])}
    settings = {"MILLWORTH__STORE__URL": f"chdb://{disk}/store", **python}
    with ExitStack() as held:
        with (
            RunningService(directory, wrapper, **settings) as running,
            grpc.insecure_channel(f"127.0.0.1:{running.ready['grpc_port']}") as channel,
        ):
            seen = Path(f"/proc/{running.process.pid}/root{disk}")
            # Open, so that it can be read when the disk is gone.
            lines = held.enter_context((seen / "lines").open())
            service = Service(running, seen, channel)
            yield service
            assert running.process.poll() is None, "what was started is what runs"
        service.lines = lines.read()


def test_disk_that_fills_and_is_freed_costs_no_restart_and_no_request(tmp_path: Path) -> None:
    """With the log lines on the same disk a line that was refused took the receiving thread along.

    Senders then waited for ever, with space again too.
    """
    with on_one_disk(tmp_path) as service:
        for _ in range(ROUNDS):
            assert service.send()
            lost_before, refused_before = service.lines_lost(), len(service.refused)

            # A line of the store may find no room before the next request does not.
            def is_full(lost: float = lost_before, refused: int = refused_before) -> bool:
                service.fill()
                is_taken = service.send()
                is_told = not service.logs()  # a balancer sends nothing more
                is_noted = service.lines_lost() > lost and len(service.refused) > refused
                return is_noted and is_told and not is_taken

            until(is_full)
            service.free()
            until(service.logs)  # without a request that would find it out
            until(service.send)
        until(lambda: service.stored() == dict.fromkeys(service.acknowledged, SPANS))
        lost = service.lines_lost()
        assert service.health()["log.lost"] == lost

    assert set(service.refused) == {grpc.StatusCode.UNAVAILABLE}
    # A line that gets through again is followed by how many did not; the stop writes one.
    said = [json.loads(line) for line in service.lines.splitlines() if '"log_lines_lost"' in line]
    assert said[-1]["since_start"] == lost
    assert "worker_died" not in service.lines


def test_service_runs_on_where_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """Of `millworth up 2>&1 | head -1` the pipe is closed; data is received all the same."""
    without_reader = ["bash", "-c", 'exec "$0" "$@" 2> >(exec true)']
    with (
        RunningService(tmp_path, without_reader) as running,
        grpc.insecure_channel(f"127.0.0.1:{running.ready['grpc_port']}") as channel,
    ):
        assert running.process.stdout is not None
        running.process.stdout.close()
        export = channel.unary_unary(TRACES, None, None)
        export(trace_request(span()).SerializeToString(), timeout=WAIT_S)
    assert running.process.returncode == 0


@pytest.mark.parametrize("before", ["", MIGRATE], ids=["first start", "store that is there"])
def test_start_on_a_full_disk_is_one_line_and_is_tried_again(tmp_path: Path, before: str) -> None:
    """It was a traceback with exit 1; of what passes by itself a service manager waits the end."""
    disk = tmp_path / "disk"
    disk.mkdir()
    wrapper = ["unshare", "--mount", "sh", "-c", FULL.format(before), str(disk)]
    python = {"PYTHONPATH": str(Path(__file__).parents[2])}
    settings = {"MILLWORTH__STORE__URL": f"chdb://{disk}/store", **python}
    code, said = end_of_start(RunningService(tmp_path, wrapper, **settings))
    (line,) = [line for line in said if not line.startswith(("cat: ", "{"))]
    assert code == os.EX_TEMPFAIL, line
    assert line.startswith("millworth: ")
    assert str(disk) in line
    assert "free" in line


@pytest.mark.parametrize("key", ["COLLECTOR__WAL_DIR", "ALERTS__STATE_PATH"])
@pytest.mark.parametrize("name", ["file/below", "/proc/none/below"])
def test_start_from_a_path_that_cannot_be_made_is_one_line(
    tmp_path: Path, key: str, name: str
) -> None:
    """A wrong setting is for a person: a service manager does not try again."""
    (tmp_path / "file").touch()
    path = tmp_path / name
    code, said = end_of_start(RunningService(tmp_path, **{f"MILLWORTH__{key}": str(path)}))
    line = said[-1]
    assert code == 2, said
    assert "Traceback" not in "".join(said)
    assert line.startswith(f"millworth: {key.lower().replace('__', '.')}")
    assert str(path) in line


def test_start_with_too_few_open_files_names_the_limit(tmp_path: Path) -> None:
    """No restart gives it more of them."""
    few = ["bash", "-c", 'ulimit -n 128; exec "$0" "$@"']
    code, said = end_of_start(RunningService(tmp_path, few))
    assert code == 2, said
    assert "Traceback" not in "".join(said)
    assert "may have 128 files open and needs" in said[-1]
    assert "ulimit -n" in said[-1]


def end_of_start(service: RunningService) -> tuple[int, list[str]]:
    """Return the exit status of a start that comes to nothing, and what it said."""
    with service.begin() as process:
        code = process.wait(WAIT_S)
    return code, service.said().splitlines()
