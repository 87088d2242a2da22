"""SIGTERM is heard at every instant of the wait for it; a fault ends the service."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.service import RunningService

WAIT_S = 60

# Told to stop at each step of the main thread in turn, in a process of its own a step.
TOLD_AT_EACH_STEP = """
import json, os, select, signal, sys
from dashboard.settings.settings import ServiceManager
from dashboard.service.stop import StopSignal
from dashboard.service.systemd import Supervisor

STEPS = 90

def run(left):
    def step(frame, event, argument):
        nonlocal left
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGTERM)
        return step

    stop = StopSignal()
    sys.settrace(step)
    Supervisor(ServiceManager("", None)).watch(stop, list)

stuck = []
for number in range(1, STEPS):
    pid = os.fork()
    if pid == 0:
        run(number)
        os._exit(0)
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    if not poll.poll(10_000):
        stuck.append(number)
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(json.dumps(stuck))
"""


def test_signal_at_any_step_of_the_wait_ends_it() -> None:
    """A handler that waits for a lock of its own thread waits for ever, and so does its process."""
    ran = subprocess.run(
        [sys.executable, "-c", TOLD_AT_EACH_STEP],
        capture_output=True,
        text=True,
        timeout=WAIT_S * 10,
        check=True,
    )
    assert json.loads(ran.stdout) == []


def test_stop_that_does_not_come_to_its_end_is_cut_off_and_says_at_what() -> None:
    """A query of minutes is not interrupted; what it would have done is done after the start."""
    program = (
        "import threading\n"
        "from collector.core import log\n"
        "from dashboard.service.stop import end_within\n"
        "log.configure(json=True)\n"
        "end_within(0.1, lambda: ['job-attribution'])\n"
        "threading.Event().wait()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    (said,) = (json.loads(line) for line in ran.stderr.splitlines())
    assert (said["event"], said["busy"]) == ("stop_cut_off", ["job-attribution"])


@pytest.mark.integration
def test_fault_ends_the_service_and_its_log_has_the_stack(tmp_path: Path) -> None:
    """Else a supervisor starts nothing, because nothing ended, and nobody knows where it was."""
    with RunningService(tmp_path) as service:
        service.process.send_signal(signal.SIGSEGV)
        assert service.process.wait(timeout=WAIT_S) == -signal.SIGSEGV
    said = (tmp_path / "service.log").read_text()
    assert "Fatal Python error: Segmentation fault" in said
    # Whichever thread took the signal; one of the engine has no frame of Python.
    assert re.search(r"[Tt]hread 0x.*:\n  File .*", said)


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_service_that_is_told_to_stop_stores_what_it_has_and_says_so(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A terminal that closes sends SIGHUP, which ended the process in the middle of what it did."""
    with RunningService(tmp_path) as service:
        service.process.send_signal(number)
        assert service.process.wait(timeout=WAIT_S) == 0
    said = [json.loads(line) for line in service.said().splitlines()]
    assert [line["drained"] for line in said if line["event"] == "collector_stopped"] == [True]


@pytest.mark.integration
def test_service_that_shall_outlive_its_terminal_does(tmp_path: Path) -> None:
    """As it is started by nohup: it hears SIGTERM, and of the terminal nothing."""
    with RunningService(tmp_path, ["nohup"]) as service:
        service.process.send_signal(signal.SIGHUP)
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        ignored = int(re.search(r"SigIgn:\t(\w+)", status)[1], 16)  # type: ignore[index]  # it is there
        assert ignored & (1 << (signal.SIGHUP - 1))
        assert httpx.get(f"{service.url}/healthz", trust_env=False).status_code == 200
        service.process.terminate()
        assert service.process.wait(timeout=WAIT_S) == 0
