"""What a person is told of a value that a model refuses."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from collector.core.config import Section
from collector.core.errors import complaint, first_line


class _Entry(Section):
    """A section with one key."""

    name: str


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Annotated[str, Field(min_length=1)], "", "should have at least 1 character, and is empty"),
        (Annotated[str, Field(max_length=3)], "four", "should have at most 3 characters"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "should have at most 1 item, not 2"),
        (Annotated[float, Field(gt=0)], -1, "should be greater than 0"),
        (int, "many", "should be an integer"),
        (int, 1.5, "should be an integer, got a number with a fractional part"),
        (float, "x", "should be a number"),
        (bool, "perhaps", "should be true or false"),
        (str, 7, "should be a text"),
        (_Entry, {}, "is missing"),
        (_Entry, {"name": "a", "nmae": "b"}, "is not known here; remove it"),
    ],
)
def test_validator_is_heard_in_plain_words(kind: type[object], value: object, said: str) -> None:
    """`Input should be a valid integer, unable to parse string as an integer` helps nobody."""
    with pytest.raises(ValidationError) as error:
        TypeAdapter(kind).validate_python(value)
    assert complaint(error.value.errors()[0]) == said


def test_why_a_server_does_not_answer_is_in_the_line() -> None:
    """It comes after 400 characters of the settings that go with each request."""
    address = "/?date_time_input_format=best_effort&" + "max_memory_usage=1073741824&" * 20
    error = OSError(
        f"Error HTTPConnectionPool(host='127.0.0.1', port=8123): Max retries exceeded with url: "
        f"{address} (Caused by NewConnectionError(Connection refused)) executing HTTP request\n..."
    )
    assert first_line(error) == (
        "Error HTTPConnectionPool(host='127.0.0.1', port=8123): Max retries exceeded (Caused by "
        "NewConnectionError(Connection refused)) executing HTTP request"
    )
    assert first_line(error, 5) == "Error"
