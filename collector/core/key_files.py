"""I/O: secret keys from a setting or a file; a file may be made where there is none."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from collector.core.disk import Disk, unusable
from collector.core.errors import ConfigError

KEY_BYTES: Final = 32
_ENTRY: Final = re.compile(r"([a-z0-9]{1,12}):([0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True)
class Key:
    """One key; its id may be read by anyone."""

    kid: str
    secret: bytes = field(repr=False)


def parse_keys(text: str, where: str) -> tuple[Key, ...]:
    """Return keys written as `kid:64 hex digits`, newest first, with commas or lines between.

    Raises:
        ConfigError: one is not written so; the message shows no digit of it.
    """
    keys: dict[str, Key] = {}
    lines = [line.split("#")[0] for line in text.splitlines()]
    for place, entry in enumerate(re.split(r"[,\s]+", " ".join(lines).strip()), 1):
        match = _ENTRY.fullmatch(entry)
        if match is None or len(match[2]) != 2 * KEY_BYTES:
            raise ConfigError(
                f"{where}: key {place} is not kid:{2 * KEY_BYTES} hex digits, with a kid of "
                "at most 12 lower-case letters and digits; make one with `openssl rand -hex 32`"
            )
        if match[1] in keys:
            raise ConfigError(f"{where}: kid {match[1]} stands twice; give each key its own")
        keys[match[1]] = Key(match[1], bytes.fromhex(match[2]))
    return tuple(keys.values())


def read_secret(path: Path, where: str, *, for_group: bool = False) -> bytes:
    """Return the content of a file that nobody but its owner may read.

    Args:
        path: the file.
        where: the setting that names it, for messages.
        for_group: its group may read it too, as a file that root hands to a service.

    Raises:
        ConfigError: it cannot be read, or others may read it.
    """
    try:
        with path.open("rb") as opened:
            mode, content = os.fstat(opened.fileno()).st_mode, opened.read()
    except OSError as error:
        raise ConfigError(
            f"{where}: {path} cannot be read: {error.strerror}; correct the path, or its owner and "
            "mode"
        ) from error
    require_secret_mode(path, mode, where, for_group=for_group)
    return content


def require_secret_mode(path: Path, mode: int, where: str, *, for_group: bool = False) -> None:
    """Raise ConfigError where the mode of a file lets others read, write or run it."""
    if mode & (stat.S_IRWXO if for_group else stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{where}: {path} may be read by others (mode {stat.S_IMODE(mode):04o}); "
            f"run `chmod {'640' if for_group else '600'} {path}`"
        )


def read_keys_file(path: Path, where: str) -> tuple[Key, ...]:
    """Return the keys in a file.

    Raises:
        ConfigError: it cannot be read, others may read it, or it holds something else.
    """
    try:
        text = read_secret(path, where).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {path} cannot be read: not UTF-8; name the file") from error
    return parse_keys(text, f"{where}: {path}")


def made_keys_file(path: Path, purpose: str) -> tuple[Key, ...]:
    """Return the keys in a file of ours; make it, with one random key, where it is not there.

    It is on disk when this returns: a key that a power cut takes away would leave its tokens alone.

    Raises:
        ConfigError: it can neither be read nor made.
        TransientError: its disk has no room.
    """
    if path.exists():
        return read_keys_file(path, purpose)
    key = Key("a1", secrets.token_bytes(KEY_BYTES))
    text = f"# {purpose}. Keep it secret, and keep it.\n{key.kid}:{key.secret.hex()}\n"
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # Whole or not at all, and whoever is first wins.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        Disk().sync_directory(path.parent)
    except OSError as error:
        what = f"{purpose}: {path} cannot be made"
        raise unusable(what, error, "make its directory writable", ConfigError) from error
    return read_keys_file(path, purpose)
