"""Pure: the settings of the attribution engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from collector.core.config import Complete, HorizonDays, OutcomesConfig, Section
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S

NODE_DIMENSIONS = ("action", "channel", "region", "route", "campaign", "offer_type")


class ClassRule(Section):
    """Spans that match get this class of self time, before the conventions are asked."""

    service: str = Field(default="", description="Regular expression on service.name")
    span_name: str = Field(default="", description="Regular expression on the span's name")
    latency_class: str = Field(
        pattern=r"^(network|compute|store)$", description="network, compute or store"
    )


class SlopePrior(Section):
    """Relative loss of value per 100 ms, where no estimate has been identified yet.

    Log-normal. Default: randomised slow-downs (Brutlag 2009; Kohavi 2014), 0.2 to 1 % per 100 ms.
    """

    median_per_100ms: float = Field(default=0.005, gt=0, description="Median")
    low_per_100ms: float = Field(default=0.0015, gt=0, description="5 % quantile")
    high_per_100ms: float = Field(default=0.017, gt=0, description="95 % quantile")
    basis: str = Field(
        default="assumed rate: of published randomised slow-downs, not of your own data",
        description="Printed beside every figure that rests on it",
    )


class LatencyBudget(Section):
    """What is promised of some decisions: half take at most p50_ms, 19 of 20 at most p95_ms."""

    name: str = Field(min_length=1, max_length=80, description="Shown, and a label on /metrics")
    action: str = Field(default="", description="decision.action, empty for all")
    region: str = Field(default="", description="decision.region, empty for all")
    channel: str = Field(default="", description="decision.channel, empty for all")
    segment: str = Field(
        default="all",
        description="all for the whole decision; or a class, a stage, or both as decision/store",
    )
    p50_ms: float | None = Field(default=None, gt=0, description="Promised to half of them")
    p95_ms: float | None = Field(default=None, gt=0, description="Promised to 19 of 20")

    @model_validator(mode="after")
    def _promises_something(self) -> LatencyBudget:
        if self.p50_ms is None and self.p95_ms is None:
            raise ValueError(f"budget {self.name!r} promises nothing; give p50_ms or p95_ms")
        try:
            # NumPy comes with it, and what reads settings alone does not need that.
            from attribution.core.segments import segments_of

            segments_of(self.segment)
        except InputError as error:
            raise ValueError(f"budget {self.name!r}: {error}") from error
        return self


class ExperimentLimits(Section):
    """What an experiment that delays decisions may do at most; a larger one is refused."""

    enabled: bool = Field(
        default=True, description="false ends every delay within seconds, whatever is registered"
    )
    delay_ms_max: float = Field(default=100.0, gt=0, le=1000, description="Delay of an arm")
    share_max: float = Field(
        default=0.5, gt=0, lt=1, description="Share of the decisions that are delayed, all arms"
    )
    days_max: float = Field(default=60.0, gt=0, le=366, description="From its start to its end")


class ChannelConfig(Section):
    """What is true of the decisions of one `decision.channel`."""

    kind: Literal["paid", "owned", ""] = Field(
        default="",
        description="paid: its visitors are bought (search, display); owned: they come by "
        "themselves (e-mail, app); empty where nobody says",
    )
    horizon_days: HorizonDays | None = Field(
        default=None, description="By default outcomes.horizon_days"
    )
    complete: Complete | None = Field(default=None, description="By default outcomes.complete")


class RevenueNode(Section):
    """Flows whose revenue counts together: decisions that have every value given here."""

    name: str = Field(min_length=1, max_length=80, description="Shown; several may share it")
    action: str = Field(default="", description="decision.action, empty for any")
    channel: str = Field(default="", description="decision.channel, empty for any")
    region: str = Field(default="", description="decision.region, empty for any")
    route: str = Field(default="", description="decision.route, empty for any")
    campaign: str = Field(default="", description="decision.campaign, empty for any")
    offer_type: str = Field(default="", description="decision.offer_type, empty for any")

    @model_validator(mode="after")
    def _names_a_flow(self) -> RevenueNode:
        if not any(getattr(self, name) for name in NODE_DIMENSIONS):
            raise ValueError(
                f"node {self.name!r} names no flow; give one of {', '.join(NODE_DIMENSIONS)}"
            )
        return self


class AttributionConfig(Section):
    """How decisions are assembled, judged against a reference, and valued."""

    settle_s: float = Field(
        default=5.0, ge=0, description="Age at which a decision is attributed first"
    )
    overlap_s: float = Field(
        default=30.0, ge=0, description="Inserts this long after their receipt are found at once"
    )
    skew_max_s: float = Field(
        default=10.0, ge=0, description="Larger clock shifts are flagged, not applied; 0 disables"
    )
    reference_latency_ms: float = Field(
        default=80.0, gt=0, description="Reference latency L0 of a decision"
    )
    reference_latency_by_action_ms: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="... of single actions"
    )
    value_window_s: int = Field(
        default=86_400, gt=0, description="Decisions of this window give the mean value of a class"
    )
    currency: str = Field(
        default="USD",
        pattern=r"^[A-Z]{3}$",
        description="As USD: of every amount that is shown, and that these settings, rules and "
        "investments state; amounts in others are converted by `millworth import rates`, else "
        "unknown. A store keeps the one that it began with: another one is refused",
    )
    cost_per_decision_max: float = Field(
        default=0.0025,
        gt=0,
        description="Target of the blended cost of a decision, in the currency",
    )
    reserve_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of a budget that an allocation keeps back"
    )
    rate_days_max: int = Field(
        default=7,
        ge=0,
        le=366,
        description="A currency without a rate of the day takes the last one, at most so old",
    )
    rules: tuple[ClassRule, ...] = Field(default=(), description="Classes by your own rules")
    nodes: tuple[RevenueNode, ...] = Field(
        default=(), description="Revenue nodes; a decision is of the first that it matches"
    )
    slope: SlopePrior = Field(default_factory=SlopePrior, description="Prior of the slope")
    experiments: ExperimentLimits = Field(
        default_factory=ExperimentLimits, description="Bounds of `millworth vram experiments`"
    )
    slope_window_days: int = Field(
        default=28, gt=0, le=30, description="Decisions that the slope is estimated from"
    )
    outcome_delay_s: int = Field(
        default=86_400,
        ge=0,
        le=2_592_000,
        description="Age at which a decision's outcome should have come: for the slope, and "
        "for what is said to be missing where each gets one",
    )
    budgets: tuple[LatencyBudget, ...] = Field(
        default=(LatencyBudget(name="decision", p50_ms=80.0, p95_ms=100.0),),
        description="Latency budgets, each judged over the last budget_window_s",
    )
    budget_window_s: int = Field(
        default=3600, gt=0, le=2_592_000, description="Decisions that a budget is judged by"
    )

    # Declared once, in a section of its own, and read with the settings of attribution.
    _outcomes: OutcomesConfig = PrivateAttr(default_factory=OutcomesConfig)
    _channels: dict[str, ChannelConfig] = PrivateAttr(default_factory=dict)

    @property
    def outcomes(self) -> OutcomesConfig:
        """Return what outcomes are complete in: the section `outcomes`."""
        return self._outcomes

    @property
    def channels(self) -> Mapping[str, ChannelConfig]:
        """Return what is declared of single channels: the sections `channels.NAME`."""
        return self._channels

    @property
    def other_channels(self) -> list[str]:
        """Return the channels in which `outcomes.complete` is the other way round."""
        return sorted(
            name
            for name, each in self._channels.items()
            if each.complete not in (None, self._outcomes.complete)
        )

    def due_ns(self, now_ns: int) -> int:
        """Return the instant before which decisions began whose outcomes should have come, ns.

        One that says that nothing was sold needs no waiting for, where only sales are sent.
        """
        return now_ns - (self.outcome_delay_s * NS_PER_S if self._outcomes.all_sent else 0)

    def reading(
        self, outcomes: OutcomesConfig, channels: Mapping[str, ChannelConfig] | None = None
    ) -> AttributionConfig:
        """Return these settings for outcomes that are complete in this, and for these channels."""
        copied = self.model_copy()
        copied._outcomes = outcomes
        copied._channels = dict(channels or {})
        return copied

    def kind_of(self, channel: str) -> str:
        """Return paid or owned, "" where nobody says."""
        channel_config = self._channels.get(channel)
        return channel_config.kind if channel_config else ""

    def horizon_days_of(self, channel: str) -> int:
        """Return how many days after a decision of a channel its sales count."""
        channel_config = self._channels.get(channel)
        return (
            channel_config.horizon_days if channel_config else None
        ) or self._outcomes.horizon_days

    def node_rules(self) -> dict[str, list[str]]:
        """Return the parameters of the statements that put decisions to nodes."""
        return {
            f"node_{name}": [getattr(each, name) for each in self.nodes] for name in NODE_DIMENSIONS
        }

    def at_horizon(self, days: HorizonDays) -> AttributionConfig:
        """Return these settings with one horizon for all channels."""
        changed = {"horizon_days": days}
        return self.reading(
            self._outcomes.model_copy(update=changed),
            {name: each.model_copy(update=changed) for name, each in self._channels.items()},
        )

    def require_kept(self, decisions_days: int) -> None:
        """Raise ValueError where a horizon is longer than decisions are kept."""
        declared = {f"channels.{name}": each.horizon_days for name, each in self._channels.items()}
        for key, days in {"outcomes": self._outcomes.horizon_days, **declared}.items():
            # The default is no demand: with fewer days there is nothing that could come later.
            if days is not None and days > max(decisions_days, 30):
                raise ValueError(
                    f"{key}.horizon_days is {days} and decisions are kept for {decisions_days} "
                    f"days: sales that come later would find none; set retention.decisions_days to "
                    f"{days} or more, or lower the horizon"
                )

    def horizons(self) -> dict[str, object]:
        """Return the parameters of the statements that leave out what came after the horizon."""
        names = sorted(self._channels)
        return {
            "horizon_ns": self._outcomes.horizon_days * NS_PER_DAY,
            "horizon_channels": names,
            "horizons_ns": [self.horizon_days_of(name) * NS_PER_DAY for name in names],
        }

    def reference_ns(self, action: str) -> int:
        """Return the reference latency of an action."""
        reference_ms = self.reference_latency_by_action_ms.get(action, self.reference_latency_ms)
        return round(reference_ms * 1_000_000)

    def references(self) -> dict[str, object]:
        """Return the parameters of the statements that say how late a decision was."""
        # The engine refuses an empty list of actions, so a name that no action has stands in.
        actions = sorted(self.reference_latency_by_action_ms) or [""]
        return {
            "reference_actions": actions,
            "reference_ns": [self.reference_ns(action) for action in actions],
            "default_reference_ns": self.reference_ns(""),
        }
