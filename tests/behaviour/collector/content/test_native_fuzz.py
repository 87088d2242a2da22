"""The compiled module over mutated requests, under ASan and UBSan; a warning is an error.

More by hand: build as `build` does, and call it with ten million executions.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from random import Random
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.hostile.requests import make_neighbour, make_victim
from collector.bench.spans import make_requests
from collector.otlp.check import Signal
from tests.conftest import NOW_NS
from tests.support.builders import (
    any_value,
    decision_span,
    key_values,
    logs_request,
    outcome,
    span,
    trace_request,
)
from tests.support.examples import examples
from tests.support.tree import ROOT

SOURCES = ROOT / "collector/otlp/native"
DRIVER = Path(__file__).parent / "native_fuzz.cpp"
COMPILER = ["c++", "-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic",
            "-Werror", "-fstack-protector-strong"]  # fmt: skip


def corpus() -> list[bytes]:
    """Return golden requests: every kind of value, field and message."""
    nested: dict[str, Any] = {"l": [1, [2.5, None]], "m": {"a": {"b": b"x"}}, "t": "é" * 70}
    event = Span.Event(time_unix_nano=1, name="e", attributes=key_values(nested))
    link = Span.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, attributes=key_values(nested))
    draw = Random(1)
    neighbours = [make_neighbour(number, NOW_NS) for number in range(12)]
    messages = [
        trace_request(span(attributes=nested, events=[event], links=[link]), resource=nested),
        trace_request(decision_span(), span(error=True)),
        logs_request(outcome(), LogRecord(body=any_value(nested), flags=257), resource=nested),
        *(
            make_victim(draw, signal, NOW_NS)
            for signal in (Signal.TRACES, Signal.LOGS)
            for _ in range(8)
        ),
        *(near.message for near in neighbours if near.signal is not Signal.METRICS),
    ]
    bodies = [message.SerializeToString() for message in messages]
    return [*bodies, *make_requests(1, 3, 12, NOW_NS, decisions=True)]


def build(directory: Path) -> Path:
    """Return the driver, built with the sanitizers."""
    program = directory / "fuzz"
    sanitizers = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        [*COMPILER, *sanitizers, f"-I{SOURCES}", str(DRIVER), "-o", str(program)], check=True
    )
    return program


@pytest.mark.drawn
def test_no_mutant_is_read_beyond_its_end(tmp_path: Path) -> None:
    """Nor does one overflow, or find memory that nobody wrote: each of these would abort."""
    files = []
    for number, body in enumerate(corpus()):
        files.append(tmp_path / f"{number}.request")
        files[-1].write_bytes(body)
    executions = examples(30_000)

    done = subprocess.run(
        [str(build(tmp_path)), str(executions), "1", *map(str, files)],
        capture_output=True,
        text=True,
        env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"},  # noqa: TID251  for a finding
    )

    assert done.returncode == 0, done.stderr
    said = re.fullmatch(
        r"(\d+) executions, (\d+) plain, (\d+) in blocks, (\d+) in blocks of logs, .*\n",
        done.stdout,
    )
    assert said is not None
    assert int(said[1]) == executions
    assert int(said[2]) > executions // 200  # or the mutants never get past the first field
    assert min(int(said[3]), int(said[4])) > executions // 50


def test_module_is_built_without_a_warning(tmp_path: Path) -> None:
    """As an installation builds it, where a warning is none of the user's business."""
    flags = ["-O3", "-fPIC", "-shared", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]
    # Python's own headers are not ours to mend.
    python = ["-isystem", sysconfig.get_path("include")]
    subprocess.run(
        [*COMPILER, *flags, *python, str(SOURCES / "module.cpp"), "-o", str(tmp_path / "m.so")],
        check=True,
    )
