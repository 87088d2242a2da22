"""The unit, the container file and their page name what the project has."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboard.cli.main import app
from dashboard.settings.explain import ENV_PREFIX
from dashboard.settings.settings import Settings
from tests.support.tree import ROOMS, ROOT, text

PROJECT = tomllib.loads(text("pyproject.toml"))["project"]
PROGRAM = "/opt/millworth/bin/millworth"
STATE = str(Settings().data_dir)


def unit(name: str) -> dict[str, list[str]]:
    """Return the [Service] settings of a unit file; one that is given twice has both values."""
    settings: dict[str, list[str]] = {}
    section = ""
    for line in text(f"packaging/{name}").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings.setdefault(key, []).append(value)
    return settings


SERVICE = unit("millworth.service")


def instructions() -> list[tuple[str, str]]:
    """Return the container file as pairs of instruction and arguments."""
    joined = re.sub(r"\\\n\s*", " ", text("packaging/Containerfile"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


IMAGE = instructions()


def last(name: str) -> str:
    """Return the arguments of the instruction that counts: the last of its kind."""
    return [arguments for instruction, arguments in IMAGE if instruction == name][-1]


def check_command(words: list[str]) -> None:
    """Fail where the program has no such command or the command no such option."""
    assert words[0] == PROGRAM
    assert Path(words[0]).name in PROJECT["scripts"]
    shown = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for option in words[2:]:
        assert not option.startswith("--") or option in shown.output


def check_variable(name: str) -> None:
    """Fail where a variable of ours is no setting."""
    model: object = Settings()
    for part in name.removeprefix(ENV_PREFIX).lower().split("__"):
        assert part in type(model).model_fields, name  # type: ignore[attr-defined]  # a section
        model = getattr(model, part)


def test_unit_is_well_formed() -> None:
    """systemd only warns of a line that it does not know."""
    for name in ("millworth.service", "capture.conf"):
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
        parser.read_string(text(f"packaging/{name}"))
        assert "Service" in parser


def test_unit_starts_a_command_that_there_is() -> None:
    """A command that was renamed would be noticed at the next boot."""
    [start] = SERVICE["ExecStart"]
    check_command(shlex.split(start))


def test_page_makes_a_unit_of_each_role_that_there_is() -> None:
    """The command of the page changes the one word, and what it starts exists."""
    page = text("docs/operate/clickhouse.md")
    [roles] = re.findall(r"for ROLE in (.+); do", page)
    [(old, new)] = re.findall(r'sed "s\|(.+?)\|(.+?)\|" packaging/millworth\.service', page)
    [start] = SERVICE["ExecStart"]
    assert start.count(old) == 1
    for role in [*roles.split(), "capture"]:
        check_command(shlex.split(start.replace(old, new.replace("$ROLE", role))))
    [enabled] = re.findall(r"systemctl enable --now (millworth-.+)", page)
    assert enabled.split() == [f"millworth-{role}" for role in roles.split()]


def test_unit_keeps_its_state_where_the_settings_look_for_it() -> None:
    """The one place that it may write to is the default of store.url."""
    assert f"/var/lib/{SERVICE['StateDirectory'][0]}" == STATE
    assert SERVICE["ProtectSystem"] == ["strict"]
    assert SERVICE["WorkingDirectory"] == [STATE]
    assert f"u {SERVICE['User'][0]} " in text("packaging/millworth.sysusers")


def test_unit_speaks_the_protocol_that_the_service_speaks() -> None:
    """Without these the service would be killed as one that never gets ready, or never at all."""
    assert SERVICE["Type"] == ["notify"]
    assert SERVICE["NotifyAccess"] == ["main"]
    assert float(SERVICE["WatchdogSec"][0]) >= 2 * 10
    assert SERVICE["RestartPreventExitStatus"] == ["2"]
    assert float(SERVICE["TimeoutStopSec"][0]) > Settings().collector.drain_seconds_max


def test_unit_has_no_capability_and_capture_adds_one() -> None:
    """Who records no packets needs none."""
    assert SERVICE["CapabilityBoundingSet"] == SERVICE["AmbientCapabilities"] == [""]
    capture = unit("capture.conf")
    assert capture["CapabilityBoundingSet"] == capture["AmbientCapabilities"] == ["CAP_NET_RAW"]
    assert capture["RestrictAddressFamilies"] == ["AF_PACKET"]


def test_image_is_built_from_what_there_is() -> None:
    """Each source exists, none is ignored, and no room is missing."""
    let_in = {line[1:] for line in text(".containerignore").splitlines() if line.startswith("!")}
    sources = [
        word
        for instruction, arguments in IMAGE
        if instruction == "COPY" and not arguments.startswith("--from")
        for word in arguments.split()[:-1]
    ]
    assert set(ROOMS) <= set(sources)
    assert set(sources) == let_in
    assert [source for source in sources if not (ROOT / source).exists()] == []
    installs = next(a for name, a in IMAGE if name == "RUN" and "pip install" in a)
    assert '".[${EXTRAS}]"' in installs
    [extras] = [a.removeprefix("EXTRAS=") for _, a in IMAGE if a.startswith("EXTRAS=")]
    offered = re.findall(r"EXTRAS=([\w,]+)", text("docs/operate/deploy.md"))
    assert {each for said in (extras, *offered) for each in said.split(",")} <= set(
        PROJECT["optional-dependencies"]
    )


def test_image_runs_commands_that_there_are() -> None:
    """The start and the health check alike."""
    entry = json.loads(last("ENTRYPOINT"))
    check_command([*entry, *json.loads(last("CMD"))])
    check_command(json.loads(last("HEALTHCHECK").partition(" CMD ")[2]))


def test_image_is_of_no_root_and_keeps_one_directory() -> None:
    """A number, which a cluster can judge without a look into the image."""
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert last("VOLUME") == STATE
    made = next(a for name, a in IMAGE if name == "RUN" and "install -d" in a)
    assert f"-o {user} -g {group}" in made
    settings = Settings()
    ports = (settings.collector.grpc_port, settings.collector.http_port, settings.dashboard.port)
    assert last("EXPOSE") == " ".join(map(str, ports))


@pytest.mark.parametrize(
    "path", ["packaging/Containerfile", "docs/operate/deploy.md", "docs/operate/security.md"]
)
def test_variables_are_settings(path: str) -> None:
    """One with a typing error would set nothing, or stop the start."""
    for name in re.findall(r"MILLWORTH__[A-Z_]*[A-Z]", text(path)):
        check_variable(name)


def test_page_names_files_that_there_are() -> None:
    """They are copied line by line."""
    page = text("docs/operate/deploy.md")
    named = set(re.findall(r"packaging/[A-Za-z.]+[a-z]", page))
    files = {f"packaging/{path.name}" for path in (ROOT / "packaging").iterdir() if path.is_file()}
    assert files == named
