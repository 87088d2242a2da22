"""I/O: rules of other tools over what is stored, beside a dollar rule over the same decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from alerts.people.calendars import Calendars
from alerts.replay.replay import replay
from alerts.replay.score import Firing, Losses, Score, firings_of, score
from alerts.replay.series import Series
from alerts.replay.spans import SpanSeries, replay_spans
from alerts.replay.stored import (
    read_classes,
    read_instants,
    read_service_classes,
    read_spans,
    read_values,
)
from alerts.replay.walk import Instants
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.slo import Slo, SloConfig, span_filter
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections

# Each reads the spans of days: what a person compares at a time.
SCORED_MAX: Final = 60
# An SLO of 99.9 %, in dollars.
BUDGET_SHARE: Final = Decimal("0.001")
BUDGET_DAYS: Final = 30
_STEP_NS: Final = 10 * NS_PER_S
_WARM_NS: Final = NS_PER_DAY
Spans = Mapping[Subject, SpanSeries]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One imported rule beside a dollar rule over the decisions of the same services."""

    rule: str
    severity: str
    services: list[str]  # that answered anything that the rule counts
    classes: list[str]  # of decisions in which these services take part
    budget_usd: Decimal | None  # of 30 days; None: nobody knows what the decisions are worth
    imported: Score
    proposal: Score | None  # None: there are no such decisions, or their worth is not known


def compare(
    rules: Sequence[SloConfig],
    store: Connections,
    from_ns: int,
    to_ns: int,
    nodata_s: float,
    budget_usd: float | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Iterator[Comparison]:
    """Yield each rule over [from, to), beside the pages of a dollar rule with the usual tiers.

    The budget of 30 days is a thousandth of what the decisions are worth, where none is given.
    Spans are read in steps of ten seconds, and rules evaluated as often.

    Args:
        rules: imported ones.
        store: with spans and losses.
        from_ns: first instant.
        to_ns: behind the last.
        nodata_s: time without spans after which a state is unknown.
        budget_usd: of the decisions of each rule.
        progress: is called with the number of rules that are done.
    """
    from_ns -= from_ns % _STEP_NS
    to_ns -= to_ns % _STEP_NS
    begin_ns = max(0, from_ns - _WARM_NS)
    instants = read_instants(None, begin_ns, to_ns, _STEP_NS / NS_PER_S, nodata_s)
    stored = _Stored(store, instants, from_ns, to_ns, begin_ns, budget_usd)
    for number, config in enumerate(rules[:SCORED_MAX], 1):
        for part in config.by_severity:
            yield stored.comparison(part)
        progress(number)


class _Stored:
    """What is read once for all rules of one comparison."""

    def __init__(
        self,
        store: Connections,
        instants: Instants,
        from_ns: int,
        to_ns: int,
        begin_ns: int,
        budget_usd: float | None,
    ) -> None:
        self._store = store
        self._instants = instants
        self._from_ns, self._to_ns, self._begin_ns = from_ns, to_ns, begin_ns
        self._budget_usd = budget_usd
        longest_s = DollarBurnConfig(name="p", budget_usd=1).windows_s[-1]
        self._losses = read_classes(store, begin_ns - longest_s * NS_PER_S, to_ns)
        self._values = read_values(store, from_ns, to_ns)
        self._classes = read_service_classes(store, from_ns, to_ns)
        self._spans: dict[str, tuple[int, Spans]] = {}
        self._proposals: dict[frozenset[Subject], tuple[Losses, list[Firing], Decimal] | None] = {}

    def comparison(self, config: SloConfig) -> Comparison:
        """Return one rule beside the dollar rule."""
        subjects = self._spans_of(config)
        changes = replay_spans(Slo(config), subjects, self._instants)
        firings = firings_of(changes, self._from_ns)
        services = sorted(each.action for each in subjects)
        classes = self._classes_of(config, services)
        proposed = self._proposed(classes)
        length_ns = self._to_ns - self._from_ns
        losses, others, budget_usd = proposed if proposed is not None else (None, [], None)
        return Comparison(
            rule=config.name,
            severity=config.severity,
            services=services,
            classes=[str(each) for each in sorted(classes)],
            budget_usd=budget_usd,
            imported=score(firings, length_ns, losses, others),
            proposal=None if losses is None else score(others, length_ns, losses, firings),
        )

    def _spans_of(self, config: SloConfig) -> Spans:
        """Return the spans that a rule counts; one that counts the same as another shares them."""
        key = f"{config.together} {sorted(span_filter(config).items())}"
        longest_s = config.windows_s[-1]
        known_s, found = self._spans.get(key, (0, {}))
        if known_s < longest_s:
            begin_ns = self._begin_ns - longest_s * NS_PER_S
            found = read_spans(self._store, config, begin_ns, self._to_ns, _STEP_NS)
            self._spans = {key: (longest_s, found)}
        return found

    def _classes_of(self, config: SloConfig, services: Iterable[str]) -> frozenset[Subject]:
        if config.together:
            return frozenset(self._losses)
        classes = (self._classes.get(service, frozenset()) for service in services)
        return frozenset(each for some in classes for each in some) & frozenset(self._losses)

    def _proposed(self, classes: frozenset[Subject]) -> tuple[Losses, list[Firing], Decimal] | None:
        if classes not in self._proposals:
            self._proposals[classes] = self._propose(classes)
        return self._proposals[classes]

    def _propose(self, classes: frozenset[Subject]) -> tuple[Losses, list[Firing], Decimal] | None:
        """Return the losses of classes, and when a dollar rule over them pages."""
        budget_usd = self._budget_of(classes)
        if not classes or budget_usd <= 0:
            return None
        some: dict[Subject, Series] = {each: self._losses[each] for each in classes}
        config = DollarBurnConfig(
            name="proposal", budget_usd=float(budget_usd), budget_days=BUDGET_DAYS, budget_for="all"
        ).by_severity[0]
        changes = replay(DollarBurn(config), some, self._instants, Calendars(()))
        losses = Losses.of(config, list(some.values()), self._instants, self._from_ns)
        return losses, firings_of(changes, self._from_ns), budget_usd

    def _budget_of(self, classes: Iterable[Subject]) -> Decimal:
        if self._budget_usd is not None:
            return Decimal(str(self._budget_usd))
        value_usd = sum((self._values.get(each, Decimal(0)) for each in classes), Decimal(0))
        days = Decimal(max(self._to_ns - self._from_ns, 1)) / NS_PER_DAY
        return (value_usd * BUDGET_SHARE * BUDGET_DAYS / days).quantize(Decimal("0.01"))
