"""Backup, upgrade and uninstall: the commands of their pages, run against a real service."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from collector.core.clock import SystemClock
from tests.support.builders import logs_request, outcome, span, trace_request
from tests.support.docs.pages import PageShell, await_rows, blocks
from tests.support.docs.systemd import Machine
from tests.support.tree import text

pytestmark = pytest.mark.integration

BACKUP, UPGRADE, UNINSTALL = (
    f"docs/operate/{name}.md" for name in ("backup", "upgrade", "uninstall")
)
COUNTS = """
SELECT (SELECT count() FROM otel_traces), (SELECT count() FROM decisions FINAL),
       (SELECT count() FROM outcomes FINAL), (SELECT count() FROM audit)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Yield a machine whose service was started once."""
    there = Machine(tmp_path)
    yield there
    there.close()


def shell_of(machine: Machine, **programs: str) -> PageShell:
    """Return a shell on the machine."""
    return PageShell(
        machine.home, machine.environment, {"systemctl": machine.systemctl, **programs}
    )


def send(machine: Machine, body: bytes, signal: str = "traces") -> None:
    """Send one request."""
    httpx.post(
        f"{machine.http_url}/v1/{signal}",
        content=body,
        headers={"content-type": "application/x-protobuf"},
        timeout=60,
    ).raise_for_status()


def decision(number: int, start_ns: int) -> bytes:
    """Return a request with one decision of a customer."""
    attributes = {"decision.action": "offer", "decision.id": f"d-{number}", "user.id": "ana"}
    one = span(trace_id=f"{number:032x}", start_ns=start_ns, attributes=attributes)
    return bytes(trace_request(one).SerializeToString())


def asked(machine: Machine, statement: str) -> list[list[object]]:
    """Return the rows of a statement."""
    answer = httpx.post(f"{machine.url}/api/v1/query", json={"sql": statement}, timeout=60)
    rows: list[list[object]] = answer.raise_for_status().json()["rows"]
    return rows


def token_of_ana(shell: PageShell) -> set[str]:
    """Return the tokens of a value."""
    return set(json.loads(shell.run("millworth identifiers tokens ana --json"))["tokens"])


def test_what_was_backed_up_is_read_back(machine: Machine) -> None:
    """Rows, tokens, audit, receipts and the state of alerts are those of the backup."""
    shell = shell_of(machine)
    shell.run("systemctl start millworth")
    now_ns = SystemClock().now_ns()
    requests = [decision(number, now_ns + number) for number in range(1, 4)]
    for body in requests:
        send(machine, body)
    sold = outcome(outcome_id="o-1", decision_id="d-1", time_ns=now_ns)
    send(machine, bytes(logs_request(sold).SerializeToString()), "logs")
    await_rows(machine, "SELECT count() FROM decisions FINAL", 3)
    await_rows(machine, "SELECT count() FROM outcomes FINAL", 1)
    tokens = token_of_ana(shell)
    copy = machine.home / "copy.tar"
    back_up, restore, look = blocks(BACKUP, "sh")

    assert "the backup is whole" in shell.run(back_up, STATE=machine.state, BACKUP=copy)
    before = asked(machine, COUNTS)
    send(machine, decision(9, now_ns))
    await_rows(machine, "SELECT count() FROM decisions FINAL", 4)
    shell.run("systemctl stop millworth")
    assert_paths_are_there(machine.state)
    assert_cut_archive_is_refused(shell, machine, copy)
    shutil.rmtree(machine.state)
    shell.run(restore, STATE=machine.state, BACKUP=copy)
    after = asked(machine, COUNTS)
    for body in requests:  # a sender's retry over the restore
        send(machine, body)
    printed = shell.run(look)

    assert after[0][:3] == before[0][:3] == [3, 3, 1]
    assert token_of_ana(shell) == tokens
    assert '"count()": 3' in printed
    repeated = re.search(
        r'^millworth_repeated_total\{signal="traces"\} (\d+)',
        httpx.get(f"{machine.url}/metrics").text,
        re.MULTILINE,
    )
    assert repeated is not None
    assert int(repeated[1]) == len(requests)
    with closing(sqlite3.connect(machine.state / "alerts.sqlite")) as alerts:
        assert alerts.execute("SELECT count(*) FROM states").fetchone()[0] >= 1


def assert_cut_archive_is_refused(shell: PageShell, machine: Machine, copy: Path) -> None:
    """Assert that neither check takes half of a copy for whole, and that nothing is moved."""
    cut = copy.with_name("cut.tar")
    # Within a member: where one ends, what is there is whole for tar.
    with tarfile.open(copy) as archive:
        largest = max(archive.getmembers(), key=lambda each: each.size)
    cut.write_bytes(copy.read_bytes()[: largest.offset_data + largest.size // 2])
    cut.with_name("cut.tar.sha256").write_text(copy.with_name("copy.tar.sha256").read_text())
    with pytest.raises(AssertionError, match="1c1"):
        shell.run(blocks(BACKUP, "sh")[1], STATE=machine.state, BACKUP=cut)
    assert machine.state.exists()
    assert not [*machine.state.parent.glob(f"{machine.state.name}.before*")]
    [listing] = [line for line in blocks(BACKUP, "sh")[0].splitlines() if "tar --list" in line]
    with pytest.raises(AssertionError, match="Unexpected EOF"):
        shell.run(f"BACKUP={cut}\n{listing}")


def assert_paths_are_there(state: Path) -> None:
    """Assert that a service writes every path of the page: a renamed one would not be copied."""
    table = text(BACKUP).partition("| path |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[1:] if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    written = {str(path.relative_to(state)) for path in state.rglob("*")}
    assert {name.rstrip("/") for name in named if "*" not in name} <= written
    assert any(name.endswith(".receipts") for name in written)


def test_upgrade_and_rollback_of_the_page(machine: Machine) -> None:
    """The same release stands for both: what is shown is that every command runs and data stay."""
    opt = machine.home / "opt" / "bin"
    opt.mkdir(parents=True)
    shell = shell_of(machine, pip='echo "$@" >> pip.log')
    for name in ("millworth", "pip"):
        (opt / name).symlink_to(machine.home / ".venv" / "bin" / name)
    # `doctor` exits with 1 where this machine lacks something; the page says so.
    shell.run("systemctl start millworth")
    send(machine, decision(1, SystemClock().now_ns()))
    await_rows(machine, "SELECT count() FROM decisions FINAL", 1)
    copy = machine.home / "copy.tar"
    shell.run(blocks(BACKUP, "sh")[0], STATE=machine.state, BACKUP=copy)
    upgrade, back = blocks(UPGRADE, "sh")

    shell.run(upgrade.replace("doctor\n", "doctor || test $? = 1\n"), MILLWORTH=opt.parent)
    assert asked(machine, COUNTS)[0][:2] == [1, 1]
    shell.run(back, MILLWORTH=opt.parent, STATE=machine.state, BACKUP=copy)
    assert asked(machine, COUNTS)[0][:2] == [1, 1]
    assert (machine.home / "pip.log").read_text().count("-c constraints.txt .[server]") == 2


def test_uninstall_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    """What `deploy.md` installs is gone; data and settings go only when asked."""
    root = tmp_path / "root"
    installed = {
        "etc/systemd/system/millworth.service",
        "etc/systemd/system/millworth.service.d/capture.conf",
        "usr/lib/sysusers.d/millworth.conf",
        "opt/millworth/bin/millworth",
        "var/cache/millworth/kernel",
    }
    kept = {"var/lib/millworth/store/data", "etc/millworth/millworth.toml"}
    for name in installed | kept:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    named = set(re.findall(r"(?<= )/(?:etc|usr|opt|var)/[\w./-]+", text("docs/operate/deploy.md")))
    assert {f"/{name}" for name in installed if name.startswith("etc/systemd")} <= named
    shell = shell_of(machine)
    program, data = blocks(UNINSTALL, "sh")

    shell.run(program, DESTDIR=root)
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert left == kept
    shell.run(data, DESTDIR=root)
    assert [path for path in root.rglob("*") if path.is_file()] == []
