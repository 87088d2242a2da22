"""Pure: the roles of the service, which one process runs together or several run apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a process does.

    Any number may `collect` and `serve`, each `collect` with a log directory of its own; one
    `capture` a machine; one `attribute` and one `alert`, which own a cursor and a state.
    """

    COLLECT = "collect"
    CAPTURE = "capture"
    ATTRIBUTE = "attribute"
    ALERT = "alert"
    SERVE = "serve"


ALL: Final = frozenset(Role)
