"""I/O: the file of the alert state is opened: its tables, and how an older file gets them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from collector.core.disk import may_use, remedy_of, unusable
from collector.core.errors import InputError, MillworthError, TransientError

# What passes without a change of settings, and what a person does about it meanwhile.
_PASSING: Final = {
    sqlite3.SQLITE_BUSY: "try again when the process that writes it has ended",
    sqlite3.SQLITE_FULL: "free space on its disk",
    sqlite3.SQLITE_IOERR: "repair its disk",
    sqlite3.SQLITE_NOMEM: "free memory of this machine",
}
# It may be good, and it may be that of a running service: it is not to be moved away.
_NOT_OURS: Final = (
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
# As long as SQLite waits for a lock elsewhere.
_LOG_RETRY_S, _LOG_TRIES = 0.01, 500
_PRIMARY: Final = 0xFF  # of an error code of SQLite, whose other bits are details

_FIRST: Final = """
CREATE TABLE states (
    rule TEXT, action TEXT, region TEXT, phase TEXT, is_unknown INTEGER, held_ns INTEGER,
    judged_ns INTEGER, data_ns INTEGER, episodes INTEGER, episode_id TEXT, seq INTEGER,
    started_ns INTEGER, PRIMARY KEY (rule, action, region)
) STRICT;
CREATE TABLE events (
    episode_id TEXT, seq INTEGER, at_ns INTEGER, is_mirrored INTEGER DEFAULT 0, row TEXT,
    PRIMARY KEY (episode_id, seq)
) STRICT;
CREATE INDEX events_unmirrored ON events (is_mirrored) WHERE is_mirrored = 0;
CREATE TABLE captures (
    trigger_id TEXT PRIMARY KEY, at_ns INTEGER, is_mirrored INTEGER DEFAULT 0, row TEXT
) STRICT;
CREATE TABLE deliveries (
    webhook_id TEXT PRIMARY KEY, endpoint TEXT, episode_id TEXT, seq INTEGER, kind TEXT,
    body BLOB, status TEXT, attempts INTEGER, due_ns INTEGER, created_ns INTEGER, detail TEXT
) STRICT;
CREATE INDEX deliveries_due ON deliveries (status, due_ns);
CREATE TABLE disabled_endpoints (
    endpoint TEXT PRIMARY KEY, url TEXT, disabled_ns INTEGER
) STRICT;
"""

# What was sent to the Alertmanagers: the labels of an episode are its identity there.
_ROUTED: Final = """
CREATE TABLE routed (
    episode_id TEXT PRIMARY KEY, labels TEXT, ended_ns INTEGER, closed_ns INTEGER
) STRICT;
"""

# How webhook endpoints fare: one that fails is left alone, over a restart too.
_CIRCUITS: Final = """
CREATE TABLE circuits (
    endpoint TEXT PRIMARY KEY, url TEXT, failures INTEGER, rests_until_ns INTEGER
) STRICT;
"""

# What people did, until the audit has it.
_ACTS: Final = """
CREATE TABLE acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER, actor TEXT, action TEXT, detail TEXT,
    is_audited INTEGER DEFAULT 0
) STRICT;
CREATE INDEX acts_unaudited ON acts (is_audited) WHERE is_audited = 0;
"""

# Alerts that others pushed to us.
_EXTERNAL: Final = """
CREATE TABLE external (
    fingerprint TEXT PRIMARY KEY, labels TEXT, annotations TEXT, generator_url TEXT,
    starts_ns INTEGER, ends_ns INTEGER, sender TEXT
) STRICT;
CREATE INDEX external_ends ON external (ends_ns);
"""

# What people hide, and what they say.
_PEOPLE: Final = """
CREATE TABLE silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT, matchers TEXT, starts_ns INTEGER, ends_ns INTEGER,
    actor TEXT, reason TEXT, made_ns INTEGER, ended_by TEXT
) STRICT;
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, episode_id TEXT, kind TEXT, actor TEXT, at_ns INTEGER,
    text TEXT, is_actionable INTEGER
) STRICT;
CREATE INDEX notes_of ON notes (episode_id);
CREATE INDEX deliveries_waiting ON deliveries (endpoint) WHERE status = 'pending';
CREATE INDEX deliveries_of ON deliveries (endpoint, episode_id, seq);
CREATE INDEX events_since ON events (at_ns);
"""

# When an alert ended: what it was about before counts no more.
_ENDED: Final = """
ALTER TABLE states ADD COLUMN ended_ns INTEGER DEFAULT 0;
"""

# Rules that are evaluated, and since when each is routed.
_RULES: Final = """
CREATE TABLE rules (
    rule TEXT PRIMARY KEY, first_ns INTEGER, promoted_ns INTEGER, actor TEXT, reason TEXT
) STRICT;
"""

# When rules were evaluated: a replay does it at the same instants.
_PASSES: Final = """
CREATE TABLE passes (
    end_ns INTEGER, known_ns INTEGER, PRIMARY KEY (end_ns, known_ns)
) STRICT, WITHOUT ROWID;
"""

# What each alert that fires owns of the losses, as of the last pass.
_OWNED: Final = """
CREATE TABLE owned (
    episode_id TEXT PRIMARY KEY, at_ns INTEGER, since_ns INTEGER, lost TEXT, lost_low TEXT,
    lost_high TEXT, at_risk TEXT, at_risk_low TEXT, at_risk_high TEXT, explained_by TEXT
) STRICT;
"""

# Alerts that went to nobody for a time: they are told of with what is true when that is over. When
# a message was last tried, which is not when it was written.
_HELD: Final = """
CREATE TABLE held (
    episode_id TEXT PRIMARY KEY, is_hidden INTEGER, reason TEXT, since_ns INTEGER,
    looked_ns INTEGER, from_ns INTEGER, ready_ns INTEGER, grace_ns INTEGER
) STRICT;
INSERT OR IGNORE INTO held
    SELECT episode_id, 1, detail, created_ns, created_ns, 0, 0, 0 FROM deliveries
    WHERE status = 'held';
ALTER TABLE deliveries ADD COLUMN tried_ns INTEGER DEFAULT 0;
UPDATE deliveries SET tried_ns = due_ns WHERE status = 'delivered';
"""

# A body that was changed after an attempt is another message to whoever has seen it.
_EDITIONS: Final = """
ALTER TABLE deliveries ADD COLUMN edition INTEGER DEFAULT 0;
"""

# Where decisions may be while an alert fires.
_PROPOSALS: Final = """
ALTER TABLE states ADD COLUMN proposal TEXT DEFAULT '';
"""

# What a silence was to be, where somebody ended it: the state has its last end alone.
_SILENCE_ENDS: Final = """
ALTER TABLE silences ADD COLUMN planned_ns INTEGER DEFAULT 0;
ALTER TABLE silences ADD COLUMN end_reason TEXT DEFAULT '';
"""

# Each brings a file from the version that is its place to the next. A released one stays as it is.
STEPS: Final = (
    _FIRST,
    _ROUTED,
    _CIRCUITS,
    _ACTS,
    _EXTERNAL,
    _PEOPLE,
    _ENDED,
    _RULES,
    _PASSES,
    _OWNED,
    _HELD,
    _EDITIONS,
    _PROPOSALS,
    _SILENCE_ENDS,
)
SCHEMA_VERSION: Final = len(STEPS)


def open_state(path: Path, *, bring_up: bool = True) -> sqlite3.Connection:
    """Open the file of the alert state, and make it where it is not there.

    Args:
        path: of the file.
        bring_up: whether an older file gets the tables that it lacks; without it nothing in a
            file is changed.

    Raises:
        InputError: this user may not use it, it holds something else, or it is of a newer program.
        TransientError: its disk is full, or what else passes by itself.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "name a file in a directory that can be written"
        raise unusable(f"alerts.state_path {path}", error, remedy) from error
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise _refused(path, error) from error
    try:
        if bring_up:
            _keep_a_log(db)
        # FULL: a transition that was acted upon survives a power cut, not only a kill.
        db.execute("PRAGMA synchronous = FULL")
        # Read under the lock: another role may bring the file up at the same time.
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        is_older = version < SCHEMA_VERSION and bring_up
        if is_older:
            version = _bring_up(db, version)
        # One that can be read alone says so now and not at each pass; BEGIN alone tells nothing.
        db.execute(f"PRAGMA user_version = {version:d}")
        db.execute("COMMIT" if is_older else "ROLLBACK")
    except sqlite3.DatabaseError as error:
        refused = _refused(path, error)  # before the end of this removes a log of it
        db.close()
        raise refused from error
    if version > SCHEMA_VERSION:
        db.close()
        raise InputError(
            f"alerts.state_path {path} was written by a newer Millworth (schema {version}); run "
            "that one, or name another file"
        )
    return db


def _keep_a_log(db: sqlite3.Connection) -> None:
    """Have a new file keep a write-ahead log: here alone SQLite does not wait for another."""
    for tries_left in reversed(range(_LOG_TRIES)):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not tries_left or error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_LOG_RETRY_S)
        else:
            return


def _bring_up(db: sqlite3.Connection, version: int) -> int:
    """Make the tables that an older file lacks, in the transaction that is begun."""
    # Not executescript, which ends that transaction. No statement holds a semicolon.
    for statement in " ".join(STEPS[version:]).split(";"):
        db.execute(statement)
    return SCHEMA_VERSION


def look_at_state(path: Path) -> None:
    """Look whether a file of the state can be opened, or made, and change nothing in it.

    Raises:
        InputError: this user may not use it, it holds something else, or it is of a newer program.
        TransientError: its disk is full, or what else passes by itself.
    """
    what = f"alerts.state_path {path}"
    existing = next(each for each in path.absolute().parents if each.exists())
    if not existing.is_dir():
        raise InputError(f"{what}: {existing} is no directory; name a file in a directory")
    closed = _closed_to_us(path) if existing == path.absolute().parent else existing
    if closed is not None and not may_use(closed):
        raise _closed(what, closed)
    if path.exists():
        open_state(path, bring_up=False).close()


def is_made(path: Path) -> bool:
    """Return whether a file has its tables, or something is wrong with it that opening tells."""
    try:
        with closing(sqlite3.connect(path)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return True
    return bool(version)


def _refused(path: Path, error: sqlite3.DatabaseError) -> MillworthError:
    """Return the error of ours where SQLite refuses a file."""
    message, code = f"alerts.state_path {path}: {error}", error.sqlite_errorcode & _PRIMARY
    if code in _PASSING:
        return TransientError(f"{message}; {_PASSING[code]}")
    if code not in _NOT_OURS:
        return InputError(f"{message}; move the file away to start without its state")
    if path.is_dir():
        return InputError(f"{message}; it is a directory: name a file in a directory")
    closed = _closed_to_us(path)
    if closed is None:
        return InputError(f"{message}; let this user write it, and its directory")
    return _closed(message, closed)


def _closed(message: str, closed: Path) -> InputError:
    of_user = f"give it to the user of the service: `chown USER: {closed}`"
    return InputError(f"{message}: this user cannot use {closed}; {remedy_of(closed, of_user)}")


def _closed_to_us(path: Path) -> Path | None:
    """Return the directory of a file of the state, it, or a log of it that this user cannot use."""
    logs = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if not may_use(path.parent):
        return path.parent
    return next((each for each in (path, *logs) if each.exists() and not may_use(each)), None)
