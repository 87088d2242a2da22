"""Pure: settings as text: the effective ones, and the commented example with every key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from dashboard.settings.settings import Settings

_MASK = "**********"
# Of a URL: after the user, or as a parameter; a password may hold an @ of its own. What stands
# alone before the @ is a user, and a token where it is longer than a user's name.
_PASSWORD = re.compile(
    r"(://[^/\s:@]*:)[^/\s]*(?=@)"
    r"|(://)[^/\s:@]{20,}(?=@)"
    r"|([?&][\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|sig|signature|auth|code)=)[^&#\s]*",
    re.IGNORECASE,
)
_HEAD = """\
# Every setting of Millworth with its default. It runs as it is.
# Any key from the environment: MILLWORTH__STORE__URL, MILLWORTH__DASHBOARD__PORT, ...
# Secrets belong in the environment: MILLWORTH__ALERTS__WEBHOOKS__0__SECRET,
# MILLWORTH__ACCESS__TOKEN.
# Written by `millworth config print --example`; do not edit it here.
"""

# Lists of tables cannot be shown by a default of none: each gets one entry, commented out.
_ENTRIES = {
    "decisions.match": """\
# [[decisions.match]]
# service = "shop"                 # service.name, empty for any
# span_name = "POST /checkout"     # name of the span, empty for any
# kind = "server"                  # server, client, producer, consumer or internal
# attributes = {"http.route" = "/checkout"}
# action = "checkout"              # decision.action of what matches
""",
    "channels": """\
# [channels.search]                # one a decision.channel
# kind = "paid"                    # paid: its visitors are bought; owned: they come by themselves
# horizon_days = 30                # 30, 90 or 365: what is sold later is not counted
# complete = "sales"               # as outcomes.complete, of this channel
""",
    "attribution.rules": """\
# [[attribution.rules]]
# service = "^pricing$"            # regular expression on service.name
# span_name = "^cache\\\\."          # regular expression on the span's name
# latency_class = "store"          # network, compute or store
""",
    "attribution.nodes": """\
# [[attribution.nodes]]            # a decision is of the first that it matches
# name = "checkout"                # several may share it
# action = "offer"                 # also channel, region, route, campaign and offer_type
# channel = "web"
""",
    "alerts.rules": """\
# [[alerts.rules]]
# name = "checkout"
# kind = "dollar_burn"             # by default this; or threshold, slo, dead_man
# action = "checkout"              # by default every action
# budget_usd = 10000.0             # loss allowed in budget_days
# budget_days = 30.0
# budget_for = "class"             # each action in each region; or "action", or "all" together
# tiers = [{ budget_share = 0.02, long_window_s = 3600, short_window_s = 300, severity = "page" }]
# runbook_url = "https://example.com/runbooks/checkout"
# live = true                      # else it pages nobody until `millworth rules promote checkout`
""",
    "access.tokens": """\
# [[access.tokens]]                # `millworth token new` prints one
# name = "shop"                    # in counters and logs
# hash = "sha256:..."              # or hash_file = "/path"; never the token
# scopes = ["traces", "logs", "metrics"]  # beside them outcomes, read and admin
# expires = 2027-06-30T00:00:00Z   # by default never
# requests_per_s = 100.0           # by default any
# bytes_per_s = 10000000.0         # after decompression; by default any
""",
    "identifiers.rules": """\
# [[identifiers.rules]]
# attribute = "customer.*"         # a name, or a prefix with * at its end
# action = "tokenise"              # tokenise, hash (a token that never rotates), drop or keep
""",
    "alerts.webhooks": """\
# [[alerts.webhooks]]
# name = "router"
# url = "https://router.example.com/hooks/millworth"
""",
}


def example() -> str:
    """Return millworth.example.toml: every key, its meaning and its default."""
    lines = [_HEAD]
    defaults = Settings()
    for name in Settings.model_fields:
        lines += _top(name, getattr(defaults, name), {}, with_meaning=True)
    return "\n".join(lines).rstrip() + "\n"


def effective(settings: Settings, origins: Mapping[str, str], *, with_origin: bool) -> str:
    """Return the settings in force as TOML, secrets masked."""
    lines: list[str] = []
    shown = origins if with_origin else {}
    for name in Settings.model_fields:
        lines += _top(name, getattr(settings, name), shown, with_meaning=False)
    return "\n".join(lines).rstrip() + "\n"


def without_passwords(text: str) -> str:
    """Return a text with the passwords in its URLs masked."""
    return _PASSWORD.sub(rf"\1\2\3{_MASK}", text)


def flat(settings: Settings) -> dict[str, str]:
    """Return every setting by its whole name, as text; secrets masked."""
    return {path: _value(value) for path, value in _flat("", settings.model_dump())}


def masked(settings: Settings) -> dict[str, str]:
    """Return what `flat` masks by its whole name, unmasked: to compare with, not to be kept."""
    said = flat(settings)
    plain = {path: _value(v, mask=False) for path, v in _flat("", settings.model_dump())}
    return {path: text for path, text in plain.items() if text != said[path]}


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), item)
    elif isinstance(value, tuple) and _has_entries(value):
        for number, item in enumerate(value):
            yield from _flat(f"{path}.{number}", item)
    elif value is not None:
        yield path, value


def _has_entries(value: tuple[Any, ...]) -> bool:
    return bool(value) and isinstance(value[0], dict)


def _top(
    name: str,
    value: BaseModel | Mapping[str, BaseModel],
    origins: Mapping[str, str],
    *,
    with_meaning: bool,
) -> Iterator[str]:
    """Yield a section, or one a name where names are the user's own."""
    if isinstance(value, BaseModel):
        yield from _section(name, value, origins, with_meaning=with_meaning)
        return
    if with_meaning:
        yield _ENTRIES[name]
    for own, section in value.items():
        yield from _section(f"{name}.{_key(own)}", section, origins, with_meaning=with_meaning)


def _key(name: str) -> str:
    """Return a key as TOML writes it: bare where it may be."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _value(name)


def _section(
    path: str, section: BaseModel, origins: Mapping[str, str], *, with_meaning: bool
) -> Iterator[str]:
    yield f"[{path}]"
    later: list[str] = []
    for name, field in type(section).model_fields.items():
        key, value = f"{path}.{name}", getattr(section, name)
        if isinstance(value, BaseModel):
            later += _section(key, value, origins, with_meaning=with_meaning)
        elif isinstance(value, dict):
            later += _table(key, value, field, with_meaning=with_meaning)
        elif isinstance(value, tuple) and (key in _ENTRIES or _has_tables(value)):
            later += _entries(key, value, with_meaning=with_meaning)
        else:
            if with_meaning and field.description:
                yield f"# {field.description}"
            origin = f"  # {origins[key]}" if key in origins else ""
            yield f"# {name} =" if value is None else f"{name} = {_value(value)}{origin}"
    yield ""
    yield from later


def _has_tables(value: tuple[Any, ...]) -> bool:
    return bool(value) and isinstance(value[0], BaseModel)


def _table(
    key: str, value: Mapping[str, Any], field: FieldInfo, *, with_meaning: bool
) -> Iterator[str]:
    if with_meaning and field.description:
        yield f"# {field.description}"
    yield f"[{key}]"
    yield from (f"{_value(name)} = {_value(item)}" for name, item in value.items())
    yield ""


def _entries(key: str, value: tuple[Any, ...], *, with_meaning: bool) -> Iterator[str]:
    if with_meaning and not value:
        yield _ENTRIES[key]
    for entry in value:
        yield f"[[{key}]]"
        for name in type(entry).model_fields:
            # TOML has no null: a key that is not set is left out.
            if getattr(entry, name) is not None:
                yield f"{name} = {_value(getattr(entry, name))}"
        yield ""


def _value(value: object, *, mask: bool = True) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return json.dumps(_MASK if mask and secret else secret, ensure_ascii=False)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item, mask=mask) for item in value)}]"
    if isinstance(value, BaseModel):  # a section in a list; TOML has no null
        there = ((name, getattr(value, name)) for name in type(value).model_fields)
        return _value({name: each for name, each in there if each is not None}, mask=mask)
    if isinstance(value, Mapping):
        pairs = ((_key(str(k)), _value(v, mask=mask)) for k, v in value.items())
        inner = ", ".join(f"{name} = {item}" for name, item in pairs)
        return f"{{{inner}}}"
    # A TOML basic string escapes as JSON does.
    text = str(value)
    return json.dumps(without_passwords(text) if mask else text, ensure_ascii=False)
