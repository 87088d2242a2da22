"""Pure: which runtimes their makers still repair, by the dated table `end_of_life.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

_TOLD = tomllib.loads((Path(__file__).parent / "end_of_life.toml").read_text())
READ_ON: date = _TOLD.pop("read_on")
# `process.runtime.name` is what a runtime calls itself; the SDK's language says which it is.
_BY_LANGUAGE = {"php": "php", "dotnet": "dotnet", "ruby": "ruby", "go": "go", "nodejs": "nodejs"}
_BY_NAME = {".net": "dotnet", ".net core": "dotnet", "node": "nodejs", "golang": "go"}


@dataclass(frozen=True, slots=True)
class EndOfLife:
    """When the makers of a release stop, or stopped, to repair it."""

    runtime: str
    release: str
    ends_on: date
    source: str


def end_of_life(name: str, version: str, language: str = "") -> EndOfLife | None:
    """Return when a runtime's release ends, None where the table does not know it.

    Args:
        name: `process.runtime.name`.
        version: `process.runtime.version`, such as 3.8.10, go1.22.3 or v18.1.0.
        language: `telemetry.sdk.language`.
    """
    runtime = _BY_NAME.get(name.lower(), name.lower())
    if runtime not in _TOLD:
        runtime = _BY_LANGUAGE.get(language.lower(), "")
    digits = re.search(r"\d+(?:\.\d+)*", version)
    if runtime not in _TOLD or digits is None:
        return None
    table = _TOLD[runtime]
    parts = tuple(int(part) for part in digits[0].split("."))[: table["parts"]]
    if len(parts) < table["parts"]:
        return None
    end_days = {
        tuple(map(int, release.split("."))): day for release, day in table["releases"].items()
    }
    ends_on = end_days.get(parts)
    if ends_on is None and parts < min(end_days):
        ends_on = end_days[min(end_days)]
    if ends_on is None:
        return None
    return EndOfLife(runtime, ".".join(map(str, parts)), ends_on, table["source"])
