"""Pure: options that many commands take, said alike everywhere."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def finite(value: float | None) -> float | None:
    """Return the number of an option, None where it was not given; a callback of each that has one.

    Raises:
        BadParameter: it is `inf` or `nan`, which no limit refuses and JSON cannot say.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not an amount; give a number in digits")
    return value


ConfigOption = Annotated[
    Path | None,
    # Whoever opens the file says what is wrong, in one line: typer's own check says it in a box.
    typer.Option(
        "--config",
        "-c",
        help="Settings file; by default ./millworth.toml if there.",
        readable=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The running service; by default the settings' dashboard address. Where none runs, "
        "the store is opened directly.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine output: JSON.")]
MetricsOption = Annotated[
    int,
    typer.Option(
        "--metrics-port",
        help="Serve /metrics and /readyz on this port of 127.0.0.1; 0 takes any.",
    ),
]
WindowOption = Annotated[str, typer.Option(help="How far back: a number and s, m, h or d.")]
UntilOption = Annotated[str, typer.Option(help="End of the window, ISO 8601; by default now.")]
AnnualiseOption = Annotated[
    bool,
    typer.Option(
        "--annualise", help="State figures of a year on fewer than 7 days of decisions too."
    ),
]
