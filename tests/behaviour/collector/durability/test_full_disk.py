"""A disk without room: senders are told to come again, and nothing that was answered is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no types

from collector.wal.frames import encode_frame, scan
from tests.conftest import NOW_NS
from tests.support.builders import span, trace_request
from tests.support.collector.clients import TRACES, WAIT_S, storeless_over
from tests.support.collector.retries import FullDisk

ROOT = Path(__file__).parents[4]

# Of a write that there is no room for, a part is written: the limit on the size of a file does the
# same to a process as a disk that fills, and needs no disk.
SHORT_WRITES = """
import resource, sys
from pathlib import Path
from prometheus_client import CollectorRegistry, Gauge
from collector.core.clock import SystemClock
from collector.core.errors import LogWriteError
from collector.wal.log import Budget, Log
from collector.wal.frames import scan

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
gauge = Gauge("wal_bytes", "as in Counters", registry=CollectorRegistry())
budget = Budget(1_000_000, gauge, SystemClock())
sealed = []
log = Log(Path(sys.argv[1]), "traces", budget, SystemClock(), segment_bytes_max=100_000,
          segment_seconds_max=3600, on_sealed=sealed.append)
log.start()
answered = []
for number in range(12):
    request = bytes([number]) * 300
    try:
        log.append(request, 1).result(10)
    except LogWriteError as error:
        assert "File too large; free space" in str(error), error
    else:
        answered.append(request)
log.close()
kept = []
for segment in sealed:
    content = segment.read_bytes()
    found = scan(content)
    assert found.end == len(content), "a part of a refused request was left"
    kept += [frame.request(content) for frame in found.frames]
assert 0 < len(answered) < 12, len(answered)
assert kept == answered
assert budget.used_bytes == sum(segment.stat().st_size for segment in sealed)
"""


def test_write_that_is_cut_short_leaves_nothing_of_a_refused_request(tmp_path: Path) -> None:
    """It is sent again: a part of it in the log would be torn, the whole of it twice."""
    result = subprocess.run(
        [sys.executable, "-c", SHORT_WRITES, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.integration
def test_full_disk_is_unavailable_with_a_time_to_come_again(tmp_path: Path) -> None:
    """The one code that every OTLP sender retries; with room the same request is taken."""
    disk = FullDisk()
    service = storeless_over(disk, tmp_path / "wal")
    service.start()
    body = trace_request(span()).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
        with pytest.raises(grpc.RpcError) as raised:
            call(body, timeout=WAIT_S)
        assert service.status().spans_acked == 0
        disk.is_full = False
        call(body, timeout=WAIT_S)
        assert service.status().spans_acked == 1
    service.stop(0)

    error = raised.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    trailers = {item.key: item.value for item in error.trailing_metadata()}
    retry = error_details_pb2.RetryInfo()
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 2
    assert "free space or repair the disk" in status.message


def test_empty_request_is_no_torn_frame() -> None:
    """It was answered, so a reader that took it for the torn end would lose all that follows."""
    empty, whole = encode_frame(b"", NOW_NS, 0), encode_frame(b"request", NOW_NS, 1)
    content = empty + whole + empty

    for torn in (b"", whole[:5]):
        found = scan(content + torn)
        assert [frame.request(content) for frame in found.frames] == [b"", b"request", b""]
        assert found.end == len(content)


@pytest.mark.integration
def test_empty_request_is_answered_and_takes_no_room(tmp_path: Path) -> None:
    """Nothing of it has to outlive anything."""
    service = storeless_over(FullDisk(), tmp_path / "wal")
    service.start()
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
        assert call(b"", timeout=WAIT_S) == b""
    service.stop(0)

    assert list((tmp_path / "wal").glob("*.segment")) == []
