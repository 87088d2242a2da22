"""Pure: whether a text or a number may be a card, compiled by numba for `kernel`.

A wrong yes costs time, a wrong no would store the card.
"""

from __future__ import annotations

from typing import Any, Final

import numba

from collector.receive.fastpath.tables import Bytes

CARD_DIGITS_MIN: Final = 13

# Called, not decorated: numba ships no types, and a decorator would take ours away. Inlined, and
# without counts of references (`_nrt`), which cost more than the work: nothing in here may make an
# array.
compiled: Any = numba.njit(cache=True, nogil=True, _nrt=False, forceinline=True)


def _is_word_plain(byte: int) -> bool:
    """Return whether a byte is a digit or a letter of ASCII."""
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A


_is_word = compiled(_is_word_plain)


def _may_hold_card_plain(body: Bytes, at: int, end: int) -> bool:
    """Return whether a card number may be in a text; false only where none is.

    Source: `identifiers_cards._CARD`. A run of digits, spaces, hyphens, and dots behind four digits
    that has as many digits, and that begins as a network's do and stands in no word unless it is in
    groups.
    """
    digits, group, first, is_grouped, before = 0, 0, 0, False, 0
    for each in range(at, end + 1):
        byte = body[each] if each < end else 0
        if 0x30 <= byte <= 0x39:
            first = byte if digits == 0 else first
            digits += 1
            group += 1
        elif digits > 0 and (byte == 0x20 or byte == 0x2D or (byte == 0x2E and group == 4)):
            is_grouped, group = True, 0
        else:
            is_alone = 0x32 <= first <= 0x36 and not (_is_word(before) or _is_word(byte))
            if digits >= CARD_DIGITS_MIN and (is_grouped or is_alone):
                return True
            digits, group, is_grouped, before = 0, 0, False, byte
    return False


may_hold_card: Any = compiled(_may_hold_card_plain)
