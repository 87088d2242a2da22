from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from collector.core.disk import Disk
from collector.core.errors import InputError, LogFullError, LogInUseError, LogWriteError
from collector.wal.directory import claim_directory
from collector.wal.frames import encode_frame, scan, segment_created_ns
from collector.wal.log import Budget, Log
from collector.wal.watermarks import Arrivals
from tests.conftest import NOW_NS, ManualClock

WAIT_S = 30  # for what happens at once; never the time that a test takes


class SlowDisk(Disk):
    """A disk whose sync a test holds back or lets fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.begun = threading.Semaphore(0)
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.fails = False

    def sync(self, descriptor: int) -> None:
        """Wait until it may, then count or fail."""
        self.begun.release()
        assert self.may_sync.wait(WAIT_S)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.syncs += 1


@pytest.fixture
def budget(clock: ManualClock) -> Budget:
    """Return a budget of 10 kB."""
    return Budget(10_000, Gauge("wal_bytes", "as in Counters", registry=CollectorRegistry()), clock)


@pytest.fixture
def disk() -> SlowDisk:
    """Return a disk that syncs at once."""
    return SlowDisk()


@pytest.fixture
def sealed() -> list[Path]:
    """Return the list that sealed segments go to."""
    return []


@pytest.fixture
def make_log(
    tmp_path: Path, budget: Budget, disk: SlowDisk, sealed: list[Path], clock: ManualClock
) -> Callable[[], Log]:
    """Return what makes a log over the test's directory."""

    def make() -> Log:
        return Log(
            tmp_path,
            "traces",
            budget,
            clock,
            segment_bytes_max=1_000,
            segment_seconds_max=3.0,
            segment_flush_bytes=500,
            on_sealed=sealed.append,
            disk=disk,
        )

    return make


@pytest.fixture
def log(make_log: Callable[[], Log]) -> Log:
    """Return a started log, empty."""
    made = make_log()
    made.start()
    return made


def requests_in(segment: Path) -> list[bytes]:
    """Return what a segment holds."""
    content = segment.read_bytes()
    return [frame.request(content) for frame in scan(content).frames]


def test_request_is_not_answered_before_its_sync(log: Log, disk: SlowDisk) -> None:
    """An answer is a promise that a power cut keeps."""
    disk.may_sync.clear()
    synced = log.append(b"one", 1)
    assert disk.begun.acquire(timeout=WAIT_S)

    assert not synced.done()

    disk.may_sync.set()
    synced.result(WAIT_S)
    log.close()


def test_requests_that_wait_share_one_sync(log: Log, disk: SlowDisk, sealed: list[Path]) -> None:
    """A sync takes as long for one request as for a hundred."""
    disk.may_sync.clear()
    first = log.append(b"first", 1)
    assert disk.begun.acquire(timeout=WAIT_S)
    rest = [log.append(f"rest {number}".encode(), 1) for number in range(5)]
    disk.may_sync.set()

    for synced in [first, *rest]:
        synced.result(WAIT_S)
    log.close()

    assert disk.syncs == 2
    assert requests_in(sealed[0]) == [b"first", *(f"rest {n}".encode() for n in range(5))]


def test_failed_sync_answers_nobody_and_leaves_nothing(
    log: Log, disk: SlowDisk, sealed: list[Path], tmp_path: Path, budget: Budget
) -> None:
    """A sender that was told to retry must not find its spans twice."""
    disk.fails = True
    with pytest.raises(LogWriteError, match="No space left on device; free space"):
        log.append(b"lost", 1).result(WAIT_S)
    disk.fails = False
    log.append(b"kept", 1).result(WAIT_S)
    log.close()

    assert [requests_in(segment) for segment in sealed] == [[b"kept"]]
    assert sorted(tmp_path.iterdir()) == sealed
    assert budget.used_bytes == sealed[0].stat().st_size


def test_log_that_could_not_be_written_finds_out_by_itself_when_it_can(
    log: Log, disk: SlowDisk, sealed: list[Path], tmp_path: Path
) -> None:
    """A balancer sends nothing to what is not ready, so no request would show that it is again."""
    disk.fails = True
    with pytest.raises(LogWriteError):
        log.append(b"lost", 1).result(WAIT_S)
    assert disk.begun.acquire(timeout=WAIT_S), "the request"
    assert disk.begun.acquire(timeout=WAIT_S), "nobody asked for this one"
    log.seal().result(WAIT_S)
    assert log.fault == "No space left on device"
    disk.fails = False
    log.seal().result(WAIT_S)
    assert log.fault == ""
    log.append(b"kept", 1).result(WAIT_S)
    log.close()

    assert [requests_in(segment) for segment in sealed] == [[b"kept"]]
    assert sorted(tmp_path.iterdir()) == sealed


def test_segment_turns_at_its_size(log: Log, sealed: list[Path]) -> None:
    """A segment is one insert, so its size bounds the memory of one."""
    for number in range(8):
        log.append(bytes(280), number).result(WAIT_S)
    log.close()

    assert [len(requests_in(segment)) for segment in sealed] == [4, 4]


def test_segment_turns_at_its_age(log: Log, sealed: list[Path], clock: ManualClock) -> None:
    """A quiet service stores its spans within some seconds all the same."""
    log.append(b"one", 1).result(WAIT_S)
    clock.ns += 4_000_000_000
    log.append(b"two", 1).result(WAIT_S)
    log.append(b"three", 1).result(WAIT_S)
    log.close()

    assert [requests_in(segment) for segment in sealed] == [[b"one", b"two"], [b"three"]]


def test_segment_with_much_in_it_turns_sooner(
    log: Log, sealed: list[Path], clock: ManualClock
) -> None:
    """An insert has a price, which a trickle pays every few seconds; a stream does not wait."""
    log.append(b"one", 1).result(WAIT_S)
    clock.ns += 2_000_000_000
    log.append(b"two", 1).result(WAIT_S)
    log.append(bytes(600), 1).result(WAIT_S)
    log.append(b"three", 1).result(WAIT_S)
    log.close()

    assert [len(requests_in(segment)) for segment in sealed] == [3, 1]


def test_seal_hands_the_open_segment_on(log: Log, sealed: list[Path]) -> None:
    """A flush does not wait for size or age."""
    log.append(b"one", 1).result(WAIT_S)
    log.seal().result(WAIT_S)

    assert len(sealed) == 1
    log.close()


def test_log_that_is_full_refuses_before_it_accepts(log: Log, budget: Budget) -> None:
    """A sender that waits is better than a disk that is full."""
    log.append(bytes(9_000), 1).result(WAIT_S)

    with pytest.raises(LogFullError, match="of 10000 bytes; the store is behind"):
        log.append(bytes(2_000), 1)

    budget.release(9_000)
    log.append(bytes(2_000), 1).result(WAIT_S)
    log.close()


def test_closed_log_accepts_nothing(log: Log) -> None:
    """What would come after the last sync would never be written."""
    log.close()

    with pytest.raises(LogFullError, match="is stopping"):
        log.append(b"late", 1)
    assert log.seal().done()


def test_segments_of_an_earlier_run_are_found_as_they_are(
    make_log: Callable[[], Log], sealed: list[Path], budget: Budget
) -> None:
    """A start does not read them, however long the store was away; their bytes count as held."""
    log = make_log()
    log.start()
    log.append(b"", 1).result(WAIT_S)
    log.close()
    torn = sealed[0].with_name(sealed[0].name.replace("-000001-", "-000002-"))
    torn.write_bytes(sealed[0].read_bytes() + encode_frame(b"half", NOW_NS, 1)[:-3])
    held = budget.used_bytes

    assert make_log().recover() == [sealed[0], torn]
    assert budget.used_bytes == held + sealed[0].stat().st_size + torn.stat().st_size


def test_log_of_an_earlier_run_holds_jobs_back_from_its_first_request(
    make_log: Callable[[], Log], sealed: list[Path], tmp_path: Path, budget: Budget
) -> None:
    """As of then all was stored before the restart, and jobs have come no further."""
    log = make_log()
    log.start()
    for number in range(3):
        log.append(b"request", number).result(WAIT_S)
    log.close()
    (first, *_) = scan(sealed[0].read_bytes()).frames
    later = ManualClock()
    later.ns += 900_000_000_000
    arrivals = Arrivals(later)
    Log(tmp_path, "traces", budget, later, segment_bytes_max=1_000, segment_seconds_max=3.0,
        on_sealed=sealed.append, arrivals=arrivals).recover()  # fmt: skip

    assert arrivals.stored_ns() == first.received_ns - 1


def test_what_lies_behind_another_request_came_after_it(
    tmp_path: Path, sealed: list[Path], clock: ManualClock
) -> None:
    """However large: of a segment only its first instant is read at a start."""
    gauge = Gauge("wal_bytes", "as in Counters", registry=CollectorRegistry())
    log = Log(tmp_path, "traces", Budget(10**9, gauge, clock), clock, segment_bytes_max=10**6,
              segment_seconds_max=3.0, on_sealed=sealed.append)  # fmt: skip
    log.start()

    def send(size: int) -> None:
        for _ in range(100):
            log.append(bytes(size), 1)

    senders = [threading.Thread(target=send, args=[size]) for size in (0, 100_000) * 2]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    log.close()

    came = [frame.received_ns for path in sealed for frame in scan(path.read_bytes()).frames]
    assert len(came) == 400
    assert came == sorted(came)


def test_segment_never_has_a_name_twice(
    make_log: Callable[[], Log], sealed: list[Path], tmp_path: Path
) -> None:
    """The name is the token by which the store knows a segment; here the clock stands still."""
    for _ in range(3):
        log = make_log()
        log.start()
        log.append(b"one", 1).result(WAIT_S)
        log.close()
        sealed[-1].unlink()

    assert len({segment.name for segment in sealed}) == 3
    assert {segment_created_ns(segment) for segment in sealed} == {NOW_NS}
    assert segment_created_ns(tmp_path / "other") == 0


def test_directory_has_one_owner(tmp_path: Path) -> None:
    """Two processes would store each other's segments and truncate each other's tails."""
    claim_directory(tmp_path / "wal", Disk())

    with pytest.raises(LogInUseError, match=r"wal is in use by another process; .*WAL_DIR=PATH"):
        claim_directory(tmp_path / "wal", Disk())


def test_directory_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    """The person at the terminal gets one line and can act on it."""
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match=r"collector.wal_dir: cannot use .*file/wal: Not a dir"):
        claim_directory(tmp_path / "file" / "wal", Disk())


def test_append_answers_from_many_threads(log: Log, sealed: list[Path]) -> None:
    """Both servers append at once."""
    answers: list[Future[None]] = []

    def append() -> None:
        answers.extend(log.append(b"x", 1) for _ in range(50))

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        answer.result(WAIT_S)
    log.close()

    assert sum(len(requests_in(segment)) for segment in sealed) == 200


class NotingDisk(Disk):
    """A disk that remembers which directories it synced."""

    def __init__(self) -> None:
        self.directories: list[Path] = []

    def sync_directory(self, directory: Path) -> None:
        """Sync it, and note that."""
        super().sync_directory(directory)
        self.directories.append(directory)


def test_directory_that_is_made_outlives_a_power_cut(tmp_path: Path) -> None:
    """A synced segment is of no use where the name of its directory is gone."""
    disk = NotingDisk()

    claim_directory(tmp_path / "state" / "wal", disk)

    assert set(disk.directories) == {tmp_path, tmp_path / "state"}
