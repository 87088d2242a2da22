from __future__ import annotations

from importlib import import_module
from inspect import signature

import pytest

from collector.core.errors import InputError
from dashboard.bench.run import BENCHES, run_bench


def test_benchmark_that_is_none_is_answered_with_those_there_are() -> None:
    """A typing error is told before anything is measured."""
    with pytest.raises(InputError, match=r"bench crahs: .* ingest or crash or pipeline or gr"):
        run_bench("crahs", 5)


@pytest.mark.parametrize("place", [place for parts in BENCHES.values() for place in parts])
def test_every_part_is_there_and_takes_runs_and_progress(place: str) -> None:
    """They are imported when they are run, so that nothing but this finds a wrong name."""
    module, _, name = place.partition(":")
    parameters = list(signature(getattr(import_module(module), name)).parameters)
    assert parameters[:2] == ["runs", "progress"]
