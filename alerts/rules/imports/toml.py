"""Pure: rules of kind `slo` as lines of millworth.toml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from alerts.rules.imports.found import Mapped
from alerts.rules.slo import SloConfig


def toml_of(found: Mapped) -> str:
    """Return the lines of one mapped rule, with what it differs in as comments."""
    origin = found.origin
    lines = [f"# {_plain(origin.name)} of {_plain(origin.file)}, line {origin.line}"]
    lines += [f"# not the same: {_plain(remark)}" for remark in found.remarks]
    for rule in found.rules:
        lines += ["[[alerts.rules]]", *_lines(rule), ""]
    return "\n".join(lines)


def _lines(rule: SloConfig) -> Iterator[str]:
    settings = rule.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    # What decides is stated even where it is the default.
    order = {"name": rule.name, "kind": rule.kind, "severity": rule.severity}
    for key, value in {**order, **settings, "keep_firing_s": rule.keep_firing_s}.items():
        if key != "tiers":
            yield f"{key} = {_value(value)}"
    yield "tiers = ["
    for tier in settings["tiers"]:
        yield f"  {_value(tier)},"
    yield "]"


def _value(value: Any) -> str:  # noqa: ANN401  any setting
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, float):
        return repr(value)
    # JSON and TOML write texts alike, but for this character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
