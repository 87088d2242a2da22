"""Pure: what is wrong with settings, in a line that names where, which key, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from collector.core.errors import complaint

ENV_PREFIX: Final = "MILLWORTH__"


def explain(
    error: ValidationError, model: type[BaseModel], file: str, origins: Mapping[str, str]
) -> str:
    """Return in one line what is wrong: where it was set, key, value and remedy.

    Args:
        error: of all that is wrong, of which one is told and the rest counted.
        model: of all settings.
        file: where what nothing else set would be.
        origins: by key, the file, variable or command that set it.
    """
    # A key that is misspelt is missing too.
    first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    location = [part for part in first["loc"] if part != "[key]"]
    key = ".".join(str(part) for part in location)
    origin = _origin(key, file, origins)
    more = "" if error.error_count() == 1 else f" (and {error.error_count() - 1} more)"
    if first["type"] == "extra_forbidden":
        near = _did_you_mean(model, location)
        hint = f"; did you mean {near}?" if near else "; remove it"
        return f"{origin}: {key} is not a setting{hint}{more}"
    if first["type"] == "missing":
        return f"{origin}: {key} is missing; set it there, or in {_variable(location)}{more}"
    value = first.get("input")
    # The value of a section would show the secrets in it.
    whole = ":" if first["type"] == "value_error" else ""  # what is said of a section
    value_text = f" is {_without_user(value)!r}:" if _may_be_shown(key, value) else whole
    fault = complaint(first)
    if first["type"] == "tuple_type":
        fault = "has a list of entries; write each as it is in the file, or all of them as JSON"
    if first["type"] in ("string_pattern_mismatch", "timezone_aware"):
        # What the key means helps where a regular expression would be shown.
        fault = f"expected {_meaning(model, location) or first['ctx']['pattern']}"
    return f"{origin}: {key and f'{key}{value_text} '}{fault}{more}"


def _origin(key: str, file: str, origins: Mapping[str, str]) -> str:
    """Return what set a key; of a section, everything that set a part of it."""
    parts = {origin for name, origin in origins.items() if name.startswith(f"{key}.")}
    return origins.get(key) or ", ".join(sorted(parts)) or file


def _variable(location: list[int | str]) -> str:
    return ENV_PREFIX + "__".join(str(part).upper() for part in location)


def _meaning(model: type[BaseModel], location: list[int | str]) -> str | None:
    field = _fields_beside(model, location).get(str(location[-1]))
    return field.description if field is not None else None


def _may_be_shown(key: str, value: object) -> bool:
    # Of a token, what was put in the wrong place may be the token itself.
    return (
        isinstance(value, str | int | float)
        and "secret" not in key
        and not key.startswith("access.")
        and not key.endswith(".keys")
    )


def _without_user(value: object) -> object:
    """Return a value; of an address without user, password and query, however wrong it is."""
    if not isinstance(value, str) or "://" not in value:
        return value
    return re.sub(r"\?.*", "?**********", re.sub("//.*@", "//**********@", value), flags=re.DOTALL)


def _did_you_mean(model: type[BaseModel], location: list[int | str]) -> str | None:
    # One section may be of several kinds, and know the key as that of another kind.
    others = [each for each in _fields_beside(model, location) if each != location[-1]]
    near = difflib.get_close_matches(str(location[-1]), others, n=1, cutoff=0.5)
    return ".".join(map(str, [*location[:-1], near[0]])) if near else None


def _fields_beside(model: type[BaseModel], location: list[int | str]) -> dict[str, FieldInfo]:
    """Return the settings of the section that holds a key; of every model where it has several."""
    models: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        if isinstance(part, str):
            fields = [found for model in models if (found := model.model_fields.get(part))]
            if fields:  # else it is a name of the user's own, such as of a channel
                models = [found for field in fields for found in _models_in(field.annotation)]
    return {name: field for model in models for name, field in model.model_fields.items()}


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
