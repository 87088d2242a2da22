"""I/O: replays what investments save on stored decisions, rules on them, and keeps the verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from attribution.core.config import AttributionConfig
from attribution.core.money import currency
from attribution.core.segments import SEGMENTS
from attribution.core.selection import Selection
from attribution.experiments.job import ExperimentJob
from attribution.invest.answers import Comparison, compare_options
from attribution.invest.file import InvestFile, OptionEntry
from attribution.invest.gate import (
    QUARTER_NS,
    Basis,
    Evidence,
    Replayed,
    canonical,
    digest,
    document,
)
from attribution.invest.npv import Driver, Option, Range
from attribution.read.reader import Reader
from attribution.revenue.loss import Slope
from attribution.sensitivity.estimate import Status
from attribution.sensitivity.job import read_book
from attribution.sensitivity.versions import own_slope, unmeasured
from attribution.whatif.analyst import Analyst
from attribution.whatif.answers import Money, WhatIfAnswer
from attribution.whatif.replay import Change
from collector.core.config import AttributesConfig
from collector.core.errors import InputError, NotFoundError
from collector.core.sql import sql
from collector.store.connect import Connections

# The uncertainty of replayed gains is that of one slope: it is drawn once for all options.
SLOPE_DRIVER = "sensitivity of value to latency"
_SQL = sql("gate_verdicts", __file__)
_COLUMNS = [
    "judged_ns", "sha256", "changed_ns", "option", "ruling", "gain_low_usd", "cost_usd", "document",
    "signature", "public_key", "actor",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """One verdict as it is kept."""

    judged_ns: int
    sha256: str
    option: str
    ruling: str
    gain_low_usd: Decimal | None
    cost_usd: Decimal | None
    document: dict[str, Any]
    signature: str | None
    public_key: str | None
    actor: str


class InvestJob:
    """The one writer of `gate_verdicts`."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._analyst = Analyst(config, store)
        self._experiments = ExperimentJob(config, store)
        self._reader = Reader(store, AttributesConfig())

    def compare(self, invest_file: InvestFile, selection: Selection) -> Comparison:
        """Compare the options of a file; what one saves is replayed on the selection."""
        options = [self.option(each, invest_file, selection) for each in invest_file.options]
        invest = invest_file.invest
        return compare_options(options, invest.rate, invest.years, invest.seed)

    def judge(
        self,
        invest_file: InvestFile,
        name: str,
        selection: Selection,
        judged_at: tuple[int, str],
        actor: str,
    ) -> StoredVerdict:
        """Rule on one option and keep the verdict.

        Args:
            invest_file: the file.
            name: of the option; "" is the only one.
            selection: what its gain is replayed on.
            judged_at: now, in ns and as ISO 8601.
            actor: who asked.
        """
        option, evidence = self.option(invest_file.chosen(name), invest_file, selection)
        evidence = self._held_now(evidence, judged_at[0])
        ruled = document(option, evidence, invest_file.invest.demand(), judged_at[1])
        verdict = ruled["verdict"]
        row = StoredVerdict(
            judged_ns=judged_at[0],
            sha256=digest(ruled),
            option=option.name,
            ruling=verdict["ruling"],
            gain_low_usd=_amount(verdict["gain_low_usd"]),
            cost_usd=_amount(verdict["cost_usd"]),
            document=ruled,
            signature=None,
            public_key=None,
            actor=actor,
        )
        self._write(row, judged_at[0])
        return row

    def sign(self, row: StoredVerdict, signature: str, public_key: str, now_ns: int) -> None:
        """Keep a verdict's signature, which has been checked; one that is there stays."""
        if row.signature is not None:
            raise InputError(f"verdict {row.sha256[:12]} is signed already; judge again")
        self._write(replace(row, signature=signature, public_key=public_key), now_ns)

    def verdicts(self, sha256: str = "") -> list[StoredVerdict]:
        """Return every verdict, or those whose name begins so, the newest first."""
        rows = self._store.client().query(_SQL, parameters={"sha256": sha256}).result_rows
        return [
            StoredVerdict(
                judged_ns=row[0], sha256=row[1], option=row[2], ruling=row[3], gain_low_usd=row[4],
                cost_usd=row[5], document=json.loads(row[6]), signature=row[7] or None,
                public_key=row[8] or None, actor=row[9],
            )
            for row in rows
        ]  # fmt: skip

    def verdict(self, sha256: str) -> StoredVerdict:
        """Return one by the beginning of its name. Raises InputError where that is not one."""
        verdicts = self.verdicts(sha256)
        if len(verdicts) != 1 or not sha256:
            kind = InputError if verdicts else NotFoundError
            raise kind(
                f"{len(verdicts)} verdicts begin with {sha256[:64]!r}; `millworth vram verdicts` "
                "lists them"
            )
        return verdicts[0]

    def replay_again(self, ruled: dict[str, Any]) -> list[str]:
        """Replay what a verdict was replayed on; return what differs, a line each."""
        before = ruled["evidence"]["replayed"]
        if before is None:
            return []
        evidence = ruled["evidence"]
        entry = OptionEntry.model_validate(
            {
                "name": "x", "capex_usd": 0, "opex_usd_per_quarter": 0, "saves": before["saves"],
                "basis": evidence["basis"], "source": evidence["source"],
            }
        )  # fmt: skip
        _, again = self._replayed(entry, Selection(before["from_ns"], before["to_ns"]), 1)
        now = again.replayed
        if now is None:
            return ["the decisions that it was replayed on are no longer stored"]
        wrong = []
        if now.decisions != before["decisions"]:
            wrong.append(f"it was replayed on {before['decisions']} decisions; {now.decisions} now")
        for name in ("low", "median", "high"):
            was, amount = Decimal(before["saved_usd"][name]), getattr(now.saved, name)
            if was != amount:
                wrong.append(f"saved, {name}: {was} {currency()} then, {amount} {currency()} now")
        return wrong

    def option(
        self, entry: OptionEntry, invest_file: InvestFile, selection: Selection
    ) -> tuple[Option, Evidence]:
        """Return an option and what its gain rests on."""
        try:
            stated = entry.stated(invest_file.invest.quarters)
        except ValueError as error:
            raise InputError(f"option {error}") from error
        if stated is None:
            return self._replayed(entry, selection, invest_file.invest.quarters)
        return stated, self._claimed(stated, entry, selection)

    def _claimed(self, option: Option, entry: OptionEntry, selection: Selection) -> Evidence:
        """Hold a stated gain against the experiment or the estimate that it claims.

        What a file states is nobody's measurement. It is taken where the slope that it names is
        identified, and all the latency of the decisions costs so much at all.
        """
        if entry.basis not in (Basis.ESTIMATE, Basis.EXPERIMENT):
            return Evidence(entry.basis, source=entry.source)
        evidence, slope, _ = self._slope(entry, selection.to_ns)
        if evidence.reason:
            return evidence
        every = [Change(frozenset(range(len(SEGMENTS))), scale=0.0)]
        money = self._analyst.what_if(selection, every, "class", slope=slope).money
        quarters = Decimal(QUARTER_NS) / max(selection.to_ns - selection.from_ns, 1)
        most = None if money is None else money.high_usd * quarters
        if most is None or option.gain.median > most:
            reason = (
                f"the file states a gain of {option.gain.median} {currency()} a quarter; all the "
                "latency of this window costs "
                f"{'an unknown amount' if most is None else f'{most:.2f} {currency()}'}"
                " at most: give saves, which is replayed"
            )
            return replace(evidence, reason=reason)
        return evidence

    def _replayed(
        self, entry: OptionEntry, selection: Selection, quarters: int
    ) -> tuple[Option, Evidence]:
        evidence, slope, measured_ms = self._slope(entry, selection.to_ns)
        answer = self._analyst.what_if(
            selection, entry.changes(), "class", signed=True, slope=slope
        )
        money = answer.money
        if money is None:
            reason = f"{answer.no_money}; import outcomes, or widen the window"
            return entry.option(quarters, Range.exactly(Decimal(0))), replace(
                evidence, basis=Basis.OBSERVATIONAL, reason=reason
            )
        if not evidence.reason and answer.before and answer.after:
            means = answer.before.mean_ms, answer.after.mean_ms
            evidence = replace(evidence, reason=unmeasured(measured_ms, *means))
        replayed = _replayed_of(answer, money, selection, entry, self._days(selection))
        gain = replayed.quarterly()
        option = entry.option(quarters, gain, (Driver(SLOPE_DRIVER, gain),))
        return option, replace(evidence, replayed=replayed)

    def _held_now(self, evidence: Evidence, now_ns: int) -> Evidence:
        """Hold what an estimate says against the slope in force now: it may be withdrawn since."""
        if evidence.basis is not Basis.ESTIMATE or evidence.reason:
            return evidence
        now, _ = self._in_force(now_ns)
        if now.model_version == evidence.model_version:
            return evidence
        reason = now.reason or (
            f"the gain rests on slope version {evidence.model_version}, and version "
            f"{now.model_version} is in force; take a window that ends later"
        )
        return replace(
            evidence, basis=now.basis, reason=reason, decisions_missing=now.decisions_missing
        )

    def _days(self, selection: Selection) -> int:
        """Return on how many days of the window there are decisions."""
        return self._reader.selected_extent(selection).days

    def _slope(
        self, entry: OptionEntry, at_ns: int
    ) -> tuple[Evidence, Slope | None, tuple[float, float] | None]:
        """Return what a gain rests on, and the slope where it is not the one in force.

        And between which mean latencies it was measured, in ms.
        """
        if entry.basis is not Basis.EXPERIMENT:
            evidence, measured_ms = self._in_force(at_ns)
            return replace(evidence, source=entry.source), None, measured_ms
        claimed = Evidence(Basis.EXPERIMENT, source=entry.source)
        try:
            report = self._experiments.report(entry.source, at_ns)
        except InputError as error:
            return replace(claimed, reason=str(error)), None, None
        estimate, stop = report.estimate, report.experiment.stop_reason
        if report.experiment.is_disproved or report.measured.sample_ratio.is_wrong:
            why = "decisions did not fall into its arms as registered"
        elif estimate.status is not Status.IDENTIFIED:
            why = estimate.reason
        else:
            slope = own_slope(estimate)
            proven = replace(claimed, experiment_decisions=estimate.n)
            return proven, slope, estimate.latencies_ms
        stopped = f"; it was stopped: {stop}" if stop else ""
        reason = f"experiment {entry.source} proves nothing: {why}{stopped}"
        missing = estimate.decisions_needed
        return replace(claimed, reason=reason, decisions_missing=missing), None, None

    def _in_force(self, at_ns: int) -> tuple[Evidence, tuple[float, float] | None]:
        """Return what the slope in force rests on, and what it lacks; and where it was measured."""
        book = read_book(self._store, self._config)
        model, last = book.in_force(at_ns), book.last
        if model is not None:
            return Evidence(Basis.ESTIMATE, model_version=model.version), model.measured_ms
        if last is None:
            reason = "the slope is not yet identified: it was never estimated; "
            return Evidence(Basis.PRIOR, reason + "say `millworth vram slope`"), None
        reason = f"the slope is not yet identified: {last.reason}"
        return Evidence(Basis.PRIOR, reason, decisions_missing=last.decisions_needed), None

    def _write(self, row: StoredVerdict, now_ns: int) -> None:
        self._store.client().insert(
            "gate_verdicts",
            [[
                row.judged_ns, row.sha256, now_ns, row.option, row.ruling, row.gain_low_usd,
                row.cost_usd, canonical(row.document).decode(), row.signature or "",
                row.public_key or "", row.actor,
            ]],
            column_names=_COLUMNS,
        )  # fmt: skip


def _replayed_of(
    answer: WhatIfAnswer, money: Money, selection: Selection, entry: OptionEntry, days: int
) -> Replayed:
    return Replayed(
        from_ns=selection.from_ns,
        to_ns=selection.to_ns,
        saves=tuple(entry.saves.items()),
        decisions=answer.decisions,
        replayed=answer.replayed,
        unvalued=money.unvalued,
        saved=Range(money.low_usd, money.usd, money.high_usd),
        bases=tuple(money.bases),
        slope=money.slope,
        days=days,
    )


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
