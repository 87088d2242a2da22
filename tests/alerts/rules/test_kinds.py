from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from typing import Any, Protocol

import pytest
from pydantic import ValidationError

from alerts.config import AlertsConfig
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.kinds import DEFAULT_KIND, KINDS, parse_rule, rule_of
from alerts.rules.tiers import DollarBurnConfig
from tests.support.alerts.builders import rule

BURN: Mapping[str, Any] = {
    "name": "burn",
    "budget_usd": 100.0,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_named_alike_in_the_table_and_in_its_settings(kind: str) -> None:
    """`kind` of an entry selects the model, and the model accepts that `kind`."""
    assert KINDS[kind].model.model_fields["kind"].default == kind


@pytest.mark.parametrize("kind", KINDS)
def test_kind_implements_what_the_protocol_leaves_open(kind: str) -> None:
    """A method without a default returns None, which the job would meet at night."""
    open_methods = {"config", "window_s", "read", "subjects", "evaluate", "wording"}
    inherited = {name for name in open_methods if _owner(KINDS[kind], name) is not KINDS[kind]}
    assert inherited - {"config"} == set()
    assert "config" in inspect.get_annotations(KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_kind_imports_no_other_kind(kind: str) -> None:
    """A kind can be taken out by deleting its files."""
    modules = {each: KINDS[each].__module__ for each in KINDS}
    source = inspect.getsource(inspect.getmodule(KINDS[kind]) or KINDS[kind])
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }
    assert imported & set(modules.values()) == set()


def test_entry_without_a_kind_is_a_dollar_burn() -> None:
    """Files from before there were kinds go on working."""
    (config,) = AlertsConfig.model_validate({"rules": [BURN]}).rules
    assert config == DollarBurnConfig.model_validate(BURN)
    assert isinstance(rule_of(config), DollarBurn)
    assert DEFAULT_KIND == "dollar_burn"


def test_entry_may_name_each_kind() -> None:
    """A second silence, with another limit and severity, is a rule like any other."""
    silence = {"name": "shop-quiet", "kind": "dead_man", "silence_s": 60, "services": ["shop"]}
    entries = [{**BURN, "kind": "dollar_burn"}, {**silence, "severity": "ticket"}]
    config = AlertsConfig.model_validate({"rules": entries})
    assert [each.kind for each in config.rules] == ["dollar_burn", "dead_man"]
    assert [each.name for each in config.all_rules] == [
        *("dead-man", "burn", "burn-ticket", "shop-quiet")
    ]
    assert AlertsConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        pytest.param({"kind": "burn"}, (0,), "kind 'burn' is not one of dead_man", id="kind"),
        pytest.param({"kind": ["burn"]}, (0,), r"kind \['burn'\] is not one of", id="no text"),
        pytest.param({"silence_s": 1}, (0, "silence_s"), "Extra inputs", id="of another kind"),
        pytest.param({"budget_usd": 0}, (0, "budget_usd"), "greater than 0", id="value"),
    ],
)
def test_error_names_the_key_and_no_model(
    changes: dict[str, object], place: tuple[object, ...], message: str
) -> None:
    """The place is what a person wrote: alerts.rules.0.budget_usd."""
    with pytest.raises(ValidationError, match=message) as caught:
        AlertsConfig.model_validate({"rules": [{**BURN, **changes}]})
    assert caught.value.errors()[0]["loc"] == ("rules", *place)


def test_entry_that_is_no_table_is_refused() -> None:
    """`rules = ["burn"]` is a mistake, not a crash."""
    with pytest.raises(ValidationError):
        AlertsConfig.model_validate({"rules": ["burn"]})
    assert parse_rule(rule()) == rule()


def _owner(kind: type, name: str) -> type:
    return next(each for each in kind.__mro__ if name in vars(each) and each is not Protocol)
