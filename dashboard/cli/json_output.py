"""I/O: what a command prints for a machine."""

from __future__ import annotations

import json
import sys


def print_json(value: object) -> None:
    """Write one JSON value as a line of standard output; what JSON does not know becomes text.

    Where that is not UTF-8 all letters but those of ASCII are escaped as JSON does.
    """
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=not is_utf8) + "\n")
    sys.stdout.flush()
