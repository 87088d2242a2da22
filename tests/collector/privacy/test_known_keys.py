"""A key is known by its id, and another one under it is not taken in silence."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from collector.core.errors import ConfigError
from collector.core.key_files import parse_keys
from collector.core.log import configure
from collector.privacy.guard import Protection
from collector.privacy.known_keys import KIDS_FILE, check_known, note_known
from collector.privacy.rules import KEYS_FILE, IdentifiersConfig
from tests.conftest import NOW_NS

OLD = f"k1:{'11' * 32}"
OTHER = f"k1:{'22' * 32}"
NEW = f"k2:{'22' * 32}"


def started(directory: Path, keys: str, *, late: bool = False) -> str:
    """Return the token of a user under these keys, of a service or of a command."""
    config = IdentifiersConfig.model_validate({"keys": keys})
    guard = Protection(config, directory=directory if late else None)
    if not late:
        guard.open(directory)
    return guard.replace("user.id", "7", NOW_NS)


@pytest.mark.parametrize("late", [False, True])
def test_another_key_under_an_id_of_before_is_refused(tmp_path: Path, *, late: bool) -> None:
    """Its tokens looked like those of before, and one person was two."""
    token = started(tmp_path, OLD)
    with pytest.raises(ConfigError, match="key 'k1' is another than the one") as refused:
        started(tmp_path, OTHER, late=late)
    assert "22" not in str(refused.value)
    with pytest.raises(ConfigError, match="key 'k1'"):  # what a doctor asks
        Protection(IdentifiersConfig.model_validate({"keys": OTHER})).describe(tmp_path)
    assert started(tmp_path, OLD, late=late) == token


def test_new_key_in_front_is_noted_and_the_one_of_before_stays_known(tmp_path: Path) -> None:
    """As keys are rotated; an id that is no longer used is not free for another key."""
    started(tmp_path, OLD)
    assert started(tmp_path, f"{NEW},{OLD}").startswith("tok_k2-")
    started(tmp_path, NEW)
    with pytest.raises(ConfigError, match="key 'k1'"):
        started(tmp_path, f"{NEW},{OTHER}")


@pytest.mark.parametrize("late", [False, True])
def test_key_under_another_id_is_refused(tmp_path: Path, *, late: bool) -> None:
    """The id is in the tokens: with the same key, one person was two."""
    made = Protection(IdentifiersConfig())
    made.open(tmp_path)
    [line] = [text for text in (tmp_path / KEYS_FILE).read_text().splitlines() if ":" in text]
    renamed = f"{NEW},{line.replace('a1:', 'k1:')}"
    with pytest.raises(ConfigError, match="key 'k1' made tokens under the id 'a1' before"):
        started(tmp_path, renamed, late=late)
    started(tmp_path, f"{NEW},{line}", late=late)


def test_key_that_is_no_longer_given_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever loses one knows; whoever forgets one finds nobody again, and was not told."""
    configure(json=True)
    started(tmp_path, OLD)
    started(tmp_path, f"{NEW},{OLD}")
    assert "identifiers_key_missing" not in capsys.readouterr().err
    started(tmp_path, NEW)
    [said] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (said["event"], said["ids"]) == ("identifiers_key_missing", ["k1"])
    told = Protection(IdentifiersConfig.model_validate({"keys": NEW})).describe(tmp_path)
    assert "WITHOUT k1" in told


def test_key_that_is_made_anew_where_nothing_is_stored_is_no_other(tmp_path: Path) -> None:
    """Whoever begins again, with an empty store, could not give a key of ours another id."""
    guard = Protection(IdentifiersConfig())
    guard.open(tmp_path)
    token = guard.replace("user.id", "7", NOW_NS)
    (tmp_path / KEYS_FILE).unlink()
    again = Protection(IdentifiersConfig())
    again.open(tmp_path)
    assert again.replace("user.id", "7", NOW_NS) != token
    assert len((tmp_path / KIDS_FILE).read_text().splitlines()) == 1


def test_command_notes_nothing(tmp_path: Path) -> None:
    """A shell with other settings would keep the service from its start."""
    started(tmp_path, OLD, late=True)
    assert not (tmp_path / KIDS_FILE).exists()


def test_no_key_is_in_the_file(tmp_path: Path) -> None:
    """A mark, which says whether a key is the same one and nothing of it."""
    note_known(tmp_path, parse_keys(OLD, "here"))
    kid, mark = (tmp_path / KIDS_FILE).read_text().split()
    assert (kid, len(mark), mark in OLD) == ("k1", 32, False)
    assert not stat.S_IMODE((tmp_path / KIDS_FILE).stat().st_mode) & stat.S_IWOTH


@pytest.mark.parametrize("content", [b"k1\n", b"k1 a b\n", b"\xff\n"])
def test_file_that_is_none_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    """It is not taken for an empty one."""
    (tmp_path / KIDS_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=r"identifiers\.kids cannot be read: .*; put it back"):
        check_known(tmp_path, parse_keys(OLD, "here"))


def test_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A start says what to do; nothing was taken by then."""
    with pytest.raises(ConfigError, match=r"identifiers\.kids cannot be written: No such file"):
        note_known(tmp_path / "none", parse_keys(OLD, "here"))
