from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.reference.traffic import Latencies, arrivals, void_reason

NS_PER_S = 1_000_000_000


@given(st.integers(min_value=0), st.floats(min_value=1, max_value=1000))
def test_arrivals_depend_on_the_seed_alone(seed: int, rate_per_s: float) -> None:
    """Intended times are fixed before the first answer: no coordinated omission."""
    first = list(itertools.islice(arrivals(seed, rate_per_s, None), 50))
    assert first == list(itertools.islice(arrivals(seed, rate_per_s, None), 50))
    assert first == sorted(first)


def test_arrivals_are_poisson_and_end() -> None:
    """The rate is kept over the run, and the gaps are exponential: mean equals deviation."""
    times = np.array(list(arrivals(7, 80.0, 500.0)))
    gaps_s = np.diff(times) / NS_PER_S
    assert times[-1] < 500 * NS_PER_S
    assert abs(len(times) / 500 - 80) < 2
    assert abs(gaps_s.mean() / gaps_s.std() - 1) < 0.03


@given(
    st.lists(st.integers(min_value=0, max_value=10**11), min_size=1, max_size=300),
    st.floats(min_value=0.01, max_value=1.0),
)
def test_quantile_is_the_one_of_the_sorted_list(durations_ns: list[int], share: float) -> None:
    """Counting by tenths of a millisecond loses nothing but the rest below a tenth."""
    latencies = Latencies()
    for duration_ns in durations_ns:
        latencies.add(duration_ns)
    exact = float(np.quantile(durations_ns, share, method="inverted_cdf"))
    assert latencies.quantile_ms(share) == exact // 100_000 / 10


def test_quantile_of_nothing_is_unknown() -> None:
    """Not zero."""
    assert Latencies().quantile_ms(0.5) is None


@pytest.mark.parametrize(
    ("sent", "errors", "lateness_ms", "said"),
    [
        pytest.param(4595, 0, 7.4, None, id="a sound run"),
        pytest.param(4595, 45, 25.0, None, id="as much as is allowed"),
        pytest.param(0, 0, None, "no request was answered", id="nothing answered"),
        pytest.param(4595, 0, 25.1, "late by 25.1 ms", id="a late generator"),
        pytest.param(3727, 81, 23.5, "81 of 3727 requests failed", id="a path that melted"),
    ],
)
def test_run_on_a_machine_that_is_too_busy_says_so(
    sent: int, errors: int, lateness_ms: float | None, said: str | None
) -> None:
    """What it then blames is the machine's doing, and not the script's."""
    reason = void_reason(sent, errors, lateness_ms)
    assert (reason is None) is (said is None)
    assert said is None or said in str(reason)
