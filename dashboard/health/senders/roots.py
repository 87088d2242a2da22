"""I/O: traces that no decision comes of, and rules of `[[decisions.match]]` that no span meets."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from attribution.core.selection import CALIBRATION_ACTION
from collector.core.config import DecisionMatch, DecisionsConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from dashboard.health.items import UNDECLARED, HealthItem, health_item
from dashboard.health.senders.clocks import NAMED_MAX
from dashboard.units import named

_SENT: Final = sql("sent_spans", __file__)
_DECIDED: Final = sql("decided", __file__)
# A decision is known so long after it came, at the latest.
_KNOWN_NS: Final = NS_PER_MINUTE
_READ_MAX: Final = 20_000
_NAMED_MAX: Final = 3
_ALIKE: Final = 0.6


class _Sent(NamedTuple):
    """Spans of one name, of those that were looked at."""

    service: str
    name: str
    kind: str
    is_root: bool
    spans: int
    called: int  # of them, that name a caller


@dataclass(frozen=True, slots=True)
class Undeclared:
    """Spans that a person would take for decisions, and that are none."""

    name: str  # of the figure
    spans: int  # of those that were looked at
    detail: str


class Roots:
    """Finds what was to be a decision and is none.

    Args:
        decisions: which spans are decisions.
    """

    def __init__(self, decisions: DecisionsConfig) -> None:
        self._decisions = decisions
        self._since_ns = 0  # spans that came before were met by the rules of another start

    def undeclared(self, client: Client, after_ns: int, now_ns: int) -> list[Undeclared]:
        """Return traces without a decision where none came in an hour, and rules without a span.

        Args:
            client: where spans are read.
            after_ns: spans that were received since are looked at.
            now_ns: spans of the last minute may still become decisions.
        """
        self._since_ns = self._since_ns or now_ns
        after_ns, until_ns = max(after_ns, self._since_ns), now_ns - _KNOWN_NS
        if until_ns <= after_ns:
            return []
        # The reference path decides all the time, whatever comes of what customers send.
        ours: dict[str, object] = {"calibration": CALIBRATION_ACTION}
        window = {"after_ns": after_ns, "until_ns": until_ns, "items_max": _READ_MAX}
        rows = client.query(_SENT, parameters=ours | window).result_rows
        sent = [_Sent(str(s), str(n), str(k), bool(r), int(c), int(d)) for s, n, k, r, c, d in rows]
        times = {"day_ns": max(now_ns - NS_PER_DAY, 0), "hour_ns": max(now_ns - NS_PER_HOUR, 0)}
        ((actions, newest_ns),) = client.query(_DECIDED, parameters=ours | times).result_rows
        found = [
            Undeclared(f"decisions.match.{action}", sum(each.spans for each in near), detail)
            for rule in self._decisions.match
            if (action := rule.action or rule.span_name) and action not in actions
            if (near := _of_rule(rule, sent))
            if (detail := _unmet(rule, near))
        ]
        roots = [each for each in sent if each.is_root and each.kind in {"server", "consumer"}]
        if roots and not newest_ns:
            count = sum(each.spans for each in roots)
            found.append(Undeclared(UNDECLARED, count, self._none(roots)))
        return found

    def _none(self, roots: list[_Sent]) -> str:
        if self._decisions.match:
            why = "none of them meets a rule of [[decisions.match]] or carries decision.action"
        elif all(each.called == each.spans for each in roots) and self._decisions.auto:
            why = (
                "each has a caller that sends no span, as a gateway or a browser, or only waits "
                "for messages, and what is not declared is a decision only where it begins a trace"
            )
        elif self._decisions.auto:
            why = (
                "since one that carried decision.action came only such spans are decisions, and "
                "none of these carries it"
            )
        else:
            why = "decisions.auto is false, and none of them carries decision.action"
        return (
            f"{_names(roots)} came in the last minutes, and no decision in the last hour: {why}; "
            "declare them: docs/use/send.md"
        )


def root_items(undeclared: list[Undeclared]) -> Iterator[HealthItem]:
    """Yield each kind of spans of which no decision comes."""
    for each in undeclared:
        yield health_item(each.name, each.spans, "spans", warn=each.detail)


def _of_rule(rule: DecisionMatch, sent: list[_Sent]) -> list[_Sent]:
    """Return the spans that a rule may have meant: those of its service and kind."""
    return [
        each for each in sent if rule.service in {"", each.service} and rule.kind in {"", each.kind}
    ]


def _unmet(rule: DecisionMatch, sent: list[_Sent]) -> str:
    stated = {"service": rule.service, "span_name": rule.span_name, "kind": rule.kind}
    stated |= rule.attributes
    which = ", ".join(f"{key} = {value!r}" for key, value in stated.items() if value)
    near = difflib.get_close_matches(
        rule.span_name, [each.name for each in sent], _NAMED_MAX, _ALIKE
    )
    shown = [each for each in sent if each.name in near] or sent
    return (
        f"no span met the rule of [[decisions.match]] with {which} in the last day; what came is "
        f"{_names(shown)}; correct the rule and start again"
    )


def _names(sent: list[_Sent]) -> str:
    return named([*dict.fromkeys(f"{each.name!r} of {each.service}" for each in sent)], NAMED_MAX)
