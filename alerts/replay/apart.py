"""I/O: files of rules read in a process of their own, which may take a while and no longer.

The parser of PromQL is native code that holds the interpreter while it compiles a pattern: a
kilobyte of them from anybody would hold up the service for minutes.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from alerts.rules.imports.found import Found, Mapped, Origin, Refused
from alerts.rules.imports.read import RuleFile, read_rules
from alerts.rules.slo import SloConfig
from collector.core.errors import InputError

CPU_S: Final = 20
_WAIT_S: Final = 120  # of a machine that is busy
_MEMORY_BYTES: Final = 4 * 2**30  # of address space, most of which is never used


def read_apart(
    files: Sequence[RuleFile], service: str = "", taken: Iterable[str] = (), cpu_s: int = CPU_S
) -> list[Found]:
    """Return what `read_rules` does.

    Args:
        files: to read.
        service: of rules that name none.
        taken: names that rules have already.
        cpu_s: time of a processor that it may take.

    Raises:
        InputError: as `read_rules`; or the files take longer than they may.
    """
    asked = {
        "files": [dataclasses.asdict(file) for file in files],
        "service": service,
        "taken": list(taken),
        "cpu_s": cpu_s,
    }
    too_long = (
        f"the files take longer to read than {cpu_s} s of a processor, or break the parser; import "
        "them one by one, and shorten the patterns of the one that does"
    )
    try:
        ended = subprocess.run(  # noqa: S603  this program, and nothing of the files
            [sys.executable, "-m", __name__],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=_WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(too_long) from error
    if ended.returncode != 0:
        raise InputError(too_long)
    answer = json.loads(ended.stdout)
    if "error" in answer:
        raise InputError(answer["error"])
    return [_restored(each) for each in answer["found"]]


def _stored(found: Found) -> dict[str, Any]:
    origin = dataclasses.asdict(found.origin)
    if isinstance(found, Refused):
        return {"origin": origin, "reason": found.reason}
    rules = [rule.model_dump(mode="json") for rule in found.rules]
    return {"origin": origin, "rules": rules, "remarks": list(found.remarks)}


def _restored(stored: dict[str, Any]) -> Found:
    origin = Origin(**stored["origin"])
    if "reason" in stored:
        return Refused(origin, stored["reason"])
    rules = tuple(SloConfig.model_validate(each) for each in stored["rules"])
    return Mapped(origin, rules, tuple(stored["remarks"]))


def main() -> None:
    """Read what standard input holds, and write what was found to standard output."""
    asked = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_s"], asked["cpu_s"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    files = [RuleFile(**file) for file in asked["files"]]
    try:
        found = read_rules(files, asked["service"], asked["taken"])
    except InputError as error:
        answer: dict[str, Any] = {"error": str(error)}
    else:
        answer = {"found": [_stored(each) for each in found]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
