"""Pure: the table of rule kinds, and the rule that a setting describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alerts.rules.base import Rule, RuleConfig
from alerts.rules.dead_man import DeadMan
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.slo import Slo
from alerts.rules.threshold import Threshold

# What `kind` of an entry of [[alerts.rules]] may be.
KINDS: Final[Mapping[str, type[Rule[Any, Any]]]] = {
    "dollar_burn": DollarBurn,
    "dead_man": DeadMan,
    "threshold": Threshold,
    "slo": Slo,
}
DEFAULT_KIND: Final = "dollar_burn"  # of an entry that names none


def parse_rule(entry: object) -> object:
    """Return the settings of one rule by its kind; what is not a table is left to pydantic.

    Raises:
        ValueError: the kind does not exist.
        ValidationError: the settings are not those of the kind.
    """
    if not isinstance(entry, Mapping):
        return entry
    kind = entry.get("kind", DEFAULT_KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(sorted(KINDS))}")
    return KINDS[kind].model.model_validate(entry)


def rule_of(config: RuleConfig) -> Rule[RuleConfig, Any]:
    """Return the rule that has these settings."""
    return KINDS[config.kind](config)
