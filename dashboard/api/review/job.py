"""I/O: reads what a quarter's review says. Writes nothing, and says the same of the same data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from attribution.books.nodes import Nodes, nodes
from attribution.books.reconcile import ReconciledDay, reconcile
from attribution.books.unit_cost import UnitCost, unit_cost
from attribution.core.config import AttributionConfig
from attribution.core.selection import CALIBRATION_ACTION, Selection
from attribution.experiments.job import ExperimentJob
from attribution.invest.job import InvestJob
from attribution.sensitivity.job import read_book
from attribution.vram.channels import Channels, channels
from attribution.vram.document import Document
from attribution.vram.job import VramJob
from collector.core.errors import InputError
from collector.core.sql import sql
from collector.store.connect import Connections
from dashboard.api.review.quarter import Quarter

FORMAT = 1
# What figures rest on, beside the data.
_SETTINGS = (
    "currency",
    "rate_days_max",
    "cost_per_decision_max",
    "reserve_share",
    "nodes",
    "slope",
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of the quarter is stored, and what came after it."""

    days: int
    days_with_decisions: int
    decisions: int
    first_ns: int  # of its decisions, 0 without any
    kept_days: int  # by the settings
    received_late: int  # outcomes that happened in it, and were received after it
    happened_late: int  # outcomes of its decisions that happened after it


@dataclass(frozen=True, slots=True)
class RuledOption:
    """One verdict of the gate."""

    judged_ns: int
    sha256: str
    option: str
    ruling: str
    gain_low_usd: Decimal | None
    cost_usd: Decimal | None
    basis: str
    reason: str  # why it is not funded
    is_signed: bool


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One experiment that ran in the quarter."""

    name: str
    owner: str
    state: str
    from_ns: int
    ended_ns: int
    stop_reason: str
    is_disproved: bool  # decisions did not fall into its arms as registered
    decisions: int
    delayed: int
    at_risk_usd: Decimal
    budget_usd: Decimal
    loss_usd: Decimal | None  # by the arms alone; None where they cannot tell
    status: str  # of the estimate
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a quarter's review says."""

    format: int
    quarter: str
    from_ns: int
    to_ns: int
    is_over: bool
    settings: dict[str, Any]
    coverage: Coverage
    ledger: Sequence[ReconciledDay]
    nodes: Nodes
    channels: Channels
    slope_basis: str
    slope_is_identified: bool
    ranking: Document | None  # by channel, without its curves; None where it is refused
    ranking_refusal: str
    gate: Sequence[RuledOption]
    experiments: Sequence[ExperimentLine]
    unit_cost: UnitCost


class ReviewJob:
    """Reads what a quarter's review says."""

    def __init__(self, config: AttributionConfig, store: Connections, kept_days: int) -> None:
        self._config = config
        self._store = store
        self._kept_days = kept_days

    def review(self, quarter: Quarter, now_ns: int) -> Review:
        """Return the review of a quarter; one that is not over is so far."""
        config, store = self._config, self._store
        window = Selection(quarter.from_ns, quarter.to_ns)
        book = read_book(store, config)
        ranking, refusal = self._ranking(window)
        return Review(
            format=FORMAT,
            quarter=quarter.name,
            from_ns=quarter.from_ns,
            to_ns=quarter.to_ns,
            is_over=now_ns >= quarter.to_ns,
            settings=self._settings(),
            coverage=self._coverage(quarter),
            ledger=reconcile(config, store, quarter.from_ns, quarter.to_ns),
            nodes=nodes(config, store, quarter.from_ns, quarter.to_ns),
            channels=channels(config, store, window, self._kept_days),
            slope_basis=book.basis(quarter.to_ns, config.slope.basis),
            slope_is_identified=book.in_force(quarter.to_ns) is not None,
            ranking=ranking,
            ranking_refusal=refusal,
            gate=self._gate(quarter),
            experiments=self._experiments(quarter),
            unit_cost=unit_cost(config, store, window),
        )

    def _settings(self) -> dict[str, Any]:
        return {
            **self._config.model_dump(mode="json", include=set(_SETTINGS)),
            "outcomes": self._config.outcomes.model_dump(mode="json"),
            "channels": {
                name: each.model_dump(mode="json") for name, each in self._config.channels.items()
            },
        }

    def _coverage(self, quarter: Quarter) -> Coverage:
        parameters = {
            "from_ns": quarter.from_ns,
            "to_ns": quarter.to_ns,
            "left_out": CALIBRATION_ACTION,
        }
        asked = self._store.client().query(sql("late_outcomes", __file__), parameters=parameters)
        received, happened, decisions, days, first_ns = asked.result_rows[0]
        return Coverage(
            days=quarter.days,
            days_with_decisions=days,
            decisions=decisions,
            first_ns=first_ns,
            kept_days=self._kept_days,
            received_late=received,
            happened_late=happened,
        )

    def _ranking(self, window: Selection) -> tuple[Document | None, str]:
        try:
            told = VramJob(self._config, self._store).compute(window, "channel")
        except InputError as error:
            return None, str(error)
        groups = [
            {key: value for key, value in each.items() if key != "curve"} for each in told["groups"]
        ]
        return {**told, "groups": groups}, ""

    def _gate(self, quarter: Quarter) -> list[RuledOption]:
        return [
            RuledOption(
                judged_ns=each.judged_ns,
                sha256=each.sha256,
                option=each.option,
                ruling=each.ruling,
                gain_low_usd=each.gain_low_usd,
                cost_usd=each.cost_usd,
                basis=str(each.document["evidence"]["basis"]),
                reason=str(each.document["verdict"].get("reason", "")),
                is_signed=each.signature is not None,
            )
            for each in InvestJob(self._config, self._store).verdicts()
            if quarter.from_ns <= each.judged_ns < quarter.to_ns
        ]

    def _experiments(self, quarter: Quarter) -> list[ExperimentLine]:
        """Return those that ran in the quarter, as they stood at its end."""
        job = ExperimentJob(self._config, self._store)
        lines = []
        for each in job.all():
            if each.from_ns >= quarter.to_ns or each.ended_ns < quarter.from_ns:
                continue
            found = job.report(each.name, quarter.to_ns)
            lines.append(
                ExperimentLine(
                    name=each.name,
                    owner=each.owner,
                    state=found.state,
                    from_ns=each.from_ns,
                    ended_ns=each.ended_ns,
                    stop_reason=each.stop_reason,
                    is_disproved=each.is_disproved or found.measured.sample_ratio.is_wrong,
                    decisions=found.measured.decisions,
                    delayed=found.measured.delayed,
                    at_risk_usd=found.measured.at_risk_usd,
                    budget_usd=each.budget_usd,
                    loss_usd=None if found.loss is None else found.loss.usd,
                    status=str(found.estimate.status),
                    reason=found.estimate.reason,
                )
            )
        return lines
