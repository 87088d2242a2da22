"""With a key, nothing that waits for the store can be read on disk; nor is anything lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError as ProtobufError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from collector.core.config import CollectorConfig, StoreConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError, DecodeError
from collector.core.key_files import Key
from collector.otlp.check import Signal
from collector.privacy.encryption import Cipher, log_place, plain_segment
from collector.privacy.guard import Protection
from collector.privacy.memory_files import MEMORY_DIR, MemoryFiles, is_in_memory
from collector.privacy.rules import EncryptionConfig
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.wal.frames import encode_frame, scan
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import WAIT_S

OLD, NEW = Key("e1", b"1" * 32), Key("e2", b"2" * 32)
PLACE = log_place("traces")
CIPHER = Cipher((NEW, OLD))


def encryption(*keys: Key) -> EncryptionConfig:
    """Return the settings with these keys."""
    return EncryptionConfig(
        keys=SecretStr(",".join(f"{key.kid}:{key.secret.hex()}" for key in keys))
    )


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(1, 255))
def test_sealed_bytes_open_where_they_were_sealed_and_unchanged(
    plain: bytes, at: int, flip: int
) -> None:
    """Whatever is changed or moved is found; nothing wrong is ever handed on."""
    sealed = CIPHER.seal(plain, PLACE)
    assert CIPHER.open(sealed, PLACE) == plain
    assert Cipher((NEW,)).open(sealed, PLACE) == plain  # under the newest key
    assert len(plain) < 8 or plain not in sealed
    with pytest.raises(DecodeError):
        CIPHER.open(sealed, log_place("logs"))
    changed = bytearray(sealed)
    changed[at % len(sealed)] ^= flip
    if at % len(sealed) >= 2:  # else it is no envelope any more, and passes as it is
        with pytest.raises((DecodeError, ConfigError)):
            CIPHER.open(bytes(changed), PLACE)
    with pytest.raises((DecodeError, ConfigError)):
        CIPHER.open(sealed[: max(2, len(sealed) - flip)], PLACE)


def test_no_request_is_taken_for_an_envelope() -> None:
    """Or a sender could have his bytes decrypted."""
    sealed = CIPHER.seal(b"", PLACE)
    for signal in Signal:
        with pytest.raises(ProtobufError):
            signal.request_class.FromString(sealed)


def test_same_bytes_are_sealed_in_another_way_each_time() -> None:
    """A nonce that is used twice under one key gives both texts away."""
    ciphers = (CIPHER, Cipher((NEW,)), CIPHER)
    heads = {cipher.seal(b"x", PLACE)[: 2 + 1 + 2 + 8 + 16 + 12] for cipher in ciphers}
    assert len(heads) == 3


def test_old_key_opens_what_it_sealed() -> None:
    """A key is changed while the log still holds what the last one sealed."""
    sealed = Cipher((OLD,)).seal(b"x", PLACE)
    assert CIPHER.open(sealed, PLACE) == b"x"
    with pytest.raises(ConfigError, match="encrypted under key 'e1', and the keys are: e2; add it"):
        Cipher((NEW,)).open(sealed, PLACE)
    with pytest.raises(ConfigError, match="under another key than the one that is called 'e1'"):
        Cipher((Key("e1", b"x" * 32),)).open(sealed, PLACE)
    with pytest.raises(ConfigError, match="the keys are: none"):
        Cipher().open(sealed, PLACE)


def test_without_a_key_the_log_is_what_the_store_reads() -> None:
    """No byte is altered, and no segment is copied to find that out."""
    segment = encode_frame(b"\x0a\x00", NOW_NS, 1)
    assert Cipher().seal(b"\x0a\x00", PLACE) == b"\x0a\x00"
    assert plain_segment(segment, Cipher(), PLACE)[0] is segment


@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans(), st.integers(0, 30))
def test_segment_is_the_same_each_time_it_is_decrypted(
    requests: list[bytes], mixed: bool, torn: int
) -> None:
    """The store knows a repetition by them; a torn tail and plain neighbours change nothing."""
    sealed = [CIPHER.seal(request, PLACE) for request in requests]
    if mixed and sealed:
        sealed[0] = requests[0]
    frames = [encode_frame(request, NOW_NS + n, n) for n, request in enumerate(sealed)]
    tail = encode_frame(CIPHER.seal(b"torn", PLACE), NOW_NS, 1)[:torn]
    plain, found, torn_bytes = plain_segment(b"".join(frames) + tail, CIPHER, PLACE)
    whole = b"".join(encode_frame(r, NOW_NS + n, n) for n, r in enumerate(requests))
    assert plain[: len(whole)] == whole
    assert [frame.request(plain) for frame in found] == requests
    assert found == scan(whole).frames
    assert torn_bytes == len(tail)


def test_frame_that_does_not_open_keeps_its_bytes() -> None:
    """It was acknowledged, so it goes to `rejected` as it lies there, and its neighbours go on."""
    good, moved = CIPHER.seal(b"good", PLACE), CIPHER.seal(b"moved", log_place("logs"))
    segment = encode_frame(moved, NOW_NS, 1) + encode_frame(good, NOW_NS, 2)
    plain, frames, _ = plain_segment(segment, CIPHER, PLACE)
    assert [frame.is_intact for frame in frames] == [False, True]
    assert frames[0].request(plain).startswith(moved)
    assert frames[1].request(plain) == b"good"


def collector(
    directory: Path, store: Connections, encrypted: EncryptionConfig | None = None
) -> CollectorService:
    """Return a collector, not started, over a log in a directory."""
    config = CollectorConfig(grpc_port=0, http_port=0)
    made = Protection(None, encrypted)
    return CollectorService(config, store, directory, Counters(), ManualClock(), protection=made)


@pytest.mark.parametrize("digest", [b"d" * 16, b""], ids=["today", "an earlier release"])
def test_log_that_cannot_be_opened_stops_the_start_and_loses_nothing(
    store: Connections, tmp_path: Path, digest: bytes
) -> None:
    """The one who starts it can still give the key; what was acknowledged is stored then."""
    request = trace_request(span(name="kept")).SerializeToString()
    frame = encode_frame(Cipher((OLD,)).seal(request, PLACE), NOW_NS, 1, digest)
    path = tmp_path / f"traces-{NOW_NS:020d}-000001-0000abcd.segment"
    path.write_bytes(frame)
    nowhere = Connections(StoreConfig())

    for keys in ((), (NEW,), (Key("e1", b"x" * 32),)):
        encrypted = encryption(*keys) if keys else None
        with pytest.raises(ConfigError, match=r"0000abcd.segment is encrypted"):
            Protection(None, encrypted).describe(tmp_path)
        with pytest.raises(
            ConfigError, match=r"collector.wal_dir: .*0000abcd.segment is encrypted"
        ):
            collector(tmp_path, nowhere, encrypted).start()
        assert path.read_bytes() == frame

    service = collector(tmp_path, store, encryption(NEW, OLD))
    service.start()
    assert service.stop(WAIT_S)
    assert store.client().query("SELECT SpanName FROM otel_traces").result_rows == [("kept",)]
    assert not list(tmp_path.glob("*.segment"))


def test_temporary_files_are_in_memory_while_the_log_is_encrypted(tmp_path: Path) -> None:
    """The client of the store writes what it inserts to a file first."""
    before = tempfile.gettempdir()
    made = Protection(None, encryption(NEW))
    made.open(tmp_path)
    directory = Path(tempfile.gettempdir())
    assert directory.parent == MEMORY_DIR
    assert directory.stat().st_mode & 0o777 == 0o700
    made.close()
    assert tempfile.gettempdir() == before
    assert not directory.exists()


def test_directory_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not() -> None:
    """It holds requests, and it is memory."""
    dead = Path(tempfile.mkdtemp(prefix="millworth-", dir=MEMORY_DIR))
    (dead / "lock").touch()
    (dead / "left.raw").write_bytes(b"request")
    living = MemoryFiles()
    other = MemoryFiles()
    assert not dead.exists()
    assert living.directory.exists()
    other.close()
    living.close()


def test_disk_is_no_memory(tmp_path: Path) -> None:
    """Where there is none, the start says so instead of writing requests in the clear."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/vda / ext4 rw 0 0\ntmpfs /a\\040b tmpfs rw 0 0\n")
    text = mounts.read_text()
    assert is_in_memory(Path("/a b/c"), text)
    assert not is_in_memory(Path("/a"), text)
    assert not is_in_memory(Path("/a b"), text + "/dev/vdb /a\\040b ext4 rw 0 0\n")
    with pytest.raises(ConfigError, match="/dev/shm is not a tmpfs"):
        MemoryFiles(mounts=mounts)
