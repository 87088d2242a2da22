"""Fenced blocks of a page, and a shell in which they run as they stand.

A page marks what its reader has to replace: an assignment `NAME=value   # yours`. A test gives
other values for these names and changes nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from tests.support.tree import text, tracked

_ROWS_WAIT_NS = NS_PER_MINUTE
# The day after the outcomes of the examples, which have to be of the last thirty days.
READ_NS = 1_795_651_200 * NS_PER_S


class Running(Protocol):
    """A service that answers at an address."""

    url: str


_YOURS = re.compile(r"^(?:export )?([A-Z_]+)=.*# yours.*$", re.MULTILINE)


def pages() -> list[str]:
    """Return the pages for users, from the root: the README and those of docs/ but for ADRs."""
    return [
        path
        for path in tracked()
        if path == "README.md"
        or (path.startswith("docs/") and path.endswith(".md") and "/adr/" not in path)
    ]


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE)


def only(page: str, language: str) -> str:
    """Return the page's one block in a language."""
    [found] = blocks(page, language)
    return found


def invocations(page: str) -> Iterator[list[str]]:
    """Yield the words of each call of `millworth` in the shell blocks of a page."""
    for block in blocks(page, "sh"):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                if "=" in word or Path(word).name != "millworth":
                    continue
                if place == 0 or _begins(words[place - 1]):
                    yield _one_command(words[place + 1 :])


def _begins(before: str) -> bool:
    """Return whether what follows this word is a command."""
    return before in {"&&", "||", "|", "sudo", "exec"} or bool(re.match(r"[A-Z_]+=", before))


def _one_command(words: list[str]) -> list[str]:
    """Return the words up to the next operator of the shell."""
    ends = [place for place, word in enumerate(words) if re.match(r"[|&;>]|\d>", word)]
    return words[: ends[0]] if ends else words


@dataclass
class PageShell:
    """Runs blocks in a directory, with `millworth` on the path.

    Attributes:
        directory: the working directory of every block.
        environment: variables beside those of this process.
        programs: stand-ins by name, each the text of a shell script.
    """

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the programs."""
        self._bin = self.directory / ".venv" / "bin"
        self._bin.mkdir(parents=True, exist_ok=True)
        own = {
            "millworth": f'exec {shlex.quote(sys.executable)} -m dashboard.cli.main "$@"',
            "python": f'exec {shlex.quote(sys.executable)} "$@"',
        }
        for name, script in {**own, **self.programs}.items():
            path = self._bin / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def run(self, block: str, timeout_s: float = 120.0, **yours: object) -> str:
        """Return what a block prints; fail where a command of it fails.

        Args:
            block: as it stands on the page.
            timeout_s: for all of its commands.
            yours: the values of the names that the block marks with `# yours`.
        """
        marked = set(_YOURS.findall(block))
        assert marked == set(yours), f"the block marks {sorted(marked)} as the reader's"
        for name, value in yours.items():
            block = re.sub(
                rf"^((?:export )?{name})=.*# yours.*$",
                lambda found, value=value: f"{found[1]}={shlex.quote(str(value))}",  # type: ignore[misc]  # bound now
                block,
                flags=re.MULTILINE,
            )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                **self.environment,
                "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            },
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{block}\n{done.stdout}{done.stderr}"
        return done.stdout


def await_rows(service: Running, statement: str, count: int) -> None:
    """Wait until a statement that counts gives at least so many; fail after a minute."""
    clock, pause = SystemClock(), threading.Event()
    until_ns = clock.monotonic_ns() + _ROWS_WAIT_NS
    while True:
        answer = httpx.post(f"{service.url}/api/v1/query", json={"sql": statement}, timeout=60)
        if answer.status_code == 200 and int(answer.json()["rows"][0][0]) >= count:
            return
        assert clock.monotonic_ns() < until_ns, f"{statement}: {answer.text}"
        pause.wait(0.2)
