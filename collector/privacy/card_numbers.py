"""Pure: where card numbers stand in a text.

A number in groups, as people and forms write a card, is judged by its look: a known network's
prefix, its length, Luhn's check. Of ids of 16 digits in one run, one in forty has that look too,
so a run is judged by where it stands as well: in prose it is a card; where it is the value of a
name, `order_id=...`, `/orders/...` or a whole attribute, only a name of cards or of prose makes it
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from collector.privacy.pattern_bytes import is_card

# Not inside a word: of ten thousand hexadecimal ids one has digits that pass for a card. Neither
# behind nor before a decimal point, nor before a unit. Of groups of six, seven and more only China
# UnionPay's 6-13 is a card; a size with an instant in ms behind it looks the same.
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9]\.)(?="
    r"([0-9]{4}([ .-])[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{3})?(?![0-9A-Za-z])"
    r"|[0-9]{4}([ -])[0-9]{6}\3[0-9]{4,5}(?![0-9A-Za-z])"
    r"|62[0-9]{4}([ -])[0-9]{13}(?![0-9A-Za-z])"
    r"|[0-9]{13,19}(?![0-9A-Za-z])(?!\.[0-9])(?!\s?(?:[nuµm]?s|[kMGT]?i?B)\b)))"
)
_GROUPED: Final = (2, 3, 4)  # the groups of the expression that are a separator
# What a run is the value of: card=, "card": ", /cards/, card_, card:, card = '.
_NAME_CHARS_MAX: Final = 64
_NAME: Final = re.compile(
    r"((?:[A-Za-z]+ )?[A-Za-z0-9][\w.-]*?)"
    r"(?:[\"'\]]?\s?=\s?\[?[\"']?|[\"']\s?:\s?\[?[\"']?|[:/#_@-]+)\Z"
)
_JOINED_BEHIND: Final = re.compile(r"[/_@#=:-]\w")
_JOINED_BEFORE: Final = frozenset("/_@#=:-+")
_BLANK: Final = re.compile(r"\s")
_WORDS: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")
# Names of cards, in the languages that services are written in, and names of what people write.
_TELLS: Final = re.compile(
    r"(?:credit|debit|bank|payment)?cards?(?:holder)?(?:no|nr|num|number|pan)?|pan|pans"
    r"|ccs?|cc(?:n|no|nr|num|number)|visa|mastercard|amex|maestro|unionpay|diners"
    r"|(?:kredit)?karten?(?:nummer|nr)?|carte|carta|tarjeta|kaart(?:nummer)?|kort(?:nummer)?"
    r"|message|msg|notes?|comments?|text|description|body|content|input|prompt|remarks?|feedback"
    r"|stacktrace"
)


def card_spans(text: str, name: str = "") -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand.

    Args:
        text: the value of an attribute, or another text.
        name: of the attribute, "" for a text that has none, which is prose.
    """
    end = 0
    for match in _CARD.finditer(text):
        start, stop = match.span(1)
        if (
            start >= end
            and is_card(match[1].encode().translate(None, b" .-"))
            and (any(match[group] for group in _GROUPED) or _is_for_card(text, start, stop, name))
        ):
            yield start, stop
            end = stop


def _is_for_card(text: str, start: int, stop: int, name: str) -> bool:
    """Return whether a run of digits stands where a card may: in prose, or under such a name."""
    named = _NAME.search(text, max(0, start - _NAME_CHARS_MAX), start)
    if named is not None:
        return _tells_card(named[1])
    if text[start - 1 : start] in _JOINED_BEFORE or _JOINED_BEHIND.match(text, stop):
        return False
    return _BLANK.search(text.strip()) is not None or not name or _tells_card(name)


@lru_cache(4096)
def _tells_card(name: str) -> bool:
    """Return whether a name is one of cards, or of what people write."""
    return any(_TELLS.fullmatch(word.lower()) for word in _WORDS.split(name))
