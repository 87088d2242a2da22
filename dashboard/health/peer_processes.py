"""I/O: how far the other processes of a service have come that runs as one role a process.

No process sees another, so each says in the store how far it is, among the cursors of the jobs;
whoever shows it reads that now and then, and remembers it while the store does not answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    ALERTS_CURSOR,
    ATTRIBUTION_CURSOR,
    COLLECT,
    LATE_CURSOR,
    LATE_UNTIL_CURSOR,
    RECORDER_ENDED,
    SAMPLE_CURSOR,
    read_cursors,
    read_deferred,
    write_cursors,
)
from collector.store.errors import explain

# Of each collector, with its name behind it: when something came last, up to when all that came is
# stored, and when it ended with nothing left in its log.
_RECEIVED: Final = f"{COLLECT}received "
_STORED: Final = f"{COLLECT}stored "
_ENDED: Final = f"{COLLECT}ended "
ID_FILE: Final = "id"  # beside the log
_ID: Final = re.compile(r"[0-9a-f]{32}")
# The log of a machine that is gone for longer is not waited for.
_FORGOTTEN_NS: Final = NS_PER_DAY


class CollectorCursor:
    """Says in the store how far one collector is.

    Whoever goes on with its log is the same one, under whatever name of a host: a log has an id.

    Args:
        store: where it says so.
        wal_dir: of its log.
        host: as its machine or container is called, for people.
    """

    def __init__(self, store: Connections, wal_dir: Path, host: str) -> None:
        self._store = store
        self._wal_dir = wal_dir
        self._place = f"{host}:{wal_dir.absolute()}"
        self._name = ""
        self._is_known = False

    def write(self, stored_ns: int, newest_ns: int | None) -> None:
        """Say up to when all that was received is stored, and when something was received last.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        self._write({_STORED: stored_ns, **({} if newest_ns is None else {_RECEIVED: newest_ns})})

    def end(self, at_ns: int) -> None:
        """Say that it ended and that all is stored, if it ever said anything.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        if self._is_known:
            self._write({_STORED: at_ns, _ENDED: at_ns})

    def _write(self, instants: Mapping[str, int]) -> None:
        self._name = self._name or f"{_id_of(self._wal_dir)} {self._place}"
        try:
            cursors = {f"{prefix}{self._name}": at_ns for prefix, at_ns in instants.items()}
            write_cursors(self._store.client(), cursors)
        except ClickHouseError as error:
            raise explain(error, self._store.config.place) from error
        self._is_known = True


class PeerProcesses:
    """What other processes said last, as far as it was read; before that nothing is known."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        self._cursors: Mapping[str, int] = {}
        self.put_off_ns = 0  # how much of what arrived was passed over and waits

    def read(self, _: int = 0) -> None:
        """Read it; a job, which is given an instant that it does not need.

        Raises:
            StoreUnavailableError: the store does not answer; what is known stays.
        """
        try:
            client = self._store.reader()
            cursors = read_cursors(client)
            put_off = read_deferred(client, cursors)
        except ClickHouseError as error:
            raise explain(error, self._store.config.place) from error
        self._cursors = cursors
        self.put_off_ns = sum(until_ns - after_ns for after_ns, until_ns in put_off)

    def done_ns(self, stage: str, now_ns: int, silent_s: float) -> int | None:
        """Return the instant up to which everything has passed a stage; None where none was said.

        Args:
            stage: received (when something came last), stored, attributed, late or alerted.
            now_ns: the time.
            silent_s: a collector that is further behind has stopped, and holds the stage of all
                others up no longer.
        """
        cursors = self._cursors
        at_ns = cursors.get(ATTRIBUTION_CURSOR, 0)
        if stage == "received":
            at_ns = max(self._instants_by_name(_RECEIVED).values(), default=0)
        elif stage == "stored":
            ages = self.collectors(now_ns) or {
                "": max(self._instants_by_name(_STORED).values(), default=0)
            }
            silent_ns = now_ns - round(silent_s * NS_PER_S)
            at_ns = min([ns for ns in ages.values() if ns >= silent_ns] or ages.values())
        elif stage == "alerted":
            at_ns = cursors.get(ALERTS_CURSOR, 0)
        elif stage == "late" and cursors.get(LATE_UNTIL_CURSOR, 0) > cursors.get(LATE_CURSOR, 0):
            at_ns = cursors.get(LATE_CURSOR, 0)
        return at_ns or None

    def collectors(self, now_ns: int) -> dict[str, int]:
        """Return by name the collectors that have not ended: up to when what came is stored."""
        ended, newest = self._instants_by_name(_ENDED), dict[str, tuple[int, str]]()
        for name, stored_ns in self._instants_by_name(_STORED).items():
            of_log = name.partition(" ")[0]
            newest[of_log] = max(newest.get(of_log, (0, "")), (stored_ns, name))
        ages = dict[str, int]()
        for stored_ns, name in newest.values():
            if stored_ns > ended.get(name, 0) and now_ns - stored_ns < _FORGOTTEN_NS:
                of_log, _, place = name.partition(" ")
                ages[place if place not in ages else f"{place} {of_log}"] = stored_ns
        return ages

    def recorders(self, now_ns: int) -> dict[str, int]:
        """Return by host the recorders that have not ended: up to when each looked at packets."""
        ended = self._instants_by_name(f"{RECORDER_ENDED}.")
        return {
            host: at_ns
            for host, at_ns in self._instants_by_name(f"{SAMPLE_CURSOR}.").items()
            if at_ns > ended.get(host, 0) and now_ns - at_ns < _FORGOTTEN_NS
        }

    def _instants_by_name(self, prefix: str) -> dict[str, int]:
        return {
            name.removeprefix(prefix): at_ns
            for name, at_ns in self._cursors.items()
            if name.startswith(prefix)
        }


def _id_of(wal_dir: Path) -> str:
    """Return the id of a log, which is made with the first look at it and stays with it.

    Where it cannot be kept it is of this process alone.
    """
    file = wal_dir / ID_FILE
    with suppress(OSError):
        if _ID.fullmatch(said := file.read_text(encoding="ascii", errors="replace")):
            return said
    new_id = uuid4().hex
    with suppress(OSError):
        file.write_text(new_id, encoding="ascii")
    return new_id
