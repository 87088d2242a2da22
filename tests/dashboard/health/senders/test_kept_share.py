"""Which share of all traces some are, by their ids."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from dashboard.health.senders.kept_share import kept_share
from tests.support.examples import examples

# What the samplers of SDKs compare, as their sources have it; Python's is asked itself.
_LONG_MAX = (1 << 63) - 1


def _long(digits: str) -> int:
    number = int(digits, 16)
    return number - (1 << 64) if number > _LONG_MAX else number


def _python(trace_id: str, ratio: float) -> bool:
    result = TraceIdRatioBased(ratio).should_sample(None, int(trace_id, 16), "decide")
    return result.decision is not Decision.DROP


def _javascript(trace_id: str, ratio: float) -> bool:
    parts = 0
    for place in range(0, 32, 8):
        parts ^= int(trace_id[place : place + 8], 16)
    return parts < int(ratio * 0xFFFFFFFF)


SAMPLERS: dict[str, Callable[[str, float], bool]] = {
    "Python": _python,
    "JavaScript": _javascript,
    "Java": lambda each, ratio: abs(_long(each[16:])) < int(ratio * _LONG_MAX),
    ".NET": lambda each, ratio: abs(_long(each[:16])) < int(ratio * _LONG_MAX),
    "Go": lambda each, ratio: int(each[16:], 16) >> 1 < int(ratio * (1 << 63)),
    "Go, before": lambda each, ratio: int(each[:16], 16) >> 1 < int(ratio * (1 << 63)),
    "C++": lambda each, ratio: int.from_bytes(bytes.fromhex(each[:16]), "little") <= ratio * 2**64,
    "PHP, before": lambda each, ratio: int(each[-15:], 16) < ratio * ((1 << 60) - 1),
    "Erlang": lambda each, ratio: int(each, 16) & _LONG_MAX < ratio * _LONG_MAX,
    "consistent": lambda each, ratio: int(each[-14:], 16) >= round((1 - ratio) * 2**56),
}


def _ids(draw: Random) -> Iterator[str]:
    while True:
        yield f"{draw.getrandbits(128):032x}"


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_ratio_of_every_sampler_is_found(sampler: str, ratio: float) -> None:
    """Nothing else that is sent tells it, and money is too little by as much."""
    keeps = SAMPLERS[sampler]
    kept = (each for each in _ids(Random(7)) if keeps(each, ratio))
    assert kept_share(list(islice(kept, 500))) == pytest.approx(ratio, rel=0.02)


def test_few_traces_tell_a_small_ratio_alone() -> None:
    """Of twenty a half may be chance, a tenth is not."""
    for ratio, found in ((0.1, pytest.approx(0.1, rel=0.2)), (0.5, 1.0)):
        kept = (each for each in _ids(Random(7)) if _python(each, ratio))
        few = list(islice(kept, 20))
        assert kept_share(few) == found
        assert kept_share(few[:19]) == 1.0


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(20)))
@pytest.mark.parametrize(
    "make",
    [
        lambda draw, _: f"{draw.getrandbits(128):032x}",
        lambda draw, _: uuid.UUID(int=draw.getrandbits(128), version=4).hex,
        lambda draw, place: (
            f"{1_796_277_072_000 + 7 * place:012x}7{draw.getrandbits(12):03x}"
            f"{draw.choice('89ab')}{draw.getrandbits(60):015x}"
        ),
        lambda draw, _: f"{draw.getrandbits(64):032x}",
        lambda draw, place: f"{1_796_277_072 + place // 5:08x}{draw.getrandbits(96):024x}",
        lambda draw, place: f"{1_796_277_072 + place // 5:08x}{draw.getrandbits(64):024x}",
        lambda draw, place: f"{place:032x}",
        lambda draw, place: f"{draw.getrandbits(64):016x}{place:016x}",
    ],
    ids=["drawn", "UUID", "UUID by time", "64 bits", "X-Ray", "Datadog", "counted", "half counted"],
)
def test_ids_of_every_trace_show_no_share(make: Callable[[Random, int], str], seed: int) -> None:
    """However they are made: a warning beside money that is whole would be worse than none."""
    draw = Random(seed)
    for number in (1, 20, 200, 5_000):
        assert kept_share([make(draw, place) for place in range(1, number + 1)]) == 1.0


def test_mixture_of_sampled_and_whole_is_of_no_share() -> None:
    """One caller of two that sends everything fills the range."""
    kept = (each for each in _ids(Random(7)) if _python(each, 0.1))
    assert kept_share([*islice(kept, 500), *islice(_ids(Random(8)), 20)]) == 1.0
