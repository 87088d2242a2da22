"""A process that records one transition after another until it is killed."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import first_state
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event, message


def main(path: Path) -> None:
    """Record, and say after each commit how far it is."""
    memory = AlertStore(path)
    state = first_state("burn", Subject("checkout", "eu-west"), NOW_NS)
    for seq in itertools.count(1):
        memory.record([Update(replace(state, seq=seq), event(seq=seq), (message(seq=seq),))])
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
