"""I/O: statements that join decisions with what they earned, by one text for all of them."""

from __future__ import annotations

from attribution.core.config import AttributionConfig
from collector.core.sql import fill, sql

_EARNED = sql("earned", __file__).rstrip()

# An amount that is unknown for more of the decisions that earned says too little about the others.
_UNKNOWN_MAX = 0.02


def statement(name: str, of: str, **parts: str) -> str:
    """Return a statement of a module's `sql/` with `earned.sql` where it says so.

    Args:
        name: of the statement.
        of: the module's `__file__`.
        parts: its other parts.
    """
    return fill(sql(name, of), earned=_EARNED, **parts)


def is_known(unknown: int, earning: int) -> bool:
    """Return whether an amount is known of nearly all decisions that earned something.

    Of those alone: that the others earned nothing says nothing of the amount.
    """
    return unknown <= _UNKNOWN_MAX * earning


def parameters(outcome: str, config: AttributionConfig) -> dict[str, object]:
    """Return the values of what `earned.sql`, and whoever joins it, leaves open beside a window.

    Args:
        outcome: margin or revenue, the amount that is summed; converted needs none.
        config: amounts of other currencies than its own are converted by dated rates, and without
            one unknown; a decision without an outcome earned nothing, or is not known, as it says.
    """
    return {
        "outcome": outcome,
        "currency": config.currency,
        "rate_days": config.rate_days_max,
        "all_sent": int(config.outcomes.all_sent),
        "other_channels": config.other_channels,
        **config.horizons(),
    }
