"""Pure: the results of reading a file of rules: each rule is mapped, or refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.rules.slo import SloConfig


class UnmappableError(ValueError):
    """An expression or a setting has no counterpart in a rule of kind `slo`; says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule was found."""

    file: str
    line: int
    name: str  # as it is there
    says: str  # its expression, or what stands for one


@dataclass(frozen=True, slots=True)
class Mapped:
    """A rule of another tool, and the rules that it is here."""

    origin: Origin
    rules: tuple[SloConfig, ...]
    remarks: tuple[str, ...]  # in what they differ from it; empty where in nothing that is known


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule of another tool that no rule of kind `slo` states."""

    origin: Origin
    reason: str


Found = Mapped | Refused
