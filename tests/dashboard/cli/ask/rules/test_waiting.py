from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from collector.core.errors import InputError
from dashboard.cli.ask.rules.waiting import with_bar


class Service:
    """Answers only after it was asked how far it is."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self.asked = threading.Event()

    def get(self, path: str) -> dict[str, Any]:
        """Return how far it is."""
        self.tickets.append(path.rpartition("/")[2])
        self.asked.set()
        return {"done": 1, "of": 3}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Never asked."""
        raise AssertionError(path)

    def answer(self, ticket: str) -> dict[str, Any]:
        """Return the answer, to a terminal once it was asked how far that is."""
        if ticket:
            assert self.asked.wait(30)
        return {"ticket": ticket}


@pytest.mark.parametrize("as_json", [False, True])
def test_terminal_is_shown_how_many_rules_are_done(as_json: bool) -> None:
    """On standard error, and never to machines."""
    written, service = io.StringIO(), Service()
    console = Console(file=written, force_terminal=True, width=100)
    answer = with_bar(service, "replaying", service.answer, as_json=as_json, console=console)
    if as_json:
        assert (answer, written.getvalue(), service.tickets) == ({"ticket": ""}, "", [])
        return
    assert set(service.tickets) == {answer["ticket"]}
    assert "replaying" in written.getvalue()
    assert "1/3" in written.getvalue()


def test_error_of_the_answer_is_the_commands_own() -> None:
    """The bar hides nothing."""

    def refuse(_: str) -> dict[str, Any]:
        raise InputError("no dollar_burn rule")

    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(InputError, match="no dollar_burn rule"):
        with_bar(Service(), "replaying", refuse, as_json=False, console=console)


def test_pipe_is_shown_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of a log stay lines."""
    service = Service()
    assert with_bar(service, "replaying", service.answer, as_json=False) == {"ticket": ""}
    assert capsys.readouterr().err == ""
