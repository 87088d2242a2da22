"""Pure: which calls, by service and name of their spans, a segment takes longer in than before.

And which span of decisions that fail is the first to: a failure goes up from where it began.

Decisions are held against such of before, whether slow or not: of slow ones alone a call would
stand out that is slow in one of ten, as ever.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from statistics import pvariance as variance
from typing import Final

from alerts.evidence.suspect import DECISIONS_MIN
from attribution.core.segments import UNTRACED
from collector.core.times import NS_PER_MS

NO_ONE_CALL: Final = "no one call"
# Time that no span covers: before the first of them began.
BEFORE_FIRST: Final = "the time before its first span"
# From so much of what a segment takes longer on one call is the cause; two cannot be.
_MOST = 0.6
# Where calls take longer by so many times what their segment does, others take less in their place:
# one of two that run beside each other, or one of another name.
_SWAPPED = 1.5
# What chance does to a mean in one of a hundred samples.
_ERRORS = 2.6
# A failure that is handled: so many of the decisions that do not fail have it too.
_USUAL_FAILED = 0.2
# A call that takes longer by less than this of it is not counted among several.
_SOME = 0.05
_NAMED_MAX = 2
_NAME_MAX = 60
# Of so few, nothing is said.
_FEWEST = 3
_PRECISE_BELOW_MS = 10


@dataclass(frozen=True, slots=True)
class Path:
    """The critical path of one decision by spans, in the order of `path_columns`."""

    bounds_ns: Sequence[int]  # where stages begin, and the last ends
    root_ns: int  # when its root began
    base_ns: int
    parents: Sequence[int]
    services: Sequence[str]
    names: Sequence[str]
    traits: Sequence[int]
    sections: Sequence[Sequence[tuple[int, int]]]
    span_ids: Sequence[int] = ()

    def times_in(self, stage: int, latency_class: int) -> dict[str, int]:
        """Return the time of each call in a segment, as attribution sums it, ns."""
        found: Counter[str] = Counter()
        sent_stages = self._sent_stages()
        low_ns, high_ns = self.bounds_ns[stage], self.bounds_ns[stage + 1]
        for at, trait in enumerate(self.traits):
            if trait & 3 != latency_class:
                continue
            sent = sent_stages[at]
            if sent not in (None, stage):
                continue
            for begin, end in self.sections[at]:
                from_ns, to_ns = self.base_ns + begin, self.base_ns + end
                if sent is None:
                    from_ns, to_ns = max(from_ns, low_ns), min(to_ns, high_ns)
                found[self.call(at)] += max(to_ns - from_ns, 0)
        if latency_class == UNTRACED:
            found[BEFORE_FIRST] += max(min(self.root_ns, high_ns) - low_ns, 0)
        return dict(found)

    def call(self, at: int) -> str:
        """Return what a span is called: `payments: INSERT charge`."""
        return _clean(f"{self.services[at]}: {self.names[at]}")

    def _sent_stages(self) -> list[int | None]:
        """Return the stage that each span or the next above it says, None where stamps decide."""
        found: dict[int, int | None] = {}
        for at in range(len(self.traits)):
            above = [at]
            while above[-1] not in found and not self.traits[above[-1]] >> 2 & 7:
                parent = self.parents[above[-1]]
                if parent in above[-1:] or len(above) > len(self.traits):
                    break
                above.append(parent)
            sent = self.traits[above[-1]] >> 2 & 7
            stage = found.get(above[-1], sent - 1 if sent else None)
            found.update(dict.fromkeys(above, stage))
        return [found[at] for at in range(len(self.traits))]


@dataclass(frozen=True, slots=True)
class FailedSpan:
    """A span that failed."""

    span_id: int
    parent_id: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class CallFinding:
    """In which call it is that decisions fail, or a segment takes longer."""

    call: str  # by service and name of its span; NO_ONE_CALL where it is in several
    text: str  # that, and in how many decisions


def slower_call(
    during: Sequence[Mapping[str, int]], usual: Sequence[Mapping[str, int]]
) -> CallFinding | None:
    """Return in which call a segment takes longer, None where too little is known, or it is chance.

    Args:
        during: by decision, the time of each call in the segment.
        usual: of decisions of before.
    """
    if len(during) < _FEWEST or len(usual) < DECISIONS_MIN:
        return None
    gains = {
        call: _gain([each.get(call, 0) for each in during], [each.get(call, 0) for each in usual])
        for call in {call for each in (*during, *usual) for call in each}
    }
    net = sum(gain.ns for gain in gains.values())
    ranked = sorted(((gain.ns, call) for call, gain in gains.items() if gain.ns > 0), reverse=True)
    if net <= 0 or sum(ns for ns, _ in ranked) > _SWAPPED * net:
        return None
    first_ns, first = ranked[0]
    of = f"{len(during)} decisions"
    if first_ns >= _MOST * net:
        before_ns = gains[first].usual_ns
        over = [
            each[first] - before_ns
            for each in during
            if each.get(first, 0) - before_ns > first_ns / 2
        ]
        if first_ns <= _ERRORS * gains[first].error or len(over) < _FEWEST:
            return None
        more = _more(sum(over) / len(over))
        return CallFinding(first, f"slower is {first}, {more} in {len(over)} of {of}")
    some = [(ns, call) for ns, call in ranked if ns >= _SOME * net]
    some = [(ns, call) for ns, call in some if ns > _ERRORS * gains[call].error]
    if not some:
        return None
    named = ", ".join(f"{call} {_more(ns)}" for ns, call in some[:_NAMED_MAX])
    rest = len(some) - _NAMED_MAX
    others = f" and {rest} more" if rest > 0 else ""
    return CallFinding(NO_ONE_CALL, f"slower is {NO_ONE_CALL}: {named}{others} in {of}")


@dataclass(frozen=True, slots=True)
class _Gain:
    """By how much a call takes longer a decision, with its error, and what it took, ns."""

    ns: float
    error: float
    usual_ns: float


def _gain(during: Sequence[int], usual: Sequence[int]) -> _Gain:
    now, then = fmean(during), fmean(usual)
    error = math.sqrt(
        sum(variance(side, mean) / len(side) for side, mean in ((during, now), (usual, then)))
    )
    return _Gain(now - then, error, then)


def first_to_fail(
    failed: Sequence[tuple[Path, Sequence[FailedSpan]]],
    well: Sequence[tuple[Path, Sequence[FailedSpan]]],
) -> CallFinding | None:
    """Return which call is the first to fail, None where of most the span is not there.

    Args:
        failed: decisions that failed, each with its spans that did.
        well: such as did not fail, with those of theirs that did: what fails in them is handled.
    """
    handled = Counter(
        call for path, spans in well for call in {path.call(at) for at in _places(path, spans)}
    )
    usual = {call for call, times in handled.items() if times > _USUAL_FAILED * len(well)}
    firsts = [_first(path, spans, usual) for path, spans in failed]
    known = Counter(call for call in firsts if call)
    if len(failed) < _FEWEST or known.total() <= len(failed) / 2:
        return None
    ranked = sorted(known.items(), key=lambda each: (-each[1], each[0]))
    of = f"of {len(failed)} failed decisions"
    call, times = ranked[0]
    if times > len(failed) / 2:
        return CallFinding(call, f"first to fail is {call}, in {times} {of}")
    named = ", ".join(f"{each} in {number}" for each, number in ranked[:_NAMED_MAX])
    return CallFinding(NO_ONE_CALL, f"first to fail is {NO_ONE_CALL}: {named} {of}")


def _places(path: Path, spans: Sequence[FailedSpan]) -> list[int]:
    places = {span_id: at for at, span_id in enumerate(path.span_ids)}
    return [places[each.span_id] for each in spans if each.span_id in places]


def _first(path: Path, spans: Sequence[FailedSpan], usual: Collection[str]) -> str:
    """Return the span whose failure others follow from, "" where none of its own failed.

    What failed below one that did not was handled there, as a first attempt is.
    """
    places = {span_id: at for at, span_id in enumerate(path.span_ids)}
    own = {each.span_id: each for each in spans if each.span_id in places}
    broken = {
        each.span_id
        for each in own.values()
        if each.parent_id in places and each.parent_id not in own
    }
    led = [
        each
        for each in own.values()
        if each.span_id not in broken and path.call(places[each.span_id]) not in usual
    ]
    above = {each.parent_id for each in led}
    deepest = [each for each in led if each.span_id not in above]
    if not deepest:
        return ""
    return path.call(places[min(deepest, key=lambda each: (each.end_ns, each.span_id)).span_id])


def _more(ns: float) -> str:
    value = ns / NS_PER_MS
    return f"+{value:.{0 if value >= _PRECISE_BELOW_MS else 1}f} ms"


def _clean(name: str) -> str:
    """Return what a sender wrote, as one line that is not too long."""
    flat = "".join(mark if mark.isprintable() else " " for mark in name)
    return flat if len(flat) <= _NAME_MAX else flat[: _NAME_MAX - 1] + "…"
