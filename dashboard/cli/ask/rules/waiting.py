"""I/O: a bar on a terminal for an answer that takes long, by the steps that the service reports."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextvars import copy_context
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from attribution.core.money import currency, state_in
from collector.core.errors import MillworthError
from dashboard.cli.client import Api

_ASKED_EVERY_S = 0.3


def with_bar(
    api: Api,
    what: str,
    ask: Callable[[str], dict[str, Any]],
    *,
    as_json: bool,
    console: Console | None = None,
) -> dict[str, Any]:
    """Return an answer; until it is there, show how many rules are done on standard error.

    Args:
        api: asked how far the answer is.
        what: is done, for people.
        ask: asks with the ticket that it is given.
        as_json: nothing is shown to machines.
        console: where; by default standard error.
    """
    console = console or Console(stderr=True)
    if as_json or not console.is_terminal:
        return ask("")
    ticket = uuid4().hex
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rules"),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console, transient=True) as bar,
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        task = bar.add_task(what, total=None)
        context = copy_context()
        answer = pool.submit(context.run, ask, ticket)
        while True:
            try:
                found = answer.result(timeout=_ASKED_EVERY_S)
                state_in(context.run(currency))  # as the answer said in that thread
                return found
            except TimeoutError:
                if answer.done():
                    raise  # the answer's own
            step = _step(api, ticket)
            if step["of"]:
                bar.update(task, completed=step["done"], total=step["of"])


def _step(api: Api, ticket: str) -> dict[str, Any]:
    try:
        return api.get(f"/api/v1/rules/progress/{ticket}")
    except MillworthError:
        # The answer itself says what is wrong.
        return {"done": 0, "of": 0}
