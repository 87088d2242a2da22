"""I/O: the technical-debt ledger from what is stored, and from a file; writes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from attribution.books.unit_cost import Bills
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.invest.debt import Burden, Item, Priced, Worth, in_all, ledger
from attribution.invest.debt_file import DebtEntry
from attribution.invest.debt_found import (
    READS,
    WRITES,
    CacheSeen,
    FlagSeen,
    RuntimeSeen,
    billed_for,
    old_runtimes,
    resource_names,
    stale_flags,
    unknown_runtimes,
    useless_caches,
)
from attribution.invest.file import InvestFile
from attribution.invest.npv import Range, cents
from attribution.invest.runtimes import READ_ON
from attribution.jobs.observed import Observed, read_observed
from attribution.read.reader import Reader
from attribution.vram.job import VramJob
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_S, S_PER_YEAR
from collector.store.connect import Connections

# Decisions whose spans are read for the time that a cache takes.
_SAMPLED_MAX = 50_000
# What is shown of a flag that answers something else each time, or that all services ask for.
_VARIANTS_MAX = 10
_SERVICES_MAX = 20


@dataclass(frozen=True, slots=True)
class Debt:
    """The ledger: first what brings the most for a dollar of mending, last what is unknown."""

    from_ns: int
    to_ns: int
    days_min: int  # observed, before a flag or a cache is a finding
    rate: Decimal
    years: int
    worth: Worth
    items: list[Priced]
    loss_usd_per_year: Range | None  # of the items whose loss is known
    unpriced: int  # items in no sum
    runtimes_unknown: list[str]  # of which the table of ends says nothing
    runtimes_read_on: str


class DebtJob:
    """Reads findings, and prices them with what a file says."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._vram = VramJob(config, store)
        self._reader = Reader(store, AttributesConfig())

    def ledger(
        self, invest_file: InvestFile, window: Selection, days_min: int, *, annualise: bool = False
    ) -> Debt:
        """Return the ledger of a window.

        Args:
            invest_file: entries, and the rate and horizon that they are valued at.
            window: of the telemetry, and of the decisions that say what time is worth.
            days_min: that a flag or a cache has to be observed.
            annualise: state what a year is worth on fewer days than that takes.
        """
        worth = self._worth(window, annualise=annualise)
        observed = read_observed(self._store, window.from_ns, window.to_ns)
        runtimes = runtimes_seen(observed["runtime"])
        items_found = [*old_runtimes(runtimes, window.to_ns)]
        items_found += stale_flags(flags_seen(observed["flag"]), days_min, window.to_ns)
        caches = useless_caches(caches_seen(observed["cache"]), days_min, window.to_ns)
        items_found += self._billed(caches, window)
        items = joined(items_found, invest_file.debt)
        priced = ledger(items, worth, invest_file.invest.rate, invest_file.invest.quarters)
        return Debt(
            from_ns=window.from_ns,
            to_ns=window.to_ns,
            days_min=days_min,
            rate=invest_file.invest.rate,
            years=invest_file.invest.years,
            worth=worth,
            items=priced,
            loss_usd_per_year=in_all(priced, worth),
            unpriced=sum(each.loss_usd_per_year is None for each in priced),
            runtimes_unknown=unknown_runtimes(runtimes),
            runtimes_read_on=str(READ_ON),
        )

    def _worth(self, window: Selection, *, annualise: bool) -> Worth:
        try:
            model = self._vram.compute(window, "action", annualise=annualise)
        except InputError as error:
            return Worth(None, None, "prior", str(error))
        lineage, groups = model["lineage"], model["groups"]
        basis = "estimate" if lineage["slope_version"] else "prior"
        if not groups:
            return Worth(None, None, basis, "no decision of the window has a known value")
        if not lineage["is_annualised"]:
            return Worth(None, None, basis, lineage["annualised"])
        # As if the low ends of all groups came together, which is the widest that they can be.
        erv = _summed([each["erv_usd_per_s"] for each in groups], S_PER_YEAR)
        per_ms = _summed([each["marginal_usd_per_ms_year"] for each in groups], 1)
        return Worth(erv, per_ms, basis, f"{lineage['slope']}; {lineage['annualised']}")

    def _billed(self, caches: Sequence[Item], window: Selection) -> list[Item]:
        """Add what the bills say that a cache costs, and the time that vain lookups take."""
        if not caches:
            return []
        bills = Bills(self._config, self._store, window)
        by_resource = {each.name: each for each in bills.by("resource")}
        items = []
        for item in caches:
            name = item.id.removeprefix("cache/")
            burden, bases, missing = Burden(), [], []
            evidence = dict(item.evidence)
            resources = billed_for(resource_names(name), by_resource)
            amounts = [by_resource[each].effective for each in resources]
            billed = [each for each in amounts if each is not None]
            if len(billed) < len(amounts):
                missing.append("what it costs to run: its bill is in a currency without a rate")
            elif billed and bills.covered_ns:
                spent = sum(billed, Decimal(0))
                a_year = cents(spent * S_PER_YEAR * NS_PER_S / bills.covered_ns)
                burden = replace(burden, run_usd_per_year=Range.exactly(a_year))
                bases.append("bill")
                evidence |= {"resources": resources, "billed_days": bills.covered_ns / NS_PER_DAY}
            else:
                missing.append("what it costs to run: no line of a bill bears its name")
            if item.evidence["lookups"]:
                drag_ms = self._drag_ms(name, window)
                evidence["drag_ms"] = float(drag_ms)
                if drag_ms:
                    burden = replace(burden, drag_ms=Range.exactly(drag_ms))
            items.append(
                replace(
                    item,
                    evidence=evidence,
                    burden=burden,
                    bases=tuple(bases),
                    missing=tuple(missing),
                )
            )
        return items

    def _drag_ms(self, cache: str, window: Selection) -> Decimal:
        """Return the time on the critical path that lookups take of the mean decision."""
        count = self._reader.selected_extent(window).decisions
        every = max(1, math.ceil(count / _SAMPLED_MAX))
        ((self_ns, decisions),) = self._rows("debt_drag", window, cache=cache, every=every)
        if not decisions:
            return Decimal(0)
        mean_ms = Decimal(int(self_ns)) / int(decisions) / 1_000_000
        return mean_ms.quantize(Decimal("0.000001"))

    def _rows(self, name: str, window: Selection, **parameters: object) -> Sequence[Sequence[Any]]:
        bound = {"from_ns": window.from_ns, "to_ns": window.to_ns, **parameters}
        return self._store.client().query(sql(name, __file__), parameters=bound).result_rows


def runtimes_seen(observed: Sequence[Observed]) -> list[RuntimeSeen]:
    """Return the runtimes of each service, last seen last."""
    runtimes = [
        RuntimeSeen(
            runtime.service,
            runtime.name,
            runtime.variant,
            runtime.detail,
            runtime.count,
            runtime.first_ns,
            runtime.last_ns,
        )
        for runtime in observed
    ]
    return sorted(
        runtimes,
        key=lambda runtime: (runtime.service, runtime.last_ns, runtime.runtime, runtime.version),
    )


def flags_seen(observed: Sequence[Observed]) -> list[FlagSeen]:
    """Return the flags that anybody asked for, with ten of their answers and twenty services."""
    return [
        FlagSeen(
            flag,
            sorted({variant for each in rows for variant in each.variants})[:_VARIANTS_MAX],
            sorted({each.service for each in rows})[:_SERVICES_MAX],
            sum(each.count for each in rows),
            min(each.first_ns for each in rows),
            max(each.last_ns for each in rows),
        )
        for flag, rows in _by_name(observed)
    ]


def caches_seen(observed: Sequence[Observed]) -> list[CacheSeen]:
    """Return the caches; a call that says whether it hit is a lookup, and reads."""
    cache_seens = []
    for cache, rows in _by_name(observed):
        calls = sum(each.count for each in rows)
        reads = sum(each.count for each in rows if each.detail or each.variant in READS)
        writes = sum(each.count for each in rows if not each.detail and each.variant in WRITES)
        cache_seens.append(
            CacheSeen(
                cache,
                reads,
                writes,
                calls - reads - writes,
                sum(each.count for each in rows if each.detail in ("hit", "miss")),
                sum(each.count for each in rows if each.detail == "hit"),
                min(each.first_ns for each in rows),
                max(each.last_ns for each in rows),
            )
        )
    return cache_seens


def _by_name(observed: Sequence[Observed]) -> list[tuple[str, list[Observed]]]:
    by_name: dict[str, list[Observed]] = {}
    for each in observed:
        by_name.setdefault(each.name, []).append(each)
    return sorted(by_name.items())


def joined(items: Sequence[Item], entries: Sequence[DebtEntry]) -> list[Item]:
    """Put the entries of a file to what telemetry found, by id; the others stand alone."""
    by_id: dict[str, Item] = {each.id: each for each in items}
    for entry in entries:
        source = entry.source or "the file, without a source"
        burden = entry.burden()
        item = by_id.get(entry.id)
        if item is None:
            item = Item(
                id=entry.id,
                kind="stated",
                what=entry.what or entry.id,
                found_by="file",
                evidence={"source": source},
                burden=burden,
                bases=("stated",),
            )
        else:
            item = replace(
                item,
                found_by="telemetry and file",
                evidence={**item.evidence, "source_of_amounts": source},
                burden=_over(item.burden, burden),
                bases=tuple(sorted({*item.bases, "stated"})),
                # Whoever says what running it costs need not be billed for it.
                missing=item.missing if burden.run_usd_per_year is None else (),
            )
        by_id[entry.id] = item
    return list(by_id.values())


def _over(measured: Burden, stated: Burden) -> Burden:
    """Return what is found, where nothing else is stated."""
    given: Mapping[str, Range] = {
        name: getattr(stated, name)
        for name in Burden.__dataclass_fields__
        if getattr(stated, name) is not None
    }
    return replace(measured, **given)


def _summed(bands: Sequence[Mapping[str, float]], factor: int) -> Range:
    low, median, high = (
        sum((Decimal(str(each[name])) for each in bands), Decimal(0)) * factor
        for name in ("low", "median", "high")
    )
    return Range(min(low, median), median, max(median, high))
