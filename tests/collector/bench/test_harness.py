"""What every benchmark rests on: medians of whole runs, and nothing left behind."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from collector.bench.harness import (
    heard,
    medians,
    module_process,
    own_database,
    own_directory,
    p99,
    start_function,
)
from collector.store.connect import Connections


def test_medians_are_of_each_figure_by_itself() -> None:
    """One slow run moves no figure; a ratio is that of a run, not of two medians."""
    runs = [{"rate": 10.0, "x": 2.0}, {"rate": 1.0, "x": 9.0}, {"rate": 12.0, "x": 3.0}]
    assert medians(runs) == {"rate": 10.0, "x": 3.0}


def test_99th_percentile_leaves_one_in_a_hundred_above() -> None:
    """Of a hundred values in order that is the last."""
    assert p99([float(each) for each in range(200)]) == 198


def test_directory_and_database_go_with_the_benchmark(store: Connections) -> None:
    """A benchmark that fails leaves nothing of itself, in a store that others use."""
    used: list[Path] = []

    def fail() -> None:
        with own_directory() as scratch, own_database(store.config.url, "bench_harness") as own:
            used.append(scratch)
            assert own.client().query("SELECT count() FROM otel_traces").result_rows == [(0,)]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not used[0].exists()
    named = "SELECT count() FROM system.databases WHERE name = 'bench_harness'"
    assert store.client().query(named).result_rows == [(0,)]


def _double(pipe: Connection, factor: int) -> None:
    pipe.send(factor * pipe.recv())


def test_function_in_a_process_of_its_own_is_spoken_to_over_a_pipe() -> None:
    """Its time is not ours, and its end is heard: a pipe that nobody holds is at its end."""
    pipe, process = start_function(_double, 2)
    pipe.send(21)
    assert pipe.recv() == 42
    with pytest.raises(EOFError):
        pipe.recv()
    process.join()
    assert process.exitcode == 0


def test_module_that_ended_says_nothing() -> None:
    """What a killed collector wrote half of is no message."""
    with module_process("this", "x") as child:  # the Zen of Python, which is no JSON
        while (line := child.stdout and child.stdout.readline()) and "Namespaces" not in line:
            pass
        assert heard(child) is None
