from __future__ import annotations

import io
import threading
from typing import Any

import pytest
import rich.console

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


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize("as_json", [False, True])
def test_terminal_is_shown_how_many_rules_are_done(
    monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """On standard error, and never to machines."""
    terminal, service = Terminal(), Service()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    answer = with_bar(service, "replaying", service.answer, as_json=as_json)
    if as_json:
        assert (answer, terminal.getvalue(), service.tickets) == ({"ticket": ""}, "", [])
        return
    assert set(service.tickets) == {answer["ticket"]}
    assert "replaying" in terminal.getvalue()
    assert "1/3" in terminal.getvalue()


def test_error_of_the_answer_is_the_commands_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar hides nothing."""
    monkeypatch.setattr("sys.stderr", Terminal())

    def refuse(_: str) -> dict[str, Any]:
        raise InputError("no dollar_burn rule")

    with pytest.raises(InputError, match="no dollar_burn rule"):
        with_bar(Service(), "replaying", refuse, as_json=False)
    assert rich.console.Console(stderr=True).is_terminal


def test_pipe_is_shown_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of a log stay lines."""
    service = Service()
    assert with_bar(service, "replaying", service.answer, as_json=False) == {"ticket": ""}
    assert capsys.readouterr().err == ""
