"""I/O: what a command prints for a machine."""

from __future__ import annotations

import json
import sys


def print_json(value: object) -> None:
    """Write one JSON value as a line of standard output; what JSON does not know becomes text."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()
