"""YAML from anywhere: what is refused, with which line, and that nothing else is raised."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rules.imports.documents import BYTES_MAX, line_of, prometheus_ns, read_documents
from collector.core.errors import InputError
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from tests.support.examples import examples

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [1", "f.yaml:2: did not find expected", id="not YAML"),
        pytest.param("a: 1\nb: 2\na: 3", "f.yaml:3: key 'a' is there twice", id="twice"),
        pytest.param(BOMB, "f.yaml:6: holds more than 200,000 values", id="bomb"),
        pytest.param("[" * 60, "f.yaml:1: is nested more than 50 deep", id="deep"),
        pytest.param("a: &a\n  - *a", "f.yaml:2: \\*a contains itself", id="loop"),
        pytest.param("a: *b", "f.yaml:1: found undefined alias", id="no anchor"),
        pytest.param("!!python/object/apply:os.system [ls]", "could not determine", id="object"),
        pytest.param("a: 2026-99-99", "correct the YAML", id="date"),
        pytest.param("\x00", "correct the YAML", id="control"),
        pytest.param("? [a]\n: 1", "f.yaml:1: a key is not plain text", id="key"),
        pytest.param("a" * (BYTES_MAX + 1), "has 1,048,577 bytes; split it", id="large"),
    ],
)
def test_what_is_not_a_file_of_rules_is_refused_by_line(text: str, message: str) -> None:
    """Before anything is built of it: a bomb of a kilobyte would be gigabytes."""
    with pytest.raises(InputError, match=message):
        read_documents("f.yaml", text)


def test_documents_merge_and_know_their_lines() -> None:
    """Keys that are merged in are no second keys."""
    text = "base: &b {x: 1}\nrules:\n  - <<: *b\n    y: é\n---\n---\n- 2\n"
    first, second = read_documents("f.yaml", text)
    assert first["rules"] == [{"x": 1, "y": "é"}]
    assert second == [2]
    assert line_of(first, ("rules", 0, "y")) == 3
    assert line_of(first, ("rules", 7)) == 1


@settings(max_examples=examples(200))
@given(st.text(max_size=80) | st.text("{}[]:-&*!<>|\"'\n ab#%?,", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but an InputError comes out of the parser."""
    try:
        read_documents("f.yaml", text)
    except InputError as error:
        assert str(error).startswith("f.yaml:")  # noqa: PT017  either outcome is right


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1h30m", 90 * NS_PER_MINUTE), ("30s", 30 * NS_PER_S), ("0", 0), (0, 0), ("1ms", 1_000_000)],
)
def test_lengths_are_those_of_prometheus(text: object, ns: int) -> None:
    """With their units, largest first."""
    assert prometheus_ns(text) == ns


@pytest.mark.parametrize("text", ["5", "", "x", "9999999y", "2y", None, ["5m"], "1m" * 40, "-5m"])
def test_what_is_not_a_length_is_refused(text: object) -> None:
    """A number without a unit would be a guess."""
    with pytest.raises(ValueError, match=r"length of time|longer than a year"):
        prometheus_ns(text)
