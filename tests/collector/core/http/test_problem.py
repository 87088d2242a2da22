"""Errors over HTTP are problem details, whatever stands in the path or the text."""

from __future__ import annotations

import json
from http import HTTPStatus

from hypothesis import given
from hypothesis import strategies as st

from collector.core.http.problem import MEDIA_TYPE, problem


@given(st.text(), st.text(min_size=1), st.sampled_from([400, 401, 404, 429, 503]))
def test_any_text_and_path_are_a_problem(detail: str, path: str, status: int) -> None:
    """A lone surrogate in a path shall not turn an answer of 404 into one of 500."""
    printable = path.encode("utf-8", "replace").decode()
    kind, body = problem(status, detail, f"/{printable}")
    said = json.loads(body)
    assert kind == MEDIA_TYPE
    assert said["status"] == status
    assert (said["type"], said["title"]) == ("about:blank", HTTPStatus(status).phrase)
    assert said["detail"] == detail.encode("utf-8", "replace").decode()
    assert said["instance"].isascii()
    assert not {*said["instance"]} & {*' "<>'}


def test_error_without_a_path_has_no_instance() -> None:
    """A connection that is refused before its head has come asks for nothing yet."""
    assert "instance" not in json.loads(problem(503, "try again")[1])


def test_sender_of_alerts_is_answered_as_alertmanager_does() -> None:
    """Its API v2 prescribes a text of JSON, which its clients write into their log."""
    assert problem(400, "no labels", "/api/v2/alerts") == ("application/json", b'"no labels"')
