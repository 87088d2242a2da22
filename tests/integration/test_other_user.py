"""The service runs as a user of its own, who may have no name, and others run commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService, millworth, millworth_without_rights

pytestmark = pytest.mark.integration

UID = 10001  # of the image
# It may read all, as the interpreter of this machine may lie in the home of root.
ANOTHER = (
    *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)
# Who is not root becomes another in a namespace, which root may not make in every container.
NAMELESS = ("unshare", "--user", f"--map-user={UID}", f"--map-group={UID}")
NO_NAMES = {"USER": "", "LOGNAME": "", "LNAME": "", "USERNAME": ""}

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of two users")


def place_of(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a directory that the service's user has, and the settings of a store in it."""
    state = tmp_path / "state"
    state.mkdir(mode=0o750)
    os.chown(state, UID, UID)
    environment = RunningService(state).environment
    return state, {**environment, "MILLWORTH__DASHBOARD__PORT": "1", **NO_NAMES}


def not_theirs(state: Path) -> list[str]:
    """Return what the service's user does not own there."""
    ours = (path for path in [state, *state.rglob("*")] if path.name != "service.log")
    return [str(path) for path in ours if path.lstat().st_uid != UID]


def test_user_without_a_name_runs_the_service(tmp_path: Path) -> None:
    """Docker and Kubernetes run the image under a number that is in no list of users."""
    is_root = os.geteuid() == 0
    directory = place_of(tmp_path)[0] if is_root else tmp_path
    with RunningService(directory, ANOTHER if is_root else NAMELESS, **NO_NAMES) as service:
        answer = httpx.get(f"{service.url}/api/v1/audit", trust_env=False, timeout=WAIT_S)
        (first, *_) = answer.json()["rows"]
        assert json.loads(first["detail"])["user"] == f"uid {UID}"
        assert service.process.poll() is None


@only_root
def test_root_looks_before_the_first_start_and_leaves_nothing(tmp_path: Path) -> None:
    """`doctor` made the store, closed to the user whose service was to start next."""
    state, environment = place_of(tmp_path)
    found = millworth("doctor", **environment)
    assert f"the first start makes {state / 'store'}" in found.stdout, found
    assert list(state.iterdir()) == []
    state.rmdir()
    assert f"the directory {state} does not exist" in millworth("doctor", **environment).stdout


@only_root
def test_what_root_does_while_the_service_is_stopped_is_of_the_services_user(
    tmp_path: Path,
) -> None:
    """One query left a part of the audit that the service could not open: it started no more."""
    state, environment = place_of(tmp_path)
    sales = tmp_path / "sales.json"  # which only root reads
    sales.write_text(
        '[{"outcome_id": "o-1", "occurred_at": 1, "decision_id": "d-1", "revenue": "5.00"}]'
    )
    spans = tmp_path / "spans.json"
    spans.write_text('{"resourceSpans": []}')
    assert millworth("migrate", **environment).returncode == 0
    assert not_theirs(state) == []
    with RunningService(state, ANOTHER, **NO_NAMES):
        pass
    for command in (
        ("query", "SELECT 1"),
        ("doctor",),
        ("verify", "audit"),
        ("import", "outcomes", str(sales)),
        ("import", "otlp", str(spans)),
        ("hold", "add", "h", "--from", "2026-11-01", "--to", "2026-11-02", "--reason", "asked"),
    ):
        answer = millworth(*command, **{**environment, "USER": "alice"})
        assert answer.returncode in {0, 1}, answer
        assert not_theirs(state) == [], command
    with RunningService(state, ANOTHER, **NO_NAMES) as service:
        sql = "SELECT actor FROM audit WHERE action = 'hold_added'"
        assert json.loads(service.command("query", sql).stdout) == {"actor": "alice"}


@only_root
def test_doctor_of_root_says_what_the_service_may(tmp_path: Path) -> None:
    """It said that packets can be recorded, by the rights of root, of a service that has none."""
    state, _ = place_of(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    asked = {"MILLWORTH__PACKET__ENABLED": "true", "MILLWORTH__DASHBOARD__PORT": port}
    with RunningService(state, ANOTHER, **NO_NAMES, **asked) as service:
        found = json.loads(millworth("doctor", "--json", **service.environment).stdout)
    [finding] = [each for each in found if each["check"] == "packets"]
    assert not finding["ok"], finding


def test_whoever_may_not_use_the_store_is_told_so_in_a_line(tmp_path: Path) -> None:
    """It was a traceback of forty."""
    environment = RunningService(tmp_path).environment
    assert millworth("migrate", **environment).returncode == 0
    store = tmp_path / "store"
    store.chmod(0)
    for command in (("query", "SELECT 1"), ("verify", "audit")):
        answer = millworth_without_rights(*command, **environment)
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1), answer
        assert f"this user cannot use {store}; " in answer.stderr
    found = json.loads(millworth_without_rights("doctor", "--json", **environment).stdout)
    [finding] = [each for each in found if each["check"] == "store"]
    assert f"this user cannot use {store}; " in finding["detail"]
    store.chmod(0o700)


@only_root
def test_root_does_not_run_the_service_of_another_user(tmp_path: Path) -> None:
    """What it wrote that user could not open; a store that root has is root's to run."""
    state, environment = place_of(tmp_path)
    assert millworth("migrate", **environment).returncode == 0
    refused = millworth("up", **environment)
    assert (refused.returncode, refused.stdout) == (2, ""), refused
    assert f"{state / 'store'} is of uid {UID}, who could not open" in refused.stderr
    assert f"chown -R root: {state / 'store'} {state / 'wal'}" in refused.stderr
    assert not_theirs(state) == []


def test_file_that_the_user_cannot_open_is_named_with_its_remedy(tmp_path: Path) -> None:
    """systemd tried for ever, and the line did not say what to do."""
    with RunningService(tmp_path) as service:
        pass
    [data] = service.store_path.glob("metadata/millworth.sql")
    data.chmod(0)
    rights = "-dac_override,-dac_read_search"
    lay_down = ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}")
    again = RunningService(tmp_path, lay_down if os.geteuid() == 0 else ())
    with again.begin() as process:
        assert process.wait(WAIT_S) == 2
    assert f"`chown -R USER: {service.store_path}`" in again.said()


@only_root
def test_root_is_told_of_settings_that_the_service_cannot_read(tmp_path: Path) -> None:
    """Both commands said that all was well, and the next start ended with exit 2."""
    with TemporaryDirectory(dir="/var/tmp") as place:  # root alone enters what pytest made
        top = Path(place)
        top.chmod(0o755)
        state, environment = place_of(top)
        locked = top / "locked"
        locked.mkdir(mode=0o700)
        key = locked / "identifiers.key"
        key.write_text(f"a1:{'0' * 64}\n")
        key.chmod(0o600)
        config = top / "millworth.toml"
        config.write_text(f'[identifiers]\nkeys_path = "{key}"\n')
        config.chmod(0o600)
        # What to do, and what is said before it is done.
        for remedy, said in (
            (("chown", str(UID), str(config)), f"{config} cannot be read by uid {UID}"),
            (("chmod", "o+x", str(locked)), f"may not enter {locked}: "),
            (("chown", str(UID), str(key)), f"`chown {UID} {key}`"),
        ):
            checked = millworth("config", "check", "--config", str(config), **environment)
            looked = millworth("doctor", "--json", "--config", str(config), **environment)
            assert (checked.returncode, checked.stderr.count("\n")) == (2, 1), checked
            assert said in checked.stderr
            closed = [each for each in json.loads(looked.stdout) if each["check"] == "files"]
            assert any(said in each["detail"] for each in closed), looked
            subprocess.run(remedy, check=True)
        checked = millworth("config", "check", "--config", str(config), **environment)
        assert (checked.returncode, checked.stderr) == (0, ""), checked
        assert list(state.iterdir()) == []


def test_state_directory_of_another_is_to_be_given_and_not_left(tmp_path: Path) -> None:
    """The remedy was to name another directory, where the store would have been empty."""
    state = tmp_path / "state"
    state.mkdir(mode=0)
    environment = RunningService(state).environment
    started = millworth_without_rights("up", **environment)
    looked = json.loads(millworth_without_rights("doctor", "--json", **environment).stdout)
    state.chmod(0o700)
    assert (started.returncode, started.stderr.count("\n")) == (2, 1), started
    assert f"`chown -R USER: {state}`" in started.stderr
    assert "name another" not in started.stderr
    [found] = [each for each in looked if f"may not enter {state}; " in each["detail"]]
    assert found["check"] == "store"
    assert not [each for each in looked if "Errno" in each["detail"]]
