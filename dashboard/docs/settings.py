"""Pure: the page docs/reference/settings.md, from the settings' models; a test holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import getdoc
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dashboard.docs.table import table
from dashboard.settings.settings import Settings

_HEAD: Final = """# Settings

Every setting, with its unit, default, bounds and effect. Settings are read once, at the start.

They come from `millworth.toml` in the working directory, or from the file that `--config` names;
[millworth.example.toml](../../millworth.example.toml) holds every key with its default and runs as
it is. Any key from the environment goes before the file: `MILLWORTH__DASHBOARD__PORT=9000` is
`dashboard.port`, and a number is an entry of a list: `MILLWORTH__ALERTS__WEBHOOKS__0__SECRET`.
Secrets belong there; commands that only ask run without them. Where they are set, an entry has to
be in the file, so a command in another directory needs `--config` too. A key that does not exist
stops the start, and the error suggests the closest name. `millworth config check` reads the
settings and names the first fault; `millworth config print --origin` shows the settings in force
and where each came from.

The log, its keys and the state of alerts lie beside the embedded store: for a store named `store`
in `wal/` and `alerts.sqlite`, for one with another NAME in `NAME-wal/` and `NAME-alerts.sqlite`, so
that two stores in one directory share nothing.

Everything listens on 127.0.0.1. Beyond it the service starts only with tokens or client
certificates: [security](../operate/security.md).

This page is written by `make example`.

"""

# The unit is the end of a name; what has none is a number of things, a text or a choice.
_UNITS: Final = {
    "bytes": "bytes",
    "mib": "MiB",
    "mbit": "Mbit/s",
    "seconds": "s",
    "s": "s",
    "ms": "ms",
    "us": "us",
    "ns": "ns",
    "minutes": "min",
    "hours": "h",
    "days": "days",
    "years": "years",
    "usd": "`attribution.currency`",
    "ratio": "ratio",
    "share": "ratio",
}
_BOUNDS: Final = (("gt", "> "), ("ge", ">= "), ("lt", "< "), ("le", "<= "))


def settings_page() -> str:
    """Return the page."""
    return (_HEAD + "".join(_section("", Settings, Settings()))).rstrip() + "\n"


def unit_of(name: str, field: FieldInfo) -> str:
    """Return the unit of a setting: the last word of its name that is one, nothing without."""
    kinds = {field.annotation, *get_args(field.annotation)}
    if not kinds & {int, float}:
        return ""
    if name.endswith("per_s"):
        return "bytes/s" if name.startswith("bytes") else "1/s"
    if name.endswith("per_100ms"):
        return "ratio per 100 ms"
    words = [word for word in name.split("_") if word in _UNITS]
    return _UNITS[words[-1]] if words else ""


def _section(path: str, model: type[BaseModel], defaults: BaseModel | None) -> Iterator[str]:
    """Yield the heading and table of a section, then those of the sections in it."""
    rows: list[tuple[str, ...]] = []
    later: list[str] = []
    for name, field in model.model_fields.items():
        key = f"{path}.{name}" if path else name
        inner = list(_models_of(field.annotation))
        value = getattr(defaults, name) if defaults is not None else field.default
        if not inner:
            rows.append((f"`{key}`", unit_of(name, field), *_row(field, value)))
        elif isinstance(value, BaseModel):
            later += _section(key, inner[0], value)
        else:
            later += (line for each in inner for line in _entries(key, each, field))
    if path:
        yield f"## {path}\n\n{getdoc(model) or ''}\n\n"
        yield table(("key", "unit", "default", "bounds", "effect"), rows)
    yield from later


def _entries(key: str, inner: type[BaseModel], field: FieldInfo) -> Iterator[str]:
    """Yield the section of a list of tables, of which a file may have any number."""
    rows = (
        (f"`{name}`", unit_of(name, each), *_row(each, each.default))
        for name, each in inner.model_fields.items()
    )
    heading = f"[{key}.NAME]" if get_origin(field.annotation) is dict else f"[[{key}]]"
    yield f"## {heading}\n\n{getdoc(inner) or ''} {field.description or ''}.\n\n"
    yield table(("key", "unit", "default", "bounds", "effect"), rows)


def _models_of(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that a setting may be, or that its entries may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_of(part)


def _row(field: FieldInfo, value: object) -> tuple[str, str, str]:
    return _default_text(field, value), _bounds(field), field.description or ""


def _default_text(field: FieldInfo, value: object) -> str:
    if field.is_required():
        return "required"
    if value is PydanticUndefined and field.default_factory is not None:
        value = field.default_factory()  # type: ignore[call-arg]  # ours take no data
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return ", ".join(f"`{name}` = `{item}`" for name, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(f"`{_text(item)}`" for item in value)
    return f"`{_text(value)}`"


def _text(value: object) -> str:
    return re.sub(r"\.0$", "", str(value))


def _bounds(field: FieldInfo) -> str:
    bounds: list[str] = []
    for mark in field.metadata:
        bounds += [
            f"{sign}{_text(getattr(mark, name))}"
            for name, sign in _BOUNDS
            if getattr(mark, name, None) is not None
        ]
        if pattern := getattr(mark, "pattern", None):
            bounds += _choices(str(pattern))
    kinds: tuple[Any, ...] = get_args(field.annotation)
    if kinds and all(isinstance(kind, str) for kind in kinds):
        bounds += [" or ".join(f"`{kind}`" for kind in kinds)]
    return ", ".join(bounds)


def _choices(pattern: str) -> list[str]:
    """Return the words between which a pattern lets choose; nothing of other patterns."""
    match = re.fullmatch(r"\^\(([\w|-]+)\)\$", pattern)
    return [" or ".join(f"`{word}`" for word in match[1].split("|") if word)] if match else []
