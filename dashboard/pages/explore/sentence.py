"""Pure: a comparison in one sentence, and both of its sides in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from attribution.whatif.answers import CompareAnswer, Lost, ValueDifference
from attribution.whatif.compare import DECISIONS_MIN
from dashboard.units import UNKNOWN, count, counted, percent, usd

# In which the sentence names them.
_ORDER: Final = ("action", "region", "channel", "cohort", "service")
# A value of so much of a box is what the box is of.
_NEARLY_ALL: Final = 0.9


def sentence(answer: CompareAnswer, other: str) -> str:
    """Return the finding in one sentence; `other` names what is compared with."""
    if answer.before is None or answer.after is None:
        empty = "outside of it" if answer.after is not None else "in the box"
        return f"No decision {empty}: make the box larger, or compare with another range."
    if answer.verdict == "n too small":
        return (
            f"Too few to tell: {DECISIONS_MIN} decisions on either side are the least. "
            "Make the box or the range larger."
        )
    named = _named(answer)
    segment = next((s for s in answer.segments if s.is_different and s.change_ms > 0), None)
    failures = answer.failures
    is_failing = failures is not None and failures.is_different
    if not named and segment is None and not is_failing:
        return "No difference found that chance does not explain."
    who = " and ".join(f"{each.dimension} {each.value or '(empty)'}" for each in named)
    where = "" if segment is None else f", in {segment.segment}"
    if named and not _is_nearly_all(named[0], answer):
        [value] = named
        shares = _failed(
            (value.failed_after, value.decisions_after),
            (value.failed_before, value.decisions_before),
            other,
        )
        return f"{who}{where}: {_cost(value.usd_per_hour, value.failed_usd_per_hour, shares)}"
    whole = all(each.decisions_after == answer.decisions_after for each in named)
    what = f"{who}, {'all' if whole else 'nearly all'} of the box" if who else "all of them alike"
    by_failures, shares = None, ""
    if failures is not None:
        by_failures = failures.usd_per_hour
        shares = _failed(
            (failures.after, answer.decisions_after),
            (failures.before, answer.decisions_before),
            other,
        )
    return f"{what}{where}: {_cost(answer.usd_per_hour, by_failures, shares)}"


def _named(answer: CompareAnswer) -> list[ValueDifference]:
    """Return the dearest value that costs more; is the box of it, what else it is of too."""
    different = [v for v in answer.values if v.is_different]
    dear = [v for v in different if v.usd_per_hour is not None and v.usd_per_hour > 0]
    more = dear or [v for v in different if v.excess_ms > 0 and not v.usd_per_hour]
    if not more or not _is_nearly_all(more[0], answer):
        return more[:1]
    all_of_it = [v for v in more if _is_nearly_all(v, answer)]
    return sorted(all_of_it, key=lambda v: _ORDER.index(v.dimension))


def _is_nearly_all(value: ValueDifference, answer: CompareAnswer) -> bool:
    return value.decisions_after >= _NEARLY_ALL * answer.decisions_after


def _failed(here: tuple[int, int], there: tuple[int, int], other: str) -> str:
    """Return which shares failed, of how many; "" where none did."""
    return f"{share(*here)} failed, {share(*there)} of {other}" if here[0] or there[0] else ""


def _cost(usd_per_hour: Decimal | None, by_failures: Decimal | None, shares: str) -> str:
    """Return what it costs, and how much of that is failures."""
    money = f"money {UNKNOWN}" if usd_per_hour is None else f"{signed_usd(usd_per_hour)} / h"
    part = f"{signed_usd(by_failures)} of it by failures" if by_failures and shares else ""
    return " ".join([", ".join(filter(None, [money, part])), *([f"({shares})"] if shares else [])])


def share(part: int, whole: int) -> str:
    """Return a part in percent."""
    return percent(part / max(whole, 1))


def populations(answer: CompareAnswer, other: str) -> str:
    """Return both sides in words, with n and means."""
    if answer.before is None or answer.after is None:
        return ""
    failures = answer.failures
    failed = (0, 0) if failures is None else (failures.before, failures.after)
    inside = _decisions(answer.decisions_after, answer.one_in_after)
    others = _decisions(answer.decisions_before, answer.one_in_before)
    both_sides = (
        f"In the box: {inside}, mean {answer.after.mean_ms:,.1f} ms"
        f"{_lost(answer.lost_after, failed[1], answer.decisions_after)}. "
        f"{other}: {others}, mean {answer.before.mean_ms:,.1f} ms"
        f"{_lost(answer.lost_before, failed[0], answer.decisions_before)}."
    )
    new = (
        f" In no segment: {count(answer.uncompared)} of an action and region that "
        f"{other.lower()} has not twice."
    )
    left_out = answer.lost_after.left_out, answer.lost_before.left_out
    worth = (
        f" Of an unknown value, in no difference of money: {count(left_out[0])} in the box, "
        f"{count(left_out[1])} of {other.lower()}."
    )
    return both_sides + (new if answer.uncompared else "") + (worth if any(left_out) else "")


def _lost(lost: Lost, failed: int, decisions: int) -> str:
    """Return how many failed, and what the list of these decisions says that they lost."""
    failed_words = f", {count(failed)} failed ({share(failed, decisions)})" if failed else ""
    if lost.usd is None:
        return failed_words
    of_it = f" ({usd(lost.failed_usd)} by failures)" if failed and lost.failed_usd else ""
    unknown = f", {count(lost.unknown)} lost an unknown amount" if lost.unknown else ""
    return f"{failed_words}, {usd(lost.usd)} lost{of_it}{unknown}"


def signed_usd(value: Decimal) -> str:
    """Return an amount with its sign."""
    if value == 0:
        return "under a cent"
    return f"+{usd(value)}" if value > 0 else usd(value)


def _decisions(number: int, one_in: int) -> str:
    words = counted(number, "decision")
    return words if one_in == 1 else f"{words} (one in {one_in})"
