"""Pure: the rule kind `slo`: too large a share of a service's spans is bad, over two windows.

A ratio of counts as SLO tools state it, for rules that are imported from them: it knows no dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, Protocol, Self

from pydantic import Field, model_validator

from alerts.rules.base import (
    Evaluation,
    Moment,
    Reader,
    Rule,
    RuleConfig,
    Severity,
    Wording,
    duration_text,
    observe,
    split_by_severity,
)
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import AlertState, Status
from collector.core.config import Section
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S

# Longer windows end at whole minutes and are read once a minute: half an hour of spans with their
# attributes, read at each pass, would cost a tenth of a core a rule.
_KEPT_S: Final = 300
_WORSE: Final = {Status.NO_DATA: 0, Status.OK: 1, Status.BREACHED: 2}

Statuses = tuple[tuple[int, int], ...]


class SloTier(Section):
    """A window or two in which the share of bad spans is too large."""

    bad_share_max: float = Field(
        ge=0, lt=1, description="Share of bad spans above which it fires, in every window"
    )
    long_window_s: int = Field(gt=0, description="Window that has to burn")
    short_window_s: int | None = Field(
        default=None, gt=0, description="... and the window that has to burn still; none by default"
    )
    severity: Severity | None = Field(
        default=None, description="page or ticket; by default that of the rule"
    )

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_window_s is not None and self.short_window_s >= self.long_window_s:
            raise ValueError(
                f"short_window_s {self.short_window_s} has to be less than "
                f"long_window_s {self.long_window_s}"
            )
        return self

    @property
    def windows_s(self) -> tuple[int, ...]:
        """Return the lengths of its windows, the long one first."""
        shorter = () if self.short_window_s is None else (self.short_window_s,)
        return (self.long_window_s, *shorter)


class SloConfig(RuleConfig):
    """The share of bad spans among those that a service answered, over tiers of windows."""

    kind: Literal["slo"] = Field(default="slo", description="Kind of the rule")
    service: str = Field(
        default="", description="service.name; empty evaluates each service by itself"
    )
    together: bool = Field(
        default=False, description="All services are one; only where `service` is empty"
    )
    span: str = Field(
        default="", description="Only spans of this name, or of this http.route; empty is all"
    )
    method: str = Field(default="", description="Only spans of this HTTP method; empty is all")
    failed: bool = Field(
        default=False,
        description="A span with the status Error is bad: OpenTelemetry sets it where a server "
        "answers 500 and above",
    )
    target_ms: float | None = Field(
        default=None, gt=0, description="A span that takes longer is bad"
    )
    bad_statuses: Statuses = Field(
        default=(), description="A span with an HTTP status in one of these [from, to] is bad"
    )
    counted_statuses: Statuses = Field(
        default=(),
        description="Only spans with an HTTP status in one of these [from, to] count; by default "
        "all spans",
    )
    tiers: tuple[SloTier, ...] = Field(min_length=1, description="Windows, any of which fires")
    spans_min: int = Field(
        default=1, ge=1, description="Spans in a window below which its share says nothing"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not (self.failed or self.bad_statuses or self.target_ms is not None):
            raise ValueError(
                f"rule {self.name}: no span is bad; set failed, target_ms or bad_statuses"
            )
        if self.together and self.service:
            raise ValueError(
                f"rule {self.name}: together is about all services; leave service empty"
            )
        for low, high in (*self.bad_statuses, *self.counted_statuses):
            if not 100 <= low <= high <= 599:
                raise ValueError(
                    f"rule {self.name}: [{low}, {high}] is not a range of HTTP statuses; "
                    "100 <= from <= to <= 599"
                )
        return self

    @property
    def by_severity(self) -> tuple[SloConfig, ...]:
        """Return a rule for each severity of the tiers."""
        return split_by_severity(self, self.tiers)

    @property
    def windows_s(self) -> tuple[int, ...]:
        """Return the lengths of all windows, ascending."""
        return tuple(sorted({each for tier in self.tiers for each in tier.windows_s}))

    @property
    def named(self) -> Subject | None:
        """Return the one subject that the settings name, None where each service is one."""
        if self.together:
            return Subject(ALL, "")
        return Subject(self.service, "") if self.service else None

    def covers(self, subject: Subject) -> bool:
        """Return whether a subject is the one that is named, or a service."""
        if self.named is not None:
            return subject == self.named
        return not subject.region and subject.action != ALL

    def expects(self, subject: Subject) -> bool:
        """Return whether the settings name the subject."""
        return subject == self.named

    def subject(self, service: str) -> Subject:
        """Return the subject that the spans of a service count for."""
        return Subject(ALL if self.together else service, "")


@dataclass(frozen=True, slots=True)
class SpanCount:
    """Spans that ended in one window."""

    spans: int = 0
    bad: int = 0
    newest_ns: int = 0  # end of the newest one, 0 where there is none

    def __add__(self, other: SpanCount) -> SpanCount:
        """Return the count of both."""
        newest_ns = max(self.newest_ns, other.newest_ns)
        return SpanCount(self.spans + other.spans, self.bad + other.bad, newest_ns)

    @property
    def share(self) -> float:
        """Return the share that is bad; there are spans."""
        return self.bad / self.spans


NO_SPANS: Final = SpanCount()


class ServiceSpans(Protocol):
    """What one subject answered up to the moment of a pass."""

    def window(self, seconds: int) -> SpanCount:
        """Return the window of this length in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """The spans of every subject that answered anything in the longest window, at one moment."""

    moment: Moment
    by_subject: Mapping[Subject, ServiceSpans]


@dataclass(frozen=True, slots=True)
class Slo(Rule[SloConfig, SpanFacts]):
    """Fires while the share of bad spans is too large in every window of a tier."""

    model: ClassVar = SloConfig

    config: SloConfig

    @property
    def window_s(self) -> int:
        """Return the long window of the first tier."""
        return self.config.tiers[0].long_window_s

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> SpanFacts:
        """Read what every subject answered in all windows.

        They end where everything has arrived: decisions may have ended before.
        """
        end_ns = moment.known_ns
        recent = [each for each in self.config.windows_s if each <= _KEPT_S]
        kept = [each for each in self.config.windows_s if each > _KEPT_S]
        minute_ns = spans_end_ns(_KEPT_S + 1, end_ns)
        parts = (
            _read_counts(reader.rows, self.config, recent, end_ns),
            _read_counts(reader.kept_rows, self.config, kept, minute_ns),
        )
        found = {each for counts in parts for each in counts}
        return SpanFacts(
            moment,
            {
                each: _StoredSpans(
                    {**parts[0].get(each, {}), **parts[1].get(each, {})},
                )
                for each in found
            },
        )

    def subjects(self, facts: SpanFacts) -> Mapping[Subject, int]:
        """Return the services that answered anything, and the one that the rule names."""
        named = [] if self.config.named is None else [self.config.named]
        found = (each for each in (*facts.by_subject, *named) if self.config.covers(each))
        return dict.fromkeys(found, facts.moment.known_ns)

    def evaluate(self, facts: SpanFacts, state: AlertState) -> Evaluation:
        """Compare the share of one subject with the tiers."""
        spans = facts.by_subject.get(state.subject, _StoredSpans({}))
        counts = {each: spans.window(each) for each in self.config.windows_s}
        verdicts = [(tier, *self._judge(tier, counts)) for tier in self.config.tiers]
        tier, status, reason = max(verdicts, key=lambda verdict: _WORSE[verdict[1]])
        newest_ns = max(count.newest_ns for count in counts.values())
        moment = replace(facts.moment, end_ns=facts.moment.known_ns)
        seen = observe(status, state, newest_ns, moment)
        return Evaluation(seen, reason, window_s=tier.long_window_s)

    def wording(self, subject: Subject) -> Wording:
        """Return the words for one subject."""
        of = "any service" if subject.action == ALL else f"service {subject.action}"
        shorts = {
            tier.long_window_s: tier.short_window_s
            for tier in self.config.tiers
            if tier.short_window_s is not None
        }
        return self.config.wording(f"spans of {of}", shorts)

    def _judge(self, tier: SloTier, counts: Mapping[int, SpanCount]) -> tuple[Status, str]:
        shares_text = []
        for seconds in tier.windows_s:
            count, during = counts[seconds], duration_text(seconds)
            if count.spans < self.config.spans_min:
                few = f"{count.spans:,} spans in {during}, fewer than {self.config.spans_min:,}"
                return Status.NO_DATA, few
            shares_text.append(f"{count.share:.3%} of {count.spans:,} spans in {during}")
        is_over = all(counts[each].share > tier.bad_share_max for each in tier.windows_s)
        shares = f"bad are {' and '.join(shares_text)}"
        limit = f"{'above' if is_over else 'not above'} {tier.bad_share_max:.6g}"
        return (Status.BREACHED if is_over else Status.OK), f"{shares}, {limit}"


def spans_end_ns(seconds: int, end_ns: int) -> int:
    """Return where a window of this length ends in a pass whose windows end at an instant."""
    return end_ns if seconds <= _KEPT_S else end_ns - end_ns % NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class _StoredSpans:
    by_seconds: Mapping[int, SpanCount]

    def window(self, seconds: int) -> SpanCount:
        """Return the window of this length in seconds."""
        return self.by_seconds.get(seconds, NO_SPANS)


def span_filter(config: SloConfig) -> dict[str, Any]:
    """Return the parameters of statements that count spans: which count, and which are bad."""
    target_ms = config.target_ms
    return {
        "service": config.service,
        "span": config.span,
        "method": config.method,
        "failed": int(config.failed),
        "target_ns": 0 if target_ms is None else round(target_ms * NS_PER_MS),
        "bad_from": [low for low, _ in config.bad_statuses],
        "bad_to": [high for _, high in config.bad_statuses],
        "counted_from": [low for low, _ in config.counted_statuses],
        "counted_to": [high for _, high in config.counted_statuses],
    }


def _read_counts(
    rows_of: Callable[..., list[Any]], config: SloConfig, lengths: list[int], end_ns: int
) -> dict[Subject, dict[int, SpanCount]]:
    """Return what every subject answered in windows of these lengths, s, ascending."""
    if not lengths:
        return {}
    starts_ns = [max(0, end_ns - each * NS_PER_S) for each in lengths]
    rows = rows_of(
        "span_rings",
        __file__,
        end_ns=end_ns,
        from_ns=starts_ns[-1],
        starts_ns=starts_ns,
        **span_filter(config),
    )
    rings: dict[Subject, dict[int, SpanCount]] = {}
    for service, ring, *figures in rows:
        of = rings.setdefault(config.subject(str(service)), {})
        of[int(ring)] = of.get(int(ring), NO_SPANS) + SpanCount(*map(int, figures))
    found: dict[Subject, dict[int, SpanCount]] = {}
    for subject, of in rings.items():
        total, sums = NO_SPANS, found.setdefault(subject, {})
        for ring, seconds in enumerate(lengths):
            total += of.get(ring, NO_SPANS)
            sums[seconds] = total
    return found
