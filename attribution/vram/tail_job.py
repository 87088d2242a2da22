"""I/O: the acceptable tail of stored decisions, refused where the slope is not identified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from attribution.books.compound import following_usd, interval
from attribution.books.group_values import read_group_values, spread_s, summed
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.experiments.job import ExperimentJob
from attribution.experiments.proposal import Proposal
from attribution.path.columns import ints
from attribution.read.reader import Reader
from attribution.sensitivity.job import read_book
from attribution.vram.job import YEAR_DAYS_MIN
from attribution.vram.tail import CostPoint, Latencies, Tail, acceptable_tail, checked
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MS, S_PER_DAY, S_PER_YEAR
from collector.store.connect import Connections

_SAMPLE_MAX = 200_000


@dataclass(frozen=True, slots=True)
class TailAnswer:
    """The acceptable tail, or why there is none, and what would find it."""

    refusal: str  # "" where there is one
    proposal: Proposal | None  # the experiment that would identify the slope
    basis: str  # what the slope rests on
    decisions: int
    sampled: int  # ... whose latencies stand for all, failed ones not among them
    days: float  # over which they are spread
    earned_usd: float  # by those whose outcome is known
    tail: Tail | None


class TailJob:
    """Answers up to which percentile a target latency is worth holding. Writes nothing."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store, AttributesConfig())

    def tail(
        self,
        selection: Selection,
        points: Sequence[CostPoint],
        now_ns: int,
        *,
        target_ms: float | None = None,
        annualise: bool = False,
    ) -> TailAnswer:
        """Return the acceptable tail of some decisions.

        Args:
            selection: the decisions.
            points: what holding percentiles costs a year.
            now_ns: an experiment is proposed by the decisions of the day before.
            target_ms: by default the reference latency of the action.
            annualise: take fewer than YEAR_DAYS_MIN days of decisions for a year too.

        Raises:
            InputError: costs, target or decisions that say nothing, with the remedy.
        """
        checked(points)
        values = read_group_values(self._store, self._config, selection, "action")
        count = sum(each.decisions for each in values)
        book = read_book(self._store, self._config)
        model = book.in_force(selection.to_ns)
        basis = book.basis(selection.to_ns, self._config.slope.basis)
        groups = [each for each in values if not math.isnan(each.earned_usd)]
        seconds = spread_s(values)
        days = seconds / S_PER_DAY
        total = summed(groups)
        earned = total.usd
        refusal = self._refusal(earned, days, annualise=annualise)
        proposal = None
        if model is None:
            last = book.last
            why = "it was never estimated; say `millworth vram slope`" if last is None else ""
            why = why or (last.reason if last is not None else "")
            refusal = f"the slope is not identified: {why}"
            if last is None or not last.is_refused:
                proposal = ExperimentJob(self._config, self._store).propose(now_ns)
        answer = TailAnswer(
            refusal, proposal, basis, count, 0, days, sum(each.earned_usd for each in groups), None
        )
        if refusal or model is None:
            return answer
        table = self._reader.selected_segments(selection, max(1, math.ceil(count / _SAMPLE_MAX)))
        total_ns = ints(table["total_ns"])[ints(table["is_error"]) == 0]
        low, high = interval(total, following_usd({"": total})[""])
        latencies = Latencies(
            total_ns=total_ns,
            earned_usd_per_year=earned / seconds * S_PER_YEAR,
            earned_low_usd_per_year=low / seconds * S_PER_YEAR,
            earned_high_usd_per_year=high / seconds * S_PER_YEAR,
            low_ns=model.latency_low_ns,
            high_ns=model.latency_high_ns,
        )
        reference_ms = self._config.reference_ns(selection.action) / NS_PER_MS
        target_ns = round((reference_ms if target_ms is None else target_ms) * NS_PER_MS)
        tail = acceptable_tail(latencies, book.slope(selection.to_ns), target_ns, points)
        return TailAnswer("", None, basis, count, len(total_ns), days, answer.earned_usd, tail)

    def _refusal(self, earned: float, days: float, *, annualise: bool) -> str:
        """Return why these decisions say nothing of a year, "" where they do."""
        if earned <= 0:
            return "what the decisions of this window earned is unknown, or nothing"
        if days < YEAR_DAYS_MIN and not annualise:
            return (
                f"{days:.3g} days of decisions say little of a year, {YEAR_DAYS_MIN} are needed; "
                "--annualise takes them all the same"
            )
        return ""
