"""I/O: `millworth rules test`: rules against files of made-up data, without a store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import JsonOption

FilesArgument = Annotated[list[Path], typer.Argument(help="Files of tests, in YAML.")]


def run_tests(files: FilesArgument, as_json: JsonOption = False) -> None:
    """Run rules over the series of files, and compare their alerts with what is expected.

    The form is that of `promtool test rules`; the rules are evaluated by the code that does so
    live. Exit 1 where an expectation fails. docs/use/rules.md has the keys.
    """
    # The engine of rules takes a quarter of a second to load.
    from alerts.replay.trial.run import described, read_trial, run_trial

    found = []
    for file in files:
        trial, config = read_trial(file)
        found.append((file, run_trial(trial, config)))
    failed = any(outcome.failures for _, outcome in found)
    if as_json:
        print_json({"files": [{"file": str(f), **_plain(dataclasses.asdict(o))} for f, o in found]})
        raise typer.Exit(int(failed))
    for file, outcome in found:
        for failure in outcome.failures:
            OUT.print(f"{file}: {failure.test}: {failure.rule} at {_minutes(failure.at_ns)}:")
            OUT.print(*(f"    expected {line}" for line in described(failure.expected)), sep="\n")
            OUT.print(*(f"    got      {line}" for line in described(failure.got)), sep="\n")
        held = outcome.checked - len(outcome.failures)
        OUT.print(f"{file}: {held} of {outcome.checked} expectations hold")
    raise typer.Exit(int(failed))


def _plain(outcome: dict[str, object]) -> dict[str, object]:
    for failure in outcome["failures"]:  # type: ignore[attr-defined]  # a list of what asdict made
        failure["expected"] = [each.model_dump(mode="json") for each in failure["expected"]]
    return outcome


def _minutes(ns: int) -> str:
    minutes, seconds = divmod(ns // 10**9, 60)
    return f"{minutes}m{seconds}s" if seconds else f"{minutes}m"
