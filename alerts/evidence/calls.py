"""Pure: which calls, by service and name of their spans, a segment takes longer in than before.

And which span of decisions that fail is the first to: a failure goes up from where it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.evidence.suspect import DECISIONS_MIN
from attribution.core.segments import UNTRACED
from collector.core.clock import NS_PER_MS

# Time that no span covers: before the first of them began.
BEFORE_FIRST: Final = "the time before its first span"
# From so much of what a segment takes longer on, and in so many decisions, one call is the cause.
_MOST = 0.5
# A call that takes longer by less than this of it is not counted among several.
_SOME = 0.05
_NAMED_MAX = 2
_NAME_MAX = 60
# Of so few that are slow, or fail, nothing is said.
_SLOW_MIN = 3
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
        low_ns, high_ns = self.bounds_ns[stage], self.bounds_ns[stage + 1]
        for at, trait in enumerate(self.traits):
            if trait & 3 != latency_class:
                continue
            sent = self._sent_stage(at)
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
        return f"{_clean(self.services[at])}: {_clean(self.names[at])}"

    def _sent_stage(self, at: int) -> int | None:
        """Return the stage that a span or the next above it says, None where stamps decide."""
        for _ in self.parents:
            if sent := self.traits[at] >> 2 & 7:
                return sent - 1
            if self.parents[at] == at:
                break
            at = self.parents[at]
        return None


@dataclass(frozen=True, slots=True)
class FailedSpan:
    """A span that failed."""

    span_id: int
    parent_id: int
    end_ns: int


def slower_text(during: Sequence[Mapping[str, int]], usual: Sequence[Mapping[str, int]]) -> str:
    """Return in which call a segment takes longer, "" where too little is known.

    Args:
        during: by decision that is slow, the time of each call in the segment.
        usual: of decisions as they are usually.
    """
    if len(during) < _SLOW_MIN or len(usual) < DECISIONS_MIN:
        return ""
    then, now = _means(usual), _means(during)
    more = {call: now[call] - then.get(call, 0.0) for call in now}
    ranked = sorted(((ns, call) for call, ns in more.items() if ns > 0), reverse=True)
    total = sum(ns for ns, _ in ranked)
    if not total:
        return ""
    first_ns, first = ranked[0]
    usual_ns = sum(then.values())
    alike = sum(
        times.get(first, 0) - then.get(first, 0.0) > _MOST * (sum(times.values()) - usual_ns)
        for times in during
    )
    if first_ns >= _MOST * total and alike > _MOST * len(during):
        return f"slower is {first}, {_more(first_ns)} in {alike} of {len(during)} slow decisions"
    some = [(ns, call) for ns, call in ranked if ns >= _SOME * total]
    named = ", ".join(f"{call} {_more(ns)}" for ns, call in some[:_NAMED_MAX])
    rest = len(some) - _NAMED_MAX
    others = f" and {rest} more" if rest > 0 else ""
    return f"slower is no one call: {named}{others} in {len(during)} slow decisions"


def failed_text(paths: Sequence[Path], failed: Sequence[Sequence[FailedSpan]]) -> str:
    """Return which call is the first to fail, "" where of most the span is not there.

    Args:
        paths: of decisions that failed.
        failed: the spans of each that failed.
    """
    firsts = [_first(path, spans) for path, spans in zip(paths, failed, strict=True)]
    known = Counter(call for call in firsts if call)
    if len(paths) < _SLOW_MIN or known.total() <= _MOST * len(paths):
        return ""
    ranked = sorted(known.items(), key=lambda each: (-each[1], each[0]))
    of = f"of {len(paths)} failed decisions"
    call, times = ranked[0]
    if times > _MOST * len(paths):
        return f"first to fail is {call}, in {times} {of}"
    named = ", ".join(f"{each} in {number}" for each, number in ranked[:_NAMED_MAX])
    return f"first to fail is no one call: {named} {of}"


def _first(path: Path, spans: Sequence[FailedSpan]) -> str:
    """Return the span whose failure others follow from, "" where none of its own failed."""
    places = {span_id: at for at, span_id in enumerate(path.span_ids)}
    own = [each for each in spans if each.span_id in places]
    above = {each.parent_id for each in own}
    deepest = [each for each in own if each.span_id not in above]
    if not deepest:
        return ""
    return path.call(places[min(deepest, key=lambda each: (each.end_ns, each.span_id)).span_id])


def _means(of: Sequence[Mapping[str, int]]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for times in of:
        sums.update(times)
    return {call: total / len(of) for call, total in sums.items()}


def _more(ns: float) -> str:
    value = ns / NS_PER_MS
    return f"+{value:.{0 if value >= _PRECISE_BELOW_MS else 1}f} ms"


def _clean(name: str) -> str:
    """Return what a sender wrote, without what ends a part of a reason."""
    flat = "".join(mark if mark.isprintable() and mark != ";" else " " for mark in name)
    return flat if len(flat) <= _NAME_MAX else flat[: _NAME_MAX - 1] + "…"
