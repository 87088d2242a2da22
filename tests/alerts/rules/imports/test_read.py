"""Files of four tools: each rule of them mapped, or refused with a reason; nothing else happens."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.config import AlertsConfig
from alerts.rules.imports.found import Mapped, Refused
from alerts.rules.imports.read import RuleFile, read_rules
from alerts.rules.imports.rule import slug
from alerts.rules.imports.toml import toml_of
from alerts.rules.slo import SloConfig
from collector.core.errors import InputError
from tests.support.alerts.imported import OPENSLO, PROMETHEUS, PYRRA, SLOTH
from tests.support.examples import examples


def mapped(text: str, **changes: Any) -> list[SloConfig]:  # noqa: ANN401  of read_rules
    """Return the rules of a file, of which none is refused."""
    found = read_rules([RuleFile("f.yaml", text)], **changes)
    assert [each.reason for each in found if isinstance(each, Refused)] == []
    return [rule for each in found if isinstance(each, Mapped) for rule in each.rules]


def tiers(rule: SloConfig) -> list[tuple[float, int, int | None, str | None]]:
    """Return the tiers of a rule in short."""
    return [(t.bad_share_max, t.long_window_s, t.short_window_s, t.severity) for t in rule.tiers]


def test_rule_file_of_prometheus_is_mapped_with_what_it_says_beside() -> None:
    """Its `for`, `keep_firing_for`, severity and annotations."""
    errors, slow = mapped(PROMETHEUS)
    assert errors.model_dump(exclude_defaults=True) == {
        "name": "high-error-rate",
        "severity": "ticket",
        "for_s": 600,
        "keep_firing_s": 300,
        "runbook_url": "https://example.com/errors",
        "note": "Too many errors of {{ $labels.job }}",
        "failed": True,
        "tiers": ({"bad_share_max": 0.05, "long_window_s": 300},),
        "service": "api",
    }
    assert tiers(errors) == [(0.05, 300, None, None)]
    assert (slow.severity, slow.target_ms, slow.keep_firing_s) == ("page", 250.0, 0)


def test_sloth_gets_the_windows_that_it_would_generate() -> None:
    """Two pages and two tickets of 30 days, with the disabled ones left out."""
    [rule] = mapped(SLOTH)
    assert (rule.name, rule.service) == ("shop-availability", "shop")
    assert rule.bad_statuses == ((429, 429),)
    assert tiers(rule) == [
        (0.0144, 3_600, 300, "page"),
        (0.006, 21_600, 1_800, "page"),
        (0.003, 86_400, 7_200, "ticket"),
        (0.001, 259_200, 21_600, "ticket"),
    ]
    [tickets] = mapped(SLOTH + "      page_alert: {disable: true}\n")
    assert len(tiers(tickets)) == 2


def test_pyrra_gets_the_windows_and_waits_of_its_own_period() -> None:
    """Four rules, as each pair of windows waits another time."""
    rules = mapped(PYRRA)
    assert [(rule.for_s, rule.severity) for rule in rules] == [
        (120, "page"),
        (900, "page"),
        (3_600, "ticket"),
        (10_800, "ticket"),
    ]
    assert [tiers(rule)[0][:3] for rule in rules] == [
        (0.14, 3_600, 300),
        (0.07, 21_600, 1_800),
        (0.02, 86_400, 7_200),
        (0.01, 345_600, 21_600),
    ]
    assert {(rule.target_ms, rule.failed, rule.service) for rule in rules} == {(100, False, "api")}


def test_openslo_refers_to_indicators_and_policies_of_the_same_files() -> None:
    """An SLO, its SLI, its policy and the condition of that are four documents."""
    ratio, threshold = mapped(OPENSLO)
    assert (ratio.name, ratio.for_s, tiers(ratio)) == (
        "checkout-availability",
        300,
        [(0.02, 3_600, None, "page")],
    )
    assert (ratio.service, ratio.failed, ratio.bad_statuses) == (
        "shop",
        True,
        ((100, 199), (400, 499)),
    )
    assert (threshold.target_ms, tiers(threshold)) == (500.0, [(0.05, 300, None, None)])


@pytest.mark.parametrize("text", [PROMETHEUS, SLOTH, PYRRA, OPENSLO])
def test_lines_for_the_settings_are_the_same_rules(text: str) -> None:
    """They are read back, all in shadow."""
    found = read_rules([RuleFile("f.yaml", text)])
    lines = "\n".join(toml_of(each) for each in found if isinstance(each, Mapped))
    read = AlertsConfig.model_validate(tomllib.loads(lines)["alerts"])
    assert list(read.rules) == mapped(text)
    assert {rule.live for rule in read.rules} == {None}


def test_names_are_those_of_rules_and_unique() -> None:
    """State is stored under them."""
    again = read_rules(
        [RuleFile("a.yaml", PROMETHEUS), RuleFile("b.yaml", PROMETHEUS)], taken=["high-error-rate"]
    )
    names = [rule.name for each in again if isinstance(each, Mapped) for rule in each.rules]
    assert names == ["high-error-rate-2", "slow-requests", "high-error-rate-3", "slow-requests-2"]
    assert slug("HighErrorRate (5xx) über alles") == "high-error-rate-5xx-uber-alles"
    assert slug("日本") == "rule"
    assert len(slug("a b" * 100)) <= 50


def test_hostile_names_stay_text_in_the_lines() -> None:
    """A comment cannot end its line, and a note is a TOML text whatever it holds."""
    name, note = "a\u2028[x]\x07", 'a"""\n[dashboard]\\ \x7f \u2028'
    rule = {**RULE, "alert": name, "annotations": {"summary": note}}
    document = json.dumps({"groups": [{"rules": [rule]}]})
    [each] = read_rules([RuleFile("f\n[x].yaml", document)])
    assert isinstance(each, Mapped)
    lines = toml_of(each)
    read = tomllib.loads(lines)
    assert list(read) == ["alerts"]
    assert read["alerts"]["rules"][0]["note"] == " ".join(note.split())


RULE: dict[str, Any] = {
    "alert": "x",
    "expr": 'sum(rate(http_requests_total{job="a",code=~"5.."}[5m])) / '
    'sum(rate(http_requests_total{job="a"}[5m])) > 0.1',
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expr": 5}, "its expr is not a text"),
        ({"expr": None}, "its expr is not a text"),
        ({"expr": ["a"]}, "its expr is not a text"),
        ({"for": "5"}, "its for: '5' is not a length of time"),
        ({"for": {"a": 1}}, "its for:"),
        ({"keep_firing_for": "2y"}, "longer than a year"),
        ({"labels": "page"}, "its labels are not a mapping"),
        ({"annotations": [1]}, "its annotations are not a mapping"),
        ({"alert": ["x"], "expr": "up == 0"}, "without a rate"),
        ({"expr": "up{" + "a" * 5_000}, "has 5,003 bytes; shorten it"),
    ],
)
def test_rule_of_wrong_types_is_refused_by_itself(changes: dict[str, Any], reason: str) -> None:
    """The others of the file are read on."""
    document = json.dumps({"groups": [{"rules": [{**RULE, **changes}, RULE]}]})
    wrong, right = read_rules([RuleFile("f.yaml", document)])
    assert isinstance(wrong, Refused)
    assert reason in wrong.reason
    assert isinstance(right, Mapped)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (SLOTH, ("objective: 99.9", "objective: 101"), "is not between 0 and 100"),
        (SLOTH, ("objective: 99.9", "objective: .nan"), "is not between 0 and 100"),
        (SLOTH, ("{{.window}}", "{{.other}}"), "only .window is known"),
        (SLOTH, ("events:", "plugin:"), "whose code is elsewhere"),
        (PYRRA, ('target: "99"', "target: many"), "its target or its window"),
        (PYRRA, ("window: 28d", "window: 10m"), "so short"),
        (PYRRA, ("latency:", "bool_gauge:"), "a gauge of yes and no"),
        (PYRRA, ("http_request_duration_seconds_bucket", "sum(x) + y"), "is not"),
        (OPENSLO, ("type: Prometheus", "type: Datadog"), "whose queries are not PromQL"),
        (OPENSLO, ("openslo/v1\nkind: SLO\n", "openslo/v1alpha\nkind: SLO\n"), "only openslo/v1"),
        (OPENSLO, ("conditionRef: fast", "conditionRef: none"), "is in none of the files"),
        (OPENSLO, ("threshold: 2", "threshold: many"), "not a burn rate with a threshold"),
        (OPENSLO, ("target: 0.99", "target: 99"), "is not between 0 and 1"),
    ],
)
def test_slo_that_cannot_be_mapped_says_why(old: str, new: tuple[str, str], reason: str) -> None:
    """In the words of its own tool."""
    changed = old.replace(*new)
    assert changed != old
    refused = [
        each for each in read_rules([RuleFile("f.yaml", changed)]) if isinstance(each, Refused)
    ]
    assert any(reason in each.reason for each in refused), refused


@pytest.mark.parametrize("text", ["a: 1", "- 1", "5", "groups: 5", ""])
def test_file_of_something_else_is_refused(text: str) -> None:
    """By its name."""
    with pytest.raises(InputError, match=r"f.yaml: is not a rule file of Prometheus, nor"):
        read_rules([RuleFile("f.yaml", text)])


def test_lists_of_resources_and_other_resources_are_read_through() -> None:
    """As kubectl writes them."""
    rule = {"kind": "PrometheusRule", "apiVersion": "x/v1", "spec": {"groups": [{"rules": [RULE]}]}}
    document = {"kind": "List", "items": [rule, {"kind": "Service", "apiVersion": "v1"}]}
    assert len(mapped(json.dumps(document))) == 1


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=examples(150))
@given(st.sampled_from([PROMETHEUS, SLOTH, PYRRA, OPENSLO]), st.data())
def test_whatever_stands_in_place_of_a_value_breaks_nothing(text: str, data: st.DataObject) -> None:
    """Any value of a good file may be anything: it is mapped, refused, or an error with a file."""
    import yaml

    documents = list(yaml.safe_load_all(text))
    place: Any = documents[data.draw(st.integers(0, len(documents) - 1))]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            place[key] = data.draw(ANY)
            break
        place = inner
    try:
        found = read_rules([RuleFile("f.yaml", yaml.safe_dump_all(documents))])
    except InputError as error:
        assert str(error).startswith("f.yaml:")  # noqa: PT017  either outcome is right
        return
    for each in found:
        assert isinstance(each, Mapped | Refused)
        if isinstance(each, Mapped):
            tomllib.loads(toml_of(each))
