"""Pure: what figures rest on, as the Trust page says it: seals, clocks, losses and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from collector.audit.log import AuditRow, AuditState
from collector.store.retention_policy import Hold
from dashboard.health.items import HealthItem
from dashboard.health.service import GOOD_VERDICTS
from dashboard.pages.parts import Component, facts_list
from dashboard.read.network.rows import ClockPair
from dashboard.read.rows import Evidence, Rejected
from dashboard.read.sealed.verdicts import VerdictCount, VerdictFinding, Verdicts
from dashboard.units import UNKNOWN, count, counted, ms, percent, shorten, usd, utc_iso

UNSIGNED: Final = "unsigned"
_STAGE: Final = "stage."
_LOST: Final = "lost: "
_DETAIL_MAX: Final = 200
# What is well between two clocks: they cannot be told apart.
_WELL: Final = "synchronised"


def answer_sentence(
    verdicts: Verdicts,
    clocks: Sequence[ClockPair],
    lost: Sequence[tuple[str, str]],
    broken: str | None,
    *,
    is_required: bool,
) -> str:
    """Return the answer in a sentence: whether the figures can be trusted, or what speaks against.

    Args:
        verdicts: what is said of sealed decisions.
        clocks: the pairs of hosts.
        lost: stage and what it lost.
        broken: why the chain of the audit does not hold, "" where it does, None: not known yet.
        is_required: a decision without a seal is a finding.
    """
    bad = [each for each in verdicts.counts if is_bad(each.verdict, is_required=is_required)]
    against = [f"the chain of the audit does not hold: {broken}"] if broken else []
    against += [f"{count(each.events)} sealed events are {each.verdict}" for each in bad]
    against += [f"{stage} lost {what}" for stage, what in lost]
    apart = [each for each in clocks if each.state != _WELL]
    if apart:
        against.append(f"the clocks of {apart[0].host_a} and {apart[0].host_b} are apart")
    if against:
        more = f", and {len(against) - 1} more" if len(against) > 1 else ""
        return f"Not all of it can be trusted: {against[0]}{more}."
    good = sum(each.events for each in verdicts.counts if each.verdict in GOOD_VERDICTS)
    audit = "" if broken is None else ", and the audit holds"
    if good:
        unsigned = sum(each.events for each in verdicts.counts if each.verdict == UNSIGNED)
        without_seal = f" ({count(unsigned)} more have no seal)" if unsigned else ""
        return f"All {count(good)} sealed decisions are as they were sealed{without_seal}{audit}."
    return (
        "Nothing is lost, but nothing is proven either: no decision of this range is sealed"
        f"{audit}."
    )


def is_bad(verdict: str, *, is_required: bool) -> bool:
    """Return whether a verdict speaks against what it is of."""
    return verdict not in GOOD_VERDICTS and (verdict != UNSIGNED or is_required)


def unsigned_is_bad(items: Sequence[HealthItem]) -> bool:
    """Return whether the service takes a decision without a seal for a finding."""
    return any(item.name == f"provenance.{UNSIGNED}" and item.status == "bad" for item in items)


def counts_lines(counts: Sequence[VerdictCount], *, is_required: bool) -> list[dict[str, object]]:
    """Return one row a verdict, the most first."""
    every = max(sum(each.events for each in counts), 1)
    return [
        {
            "id": each.verdict,
            "verdict": each.verdict,
            "means": _means(each.verdict, is_required=is_required),
            "events": count(each.events),
            "share": percent(each.events / every),
            "last": _second(each.last_ns),
        }
        for each in counts
    ]


def findings_lines(findings: Sequence[VerdictFinding]) -> list[dict[str, object]]:
    """Return one row a finding, the newest first; one with a trace leads to its decision."""
    return [
        {
            "id": f"{place}",
            "verdict": each.verdict,
            "what": each.reason or each.verdict,
            "href": f"/decisions?{urlencode({'q': each.trace_id})}" if each.trace_id else "",
            "numbers": _numbers(each),
            "by": f"{each.producer} {each.epoch}".strip() or UNKNOWN,
            "key": each.kid or "no key",
            "at": _second(each.received_ns),
        }
        for place, each in enumerate(findings)
    ]


def withdrawn_words(verdicts: Verdicts) -> str:
    """Return what was taken out of the sums, "" for nothing."""
    gone = verdicts.withdrawn
    if not gone.decisions and not gone.outcomes:
        return ""
    worth = usd(gone.value_usd) if gone.value_usd else "of unknown value"
    return (
        f"taken out of every sum: {counted(gone.decisions, 'decision')} ({worth}) and "
        f"{counted(gone.outcomes, 'outcome')}"
    )


def clocks_lines(clocks: Sequence[ClockPair]) -> list[dict[str, object]]:
    """Return one row a pair of hosts."""
    return [
        {
            "id": f"{each.host_a} {each.host_b}",
            "state": each.state,
            "pair": f"{each.host_a}, {each.host_b}",
            "by": f"by {each.source}",
            "offset": f"{each.offset_ns / 1000:+,.1f} us",
            "bound": f"off by {each.bound_ns / 1000:,.1f} us at most",
            "drift": UNKNOWN if each.drift_ppm is None else f"{each.drift_ppm:+.2f} ppm",
            "excluded": f"{count(each.excluded)} of {count(each.segments)}",
        }
        for each in clocks
    ]


def clock_words(evidence: Evidence) -> str:
    """Return how far spans had to be moved so that a caller is not called before it calls."""
    if not evidence.spans:
        return "no span of this range is attributed"
    if not evidence.shifted_spans:
        return f"no clock had to be moved, of {count(evidence.spans)} spans"
    return (
        f"{count(evidence.shifted_spans)} of {count(evidence.spans)} spans moved, by at most "
        f"{ms(evidence.shift_max_ns, 3)}"
    )


def lost_of(items: Sequence[HealthItem]) -> list[tuple[str, str]]:
    """Return stages and what they lost since the start of the service, of those that did."""
    return [
        (item.name.removeprefix(_STAGE), item.detail.partition(_LOST)[2])
        for item in items
        if item.name.startswith(_STAGE) and _LOST in item.detail
    ]


def losses_lines(
    lost: Sequence[tuple[str, str]], rejected: Sequence[Rejected]
) -> list[dict[str, object]]:
    """Return one row a stage that lost something, and one a reason of rejection."""
    rows: list[dict[str, object]] = [
        {"id": stage, "where": stage, "what": what, "why": "since the start; its sender was told"}
        for stage, what in lost
    ]
    rows += [
        {
            "id": f"rejected {each.reason_code} {each.signal}",
            "where": f"rejected {each.signal}",
            "what": f"{count(each.items)} {each.reason_code}",
            "why": shorten(f"in 24 h; kept, not counted: {each.detail}", _DETAIL_MAX),
        }
        for each in rejected
    ]
    return rows


def audit_facts(audit: AuditState, holds: Sequence[Hold]) -> Component:
    """Return whether the chain holds, and what is held."""
    is_held = sum(not each.released_ns for each in holds)
    verdict = "holds" if audit.broken_seq is None else f"broken at row {audit.broken_seq}"
    return facts_list(
        [
            ("The chain", verdict if audit.rows else "no act yet"),
            ("Acts", count(audit.rows)),
            ("Legal holds", f"{is_held} in force, {len(holds) - is_held} released"),
        ]
    )


def acts_lines(rows: Sequence[AuditRow]) -> list[dict[str, object]]:
    """Return one row an act, the newest first."""
    return [
        {
            "id": str(each.seq),
            "at": _second(each.at_ns),
            "action": each.action,
            "actor": each.actor,
            "detail": shorten(each.detail, _DETAIL_MAX),
        }
        for each in rows
    ]


def _means(verdict: str, *, is_required: bool) -> str:
    meanings = {"ok": "as they were sealed", "reordered": "as sealed, in another order",
             "retried": "as sealed, sent again", UNSIGNED: "without a seal"}  # fmt: skip
    words = meanings.get(verdict, "not as they were sealed")
    return f"{words}: a finding" if is_bad(verdict, is_required=is_required) else words


def _second(ns: int) -> str:
    return utc_iso(ns)[:19].replace("T", " ")


def _numbers(finding: VerdictFinding) -> str:
    if finding.first_seq < 0:
        return "no number"
    if finding.first_seq == finding.last_seq:
        return f"no. {finding.first_seq}"
    return f"no. {finding.first_seq} to {finding.last_seq}"
