"""The bench of identifiers: what it draws is what it says, and the rules pass on little of it."""

from __future__ import annotations

from random import Random

import pytest

from collector.bench.identifiers import (
    MISSED,
    OTHERS,
    PERSONAL,
    UNTOLD,
    Kind,
    card,
    changed,
    grouped_card,
)
from collector.privacy.pattern_bytes import is_card
from tests.support.collector.redact import SHIPPED


def test_cards_of_the_bench_are_cards() -> None:
    """Otherwise nothing would be shown by what is found of them."""
    source = Random(1)
    for _ in range(2_000):
        assert is_card(card(source).encode())
        assert is_card(grouped_card(source).encode().translate(None, b" .-"))


@pytest.mark.parametrize(("name", "kind"), OTHERS.items())
def test_what_is_nobodys_stays(name: str, kind: Kind) -> None:
    """`millworth bench identifiers` draws 60,000 of each a run."""
    assert changed(SHIPPED, kind, 11, 5_000) == 0, name


@pytest.mark.parametrize(("name", "kind"), PERSONAL.items())
def test_what_is_somebodys_goes(name: str, kind: Kind) -> None:
    """Every spelling that a person or a form gives it."""
    assert changed(SHIPPED, kind, 11, 2_000) == 2_000, name


def test_what_cannot_be_told_apart_is_as_the_page_says() -> None:
    """Of 16 digits in prose three in a hundred pass for a card; a card as an id stays."""
    for kind in UNTOLD.values():
        assert 20 < changed(SHIPPED, kind, 11, 1_000) < 45
    for kind in MISSED.values():
        assert changed(SHIPPED, kind, 11, 1_000) == 0
