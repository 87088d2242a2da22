"""I/O: the rules of a configuration over what is stored: what each would have paged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alerts.config import AlertsConfig
from alerts.evidence.search import SuspectSearch
from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.replay import figures
from alerts.replay.replay import replay
from alerts.replay.report import Page, Report, report, transitions_of, unpriced_report
from alerts.replay.spans import replay_spans
from alerts.replay.stored import read_classes, read_figure, read_instants, read_spans
from alerts.replay.walk import Change, Instants
from alerts.rules.base import Rule, RuleConfig
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.kinds import rule_of
from alerts.rules.slo import Slo
from alerts.rules.threshold import Threshold, ThresholdConfig
from alerts.state.sqlite import AlertStore
from collector.core.errors import NotFoundError
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections


def is_replayed(config: RuleConfig) -> bool:
    """Return whether what a rule compares can be told of any instant from what is stored.

    When something arrived is known to a dead man alone, and what some thresholds count has no time
    of its own that could be told from the time at which it became known.
    """
    if isinstance(config, ThresholdConfig):
        return figures.is_replayed(config)
    return config.kind in ("dollar_burn", "slo")


# What fires at the beginning began before it: the replay begins earlier by this.
_WARM_NS = NS_PER_DAY


def replay_rules(
    config: AlertsConfig,
    store: Connections,
    alert_state: AlertStore | None,
    from_ns: int,
    to_ns: int,
    name: str = "",
) -> Iterator[Report]:
    """Yield what each rule that can be replayed makes of [from, to), with what is known now.

    A rule that was live is compared with what it really did. Late data that came after an
    evaluation are in the replay, and were not in the evaluation.

    Args:
        config: the rules.
        store: with the losses and the spans.
        alert_state: the state of alerts; None where it is elsewhere.
        from_ns: first instant.
        to_ns: behind the last.
        name: of one rule; empty for all.

    Raises:
        InputError: there is no such rule of this name.
    """
    rules = [
        rule_of(rule) for rule in config.all_rules if is_replayed(rule) and name in ("", rule.name)
    ]
    if name and not rules:
        names = ", ".join(rule.name for rule in config.all_rules if is_replayed(rule))
        raise NotFoundError(
            f"no rule that can be replayed is called {name[:60]!r}; there is {names or 'none'}"
        )
    begin_ns = max(0, from_ns - _WARM_NS)
    instants = read_instants(alert_state, begin_ns, to_ns, config.interval_s, config.nodata_s)
    calendars = Calendars(config.calendars)
    search = SuspectSearch(AlertReader(store, calendars.budget_factor))
    burns = [rule for rule in rules if isinstance(rule, DollarBurn)]
    longest_s = max((rule.config.windows_s[-1] for rule in burns), default=0)
    classes = read_classes(store, begin_ns - longest_s * NS_PER_S, to_ns) if burns else {}
    for rule in rules:
        if isinstance(rule, DollarBurn):
            changes = list(replay(rule, classes, instants, calendars))
            found = report(rule, classes, instants, changes, from_ns)
        else:
            changes = list(_changes(rule, store, instants, begin_ns, to_ns))
            found = unpriced_report(rule.config, instants, changes, from_ns)
        found = replace(found, pages=[_with_decisions(page, search) for page in found.pages])
        live = _live(alert_state, rule.config.name, from_ns, found.to_ns)
        if live is not None:
            same = live & transitions_of(changes, from_ns)
            found = replace(found, live_transitions=len(live), equal_transitions=len(same))
        yield found


def _changes(
    rule: Rule[RuleConfig, Any], store: Connections, instants: Instants, begin_ns: int, to_ns: int
) -> Iterator[Change]:
    """Return what a rule without dollars does."""
    if isinstance(rule, Threshold):
        first_ns = begin_ns - rule.window_s * NS_PER_S
        seconds = read_figure(store, rule.config, first_ns, to_ns)
        return figures.replay_figure(rule, seconds, instants)
    assert isinstance(rule, Slo)
    first_ns = begin_ns - rule.config.windows_s[-1] * NS_PER_S
    # Live windows begin and end at whole seconds.
    spans = read_spans(store, rule.config, first_ns, to_ns, NS_PER_S)
    return replay_spans(rule, spans, instants)


def _with_decisions(page: Page, search: SuspectSearch) -> Page:
    """Return a page with the decisions that the message of a live alert would name."""
    if page.focus is None:
        return page
    return replace(page, exemplars=search.exemplars(page.focus, page.window_s, page.fired_ns))


def _live(
    alert_state: AlertStore | None, rule: str, from_ns: int, to_ns: int
) -> set[tuple[object, ...]] | None:
    """Return the transitions that a rule made in episodes that began in (from, to]."""
    if alert_state is None:
        return None
    began: dict[str, int] = {}
    found: set[tuple[object, ...]] = set()
    is_known = False
    for event in alert_state.events_of(rule, from_ns - _WARM_NS):
        is_known = True
        began_ns = began.setdefault(event.episode_id, event.at_ns)
        is_change = event.from_state != event.to_state  # another suspect is no transition
        if is_change and from_ns < began_ns and event.at_ns <= to_ns:
            found.add((event.action, event.region, event.at_ns, event.from_state, event.to_state))
    return found if is_known else None
