"""I/O: how far long answers are, by a ticket that the asker made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Of askers that went away the oldest are forgotten first.
_TICKETS_MAX = 64
TICKET_MAX = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one answer is."""

    done: int
    of: int


class Steps:
    """The answers under way; safe to use from several threads."""

    def __init__(self) -> None:
        self._steps: OrderedDict[str, Progress] = OrderedDict()
        self._lock = threading.Lock()

    def reporter(self, ticket: str, of: int) -> Callable[[int], None]:
        """Return what takes the number of steps that are done; without a ticket it does nothing."""

        def report(done: int) -> None:
            if not ticket:
                return
            with self._lock:
                self._steps.pop(ticket, None)
                if done < of:
                    self._steps[ticket] = Progress(done, of)
                while len(self._steps) > _TICKETS_MAX:
                    self._steps.popitem(last=False)

        report(0)
        return report

    def of(self, ticket: str) -> Progress:
        """Return how far an answer is; (0, 0) of one that is not under way."""
        with self._lock:
            return self._steps.get(ticket, Progress(0, 0))
