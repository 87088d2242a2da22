from __future__ import annotations

import pytest

from collector.core.errors import InputError
from dashboard.bench.run import run_bench


def test_benchmark_that_is_none_is_answered_with_those_there_are() -> None:
    """A typing error is told before anything is measured."""
    with pytest.raises(InputError, match=r"bench crahs: .* ingest or crash or hostile or in"):
        run_bench("crahs", 5)
