"""I/O: `python -m dashboard.docs.write` writes the generated files; a test holds each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dashboard.docs.api import api_page
from dashboard.docs.cli import cli_page
from dashboard.docs.event_schema import schema_page
from dashboard.docs.metrics import metrics_page
from dashboard.docs.settings import settings_page
from dashboard.settings.text import example

ROOT: Final = Path(__file__).parents[2]
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "millworth.example.toml": example,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/schema.md": schema_page,
    "docs/reference/cli.md": cli_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/api.md": api_page,
}


def main() -> None:
    """Write every file."""
    for name, content in FILES.items():
        (ROOT / name).write_text(content(), encoding="utf-8")


if __name__ == "__main__":
    main()
