"""I/O: whether a request of spans may go to the log as it is, found in one pass over its bytes.

Nearly every request may: its bytes are canonical, its values scalars, its spans good, and no rule
on personal data touches it. To find that with the official schema takes three parses, a
serialisation and a look at its times; a kernel that numba compiles finds it in one pass
(`collector.receive.fastpath.kernel`), where the extra `accel` is installed. It knows attribute
names that were judged before; those that are new are judged here, once. Whatever it does not take
goes the other way, which says what is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import numpy as np

from collector.core.log import get_logger
from collector.otlp.limits import Limits
from collector.otlp.merged_scan import TRACE_ID_BYTES
from collector.privacy.patterns import URL_PARTS, has_any
from collector.receive.fastpath.tables import (
    DEPTH,
    DOUBTFUL_MAX,
    FIRST_TRACE,
    FLAG,
    HASH_QUARTERS,
    HASH_STEP,
    HASH_TAIL,
    NAME_PLAIN,
    NAME_QUERY,
    NAME_STOP,
    OF_BYTES,
    OF_QUERY,
    PROBES,
    SCHEMA,
    SPANS,
    STATE,
    UNKNOWN,
    UNKNOWN_MAX,
    Bytes,
    Ints,
)

_LOG = get_logger("collector")
# Loading the kernel takes a second and 130 MB, compiling it the first time some ten seconds: for
# whoever sends this much, not for a test or a start.
_WORTH_SPANS: Final = 50_000
_NAMES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class PlainSpans:
    """A request that may go to the log as it is, where no pattern is in it.

    `doubtful` are the texts in which one may be, and whether each is a URL's query or fragment
    alone; None where there are too many to list.
    """

    spans: int
    trace_id: str  # of the first one, hex
    doubtful: tuple[tuple[str, bool], ...] | None


class PlainLook:
    """Looks at requests; at first, and where numba is not there, it takes none for plain.

    Args:
        has_rule: whether a rule on personal data applies to an attribute, by its name.
        stamp_names: of each stage in order, ours before the customer's.
        is_on: false: none is plain.
    """

    def __init__(
        self,
        has_rule: Callable[[str], bool],
        stamp_names: tuple[tuple[str, ...], ...],
        *,
        is_on: bool = True,
    ) -> None:
        self._has_rule = has_rule
        self._stamps = {
            # Of two names of one stage the first counts, and the kernel does not ask for that.
            name: stage if len(names) == 1 else NAME_STOP
            for stage, names in enumerate(stamp_names, start=1)
            for name in names
        }
        self._is_on = is_on
        self._names = _Names()
        self._lock = threading.Lock()
        self._unseen = _WORTH_SPANS

    def look(self, body: bytes, limits: Limits) -> PlainSpans | None:
        """Return what a plain request has; None where nobody can say that it is one."""
        scan = _KERNEL.scan
        if scan is None or not self._is_on:
            return None
        content = np.frombuffer(body, np.uint8)
        for _ in range(2):  # once more where names were new
            state, unknown, _ = scratch = _scratch()
            names = self._names
            if not scan(
                content,
                SCHEMA,
                names.slots,
                names.text,
                limits.earliest_ns,
                limits.latest_ns,
                *scratch,
            ):
                return None
            if not state[UNKNOWN]:
                at = int(state[FIRST_TRACE])
                return PlainSpans(
                    spans=int(state[SPANS]),
                    trace_id=body[at : at + TRACE_ID_BYTES].hex(),
                    doubtful=_doubtful(body, int(state[FLAG]), unknown),
                )
            self._learn({body[begin:end] for begin, end, _ in unknown[: state[UNKNOWN]].tolist()})
        return None

    def note(self, spans: int) -> None:
        """Count spans that went the other way; the kernel is loaded once that is worth it."""
        if not self._is_on or self._unseen <= 0:
            return
        with self._lock:
            is_due = 0 < self._unseen <= spans
            self._unseen -= spans
        if is_due and find_spec("numba") is not None:
            threading.Thread(target=_try_load, name="plain-kernel", daemon=True).start()

    def _learn(self, new: Iterable[bytes]) -> None:
        with self._lock:
            judged = {name: self._judge(name) for name in new}
            # Names that senders make up must not fill the memory.
            known = self._names if self._names.count < _NAMES_MAX else _Names()
            self._names = known.plus(judged)

    def _judge(self, name: bytes) -> int:
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return NAME_STOP
        if has_any(text) is not None or self._has_rule(text):
            return NAME_STOP
        if text in URL_PARTS:
            return NAME_QUERY
        return self._stamps.get(text, NAME_PLAIN)


@dataclass(slots=True)
class _Kernel:
    scan: Callable[..., bool] | None = None


_KERNEL: Final = _Kernel()  # one a process


def load() -> None:
    """Make the kernel ready, in this process.

    Raises:
        ImportError: numba is not installed.
    """
    from collector.receive.fastpath.kernel import scan

    names = _Names()
    scan(np.frombuffer(b"", np.uint8), SCHEMA, names.slots, names.text, 0, 0, *_scratch())
    _KERNEL.scan = scan


def _try_load() -> None:
    try:
        load()
    except Exception as error:  # noqa: BLE001 - whatever a compiler says: the other way is there
        _LOG.warning("plain_kernel_missing", reason=str(error)[:300])


class _Names:
    """Names and what was judged of them, as the kernel reads them; never changed."""

    def __init__(self) -> None:
        self.count = 0
        self.slots: Ints = np.full((4 * _NAMES_MAX, 3), -1, np.int64)
        self.text: Bytes = np.zeros(0, np.uint8)

    def plus(self, judged: Mapping[bytes, int]) -> _Names:
        """Return these names and more; one that finds no place stays unknown."""
        more = _Names()
        more.count = self.count + len(judged)
        more.slots = self.slots.copy()
        more.text = np.frombuffer(self.text.tobytes() + b"".join(judged), np.uint8)
        begin = len(self.text)
        for name, found in judged.items():
            more._put(name, begin, found)
            begin += len(name)
        return more

    def _put(self, name: bytes, begin: int, found: int) -> None:
        first = _hash(name)
        for probe in range(PROBES):
            slot = (first + probe) & (len(self.slots) - 1)
            if self.slots[slot, 1] < 0:
                self.slots[slot] = begin, len(name), found
                return


def _scratch() -> tuple[Ints, Ints, Ints]:
    """Return the state of a pass, room for what is new or doubtful to it, and its stack."""
    state = np.zeros(STATE, np.int64)
    state[FIRST_TRACE] = -1
    return (
        state,
        np.empty((UNKNOWN_MAX + DOUBTFUL_MAX, 3), np.int64),
        np.zeros((3, DEPTH), np.int64),
    )


def _doubtful(body: bytes, count: int, places: Ints) -> tuple[tuple[str, bool], ...] | None:
    if count > DOUBTFUL_MAX:
        return None
    return tuple(
        (body[begin:end].decode("latin-1" if of == OF_BYTES else "utf-8"), of == OF_QUERY)
        for begin, end, of in places[UNKNOWN_MAX : UNKNOWN_MAX + count].tolist()
    )


def _hash(name: bytes) -> int:
    size = mixed = len(name)
    for quarter in range(HASH_QUARTERS):
        mixed = mixed * HASH_STEP + name[size * quarter // HASH_QUARTERS]
    for back in range(1, min(size, HASH_TAIL) + 1):
        mixed = mixed * HASH_STEP + name[-back]
    return mixed
