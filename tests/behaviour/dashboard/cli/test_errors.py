"""Whatever is wrong at a start ends in one line that names it and the remedy, with exit 2.

What passes by itself ends with 75, so that systemd tries again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.service import RunningService, millworth, millworth_in, millworth_without_rights

pytestmark = pytest.mark.integration

# What a command does with a store while it is at work.
OPEN = """
import sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
Connections(StoreConfig(url=sys.argv[1])).client()
print("open", flush=True)
sys.stdin.read()
"""


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str, status: int = 2) -> None:
    """Assert the exit status and one line on standard error that holds every part."""
    assert result.returncode == status, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("millworth: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in lines[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Yield a port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_second_service_on_one_directory_is_refused(tmp_path: Path) -> None:
    """Two owners of one embedded store would destroy it."""
    with RunningService(tmp_path) as first:
        second = millworth("up", **first.environment)
    assert_one_line(
        second,
        f"store {first.store_path} is held by another process",
        "try again when that one has ended",
        status=os.EX_TEMPFAIL,
    )


def test_service_that_meets_a_command_at_work_is_tried_again(tmp_path: Path) -> None:
    """With exit 2 systemd left it down for good; its remedy would have begun an empty store."""
    environment = RunningService(tmp_path).environment
    url = environment["MILLWORTH__STORE__URL"]
    assert millworth("migrate", **environment).returncode == 0
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        refused = millworth("up", **environment)
        holder.communicate()
    assert_one_line(refused, "try again", status=os.EX_TEMPFAIL)
    assert "MILLWORTH__STORE__URL" not in refused.stderr
    with RunningService(tmp_path):
        pass


def test_command_beside_a_service_that_starts_says_so_in_a_line(tmp_path: Path) -> None:
    """It was 36 lines of the engine's stack, and the address that was asked for the remedy."""
    with RunningService(tmp_path) as service:
        # Where nobody answers, as before the pages are there.
        environment = {**service.environment, "MILLWORTH__DASHBOARD__PORT": "1"}
        early = millworth("alerts", "list", **environment)
        lock = service.store_path / "status"
        os.utime(lock, (0, 0))  # and as it has run for long
        late = millworth("alerts", "list", **environment)
    (line,) = early.stderr.splitlines()
    assert early.returncode == os.EX_TEMPFAIL
    assert "does not answer at http://127.0.0.1:1 yet: it is starting (`millworth ready`" in line
    assert_one_line(late, "does not answer at http://127.0.0.1:1; name its address with --url")
    assert len(late.stderr.splitlines()) == 1


def test_server_that_is_away_is_no_wrong_setting(tmp_path: Path) -> None:
    """A watchdog starts it again: with exit 2 a reboot of both machines kept a collector down."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        wal_dir = str(tmp_path / "wal")
        result = millworth(
            "collect", MILLWORTH__STORE__URL=url, MILLWORTH__COLLECTOR__WAL_DIR=wal_dir
        )
    assert result.returncode == os.EX_TEMPFAIL, result.stderr
    assert f"millworth: store {url} does not answer; start that server" in result.stderr
    unit = (Path(__file__).parents[4] / "packaging/millworth.service").read_text()
    assert "RestartPreventExitStatus=2\n" in unit
    assert "Restart=always\n" in unit
    assert "StartLimitIntervalSec=0\n" in unit


@pytest.mark.parametrize("command", [["migrate"], ["query", "SELECT 1"], ["alerts", "list"]])
def test_server_that_is_away_is_one_line_with_the_reason(
    tmp_path: Path, command: list[str]
) -> None:
    """It was cut before `Connection refused`, behind a line of the library's own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        environment = {
            "MILLWORTH__STORE__URL": url,
            "MILLWORTH__COLLECTOR__WAL_DIR": str(tmp_path / "wal"),
            "MILLWORTH__DASHBOARD__PORT": "1",  # nobody's
        }
        result = millworth(*command, **environment)
    assert result.returncode == os.EX_TEMPFAIL, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"millworth: store {url} does not answer; start that server")
    assert "Connection refused" in line
    assert "max_execution_time" not in line


@pytest.mark.parametrize(
    "text",
    [
        "this is <not xml",
        "<clickhouse><users_config>nope.xml</users_config></clickhouse>",
        "<clickhouse><path>{}/other/</path></clickhouse>",
    ],
)
def test_file_of_the_working_directory_is_not_the_engines(tmp_path: Path, text: str) -> None:
    """In `/tmp` anybody decides what is in `config.xml`; a command ended in a stack of Python."""
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    environment = {
        "MILLWORTH__STORE__URL": f"chdb://{store}",
        "MILLWORTH__DASHBOARD__PORT": "1",
        "PYTHONPATH": str(Path.cwd()),
    }
    assert millworth("migrate", **environment).returncode == 0
    elsewhere.mkdir()
    config = elsewhere / "config.xml"
    config.write_text(text.format(elsewhere))
    asked = millworth_in(elsewhere, "query", "SELECT 42 AS answer", **environment)
    assert (asked.returncode, asked.stdout) == (0, '{"answer": 42}\n'), asked.stderr
    assert asked.stderr == ""
    assert list(elsewhere.iterdir()) == [config]


@pytest.mark.parametrize("key", ["COLLECTOR__GRPC_PORT", "COLLECTOR__HTTP_PORT", "DASHBOARD__PORT"])
def test_taken_port_names_the_port_and_the_key(tmp_path: Path, taken_port: int, key: str) -> None:
    """An operator has to know which of the three ports, and which key moves it."""
    environment = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'store'}",
        "MILLWORTH__COLLECTOR__GRPC_PORT": "0",
        "MILLWORTH__COLLECTOR__HTTP_PORT": "0",
        "MILLWORTH__DASHBOARD__PORT": "0",
        f"MILLWORTH__{key}": str(taken_port),
    }

    result = millworth("up", **environment)

    assert_one_line(
        result,
        f"127.0.0.1:{taken_port}",
        key.lower().replace("__", "."),
        status=os.EX_TEMPFAIL,
    )
    assert "add_port" not in result.stderr  # a library's own words beside ours


def test_wrong_key_is_named_with_the_right_one(tmp_path: Path) -> None:
    """A typing error in a settings file never starts the service."""
    path = tmp_path / "millworth.toml"
    path.write_text("[packet]\nsnaplen_byte = 96\n")

    assert_one_line(
        millworth("up", "--config", str(path)),
        "packet.snaplen_byte is not a setting",
        "packet.snaplen_bytes",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[retention.tables]\nrejectd = 10\n", "did you mean rejected?"),
        ("[retention]\ntelemetry_days = 10\n", "which would lapse as they are stored"),
    ],
)
def test_retention_that_no_start_takes_is_not_called_good(
    tmp_path: Path, text: str, says: str
) -> None:
    """`config check` is what is asked before a roll-out."""
    path = tmp_path / "millworth.toml"
    path.write_text(text)

    assert_one_line(millworth("config", "check", "--config", str(path)), says)


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A missing parent is most often a typing error: it is not made silently."""
    result = millworth("up", MILLWORTH__STORE__URL=f"chdb://{tmp_path / 'nowhere' / 'store'}")

    assert_one_line(result, str(tmp_path / "nowhere"), "does not exist")


def test_file_without_read_permission_is_named(tmp_path: Path) -> None:
    """The line names it, and what the machine says."""
    path = tmp_path / "millworth.toml"
    path.write_text("[store]\n")
    path.chmod(0)

    result = millworth_without_rights("config", "check", "--config", str(path))

    assert_one_line(result, str(path), "cannot be read: Permission denied")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A directory stands in for a file without read permission: the tests may run as root."""
    assert_one_line(millworth("config", "check", "--config", str(tmp_path)), str(tmp_path))


def test_import_of_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path that was typed is in the message."""
    store = f"chdb://{tmp_path / 'store'}"
    assert millworth("migrate", MILLWORTH__STORE__URL=store).returncode == 0

    result = millworth(
        "import",
        "outcomes",
        str(tmp_path / "none.csv"),
        MILLWORTH__STORE__URL=store,
        MILLWORTH__DASHBOARD__PORT="1",
    )

    assert_one_line(result, "none.csv")


@pytest.mark.parametrize("section", ["collector", "dashboard"])
def test_open_door_ends_the_start_before_anything_is_made(tmp_path: Path, section: str) -> None:
    """Neither a port nor a store: a machine on a network must not learn it from its visitors."""
    environment = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'store'}",
        f"MILLWORTH__{section.upper()}__HOST": "0.0.0.0",
    }

    assert_one_line(millworth("up", **environment), f"{section}.host: ", "without authentication")
    assert list(tmp_path.iterdir()) == []


def test_certificate_that_cannot_be_used_ends_the_start_before_anything_is_made(
    tmp_path: Path,
) -> None:
    """The service would migrate a store and then not listen."""
    files = Authority(tmp_path).issue("server")
    environment = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'store'}",
        "MILLWORTH__DASHBOARD__TLS__CERT_FILE": str(files.cert),
        "MILLWORTH__DASHBOARD__TLS__KEY_FILE": str(tmp_path / "nowhere.key"),
    }

    assert_one_line(millworth("up", **environment), "dashboard.tls.key_file: ", "nowhere.key")
    assert not (tmp_path / "store").exists()


def test_version_is_that_of_the_package() -> None:
    """The first question of whoever is asked for help."""
    answer = millworth("--version")

    assert (answer.returncode, answer.stdout) == (0, f"millworth {version('millworth')}\n")
