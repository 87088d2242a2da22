"""Pure: whether a delay may be registered: its words, its arms, its dates, and what runs beside it.

A service asks for those that run and delays by them (`collector.instrument.delay`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attribution.core.config import ExperimentLimits
from attribution.core.money import currency
from attribution.sensitivity.registered import RUNNING, SCHEDULED, Arm, Experiment
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_MS

TARGETS = ("action", "region", "cohort", "channel", "offer_type")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check(
    fresh: Experiment, others: Sequence[Experiment], limits: ExperimentLimits, now_ns: int
) -> None:
    """Raise InputError, with the value and the remedy, where an experiment may not begin.

    Args:
        fresh: that is to be registered.
        others: every one that was.
        limits: of this service.
        now_ns: the instant.
    """
    _check_words(fresh)
    _check_arms(fresh.arms, limits)
    days = (fresh.to_ns - fresh.from_ns) / NS_PER_DAY
    if fresh.to_ns <= max(now_ns, fresh.from_ns):
        raise InputError("the experiment ends before it begins; give an end that lies ahead")
    if days > limits.days_max:
        raise InputError(
            f"{days:.1f} days are over attribution.experiments.days_max = {limits.days_max:g}"
        )
    if fresh.budget_usd <= 0:
        raise InputError(
            f"budget {fresh.budget_usd} {currency()}: give what may be at risk, above 0"
        )
    for each in others:
        if each.name == fresh.name:
            raise InputError(f"experiment {fresh.name} was registered before; a name is used once")
        is_beside = each.from_ns < fresh.to_ns and fresh.from_ns < each.ended_ns
        if is_beside and each.state(now_ns) in (SCHEDULED, RUNNING) and _overlap(each, fresh):
            raise InputError(
                f"experiment {each.name} takes some of the same decisions at the same time; stop "
                "it, or choose other targets or dates"
            )


def _check_words(fresh: Experiment) -> None:
    if not _NAME.fullmatch(fresh.name):
        raise InputError(
            f"name {fresh.name[:80]!r}: up to 64 lower-case letters, digits and . _ - name one"
        )
    if not fresh.owner.strip():
        raise InputError("owner: say who answers for the experiment")
    unknown = set(fresh.targets) - set(TARGETS)
    if unknown:
        raise InputError(f"target {sorted(unknown)[0]!r}: choose {', '.join(TARGETS)}")


def _check_arms(arms: Sequence[Arm], limits: ExperimentLimits) -> None:
    names = [arm.name for arm in arms]
    delayed = [arm for arm in arms if arm.delay_ms > 0]
    if not delayed or len(set(names)) != len(names) or not all(map(_NAME.fullmatch, names)):
        raise InputError(
            "arms: give one or more, each with a name of its own such as slow, a share, a delay"
        )
    for arm in arms:
        # What services are told is whole nanoseconds.
        is_nothing = arm.delay_ms > 0 and round(arm.delay_ms * NS_PER_MS) == 0
        if not 0 < arm.share < 1 or arm.delay_ms < 0 or is_nothing:
            raise InputError(
                f"arm {arm.name}: share {arm.share:g} of decisions, {arm.delay_ms:g} ms; give a "
                "share between 0 and 1 and a delay of a nanosecond or more"
            )
        if arm.delay_ms > limits.delay_ms_max:
            raise InputError(
                f"arm {arm.name}: {arm.delay_ms:g} ms are over "
                f"attribution.experiments.delay_ms_max = {limits.delay_ms_max:g}"
            )
    share = sum(arm.share for arm in delayed)
    if share > limits.share_max:
        raise InputError(
            f"{share:.1%} of the decisions would be delayed; attribution.experiments.share_max = "
            f"{limits.share_max:g}"
        )
    assert abs(sum(arm.share for arm in arms) - 1) < 1e-9, "the control takes the rest"


def _overlap(first: Experiment, second: Experiment) -> bool:
    """Return whether a decision may be in both."""
    for name in TARGETS:
        mine, its = set(first.targets.get(name, ())), set(second.targets.get(name, ()))
        if mine and its and not mine & its:
            return False
    return True
