"""Pure: whether a text or a number may be a card, compiled by numba for `collector.plain_kernel`.

A wrong yes costs time, a wrong no would store the card.
"""

from __future__ import annotations

from typing import Any, Final

import numba

from collector.plain_schema import Bytes

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

    Source: `identifiers_text._CARD`. A run of digits, spaces and hyphens that has as many digits,
    and that begins as a network's do and stands in no word unless it is in groups.
    """
    digits, first, is_grouped, before = 0, 0, False, 0
    for each in range(at, end + 1):
        byte = body[each] if each < end else 0
        if 0x30 <= byte <= 0x39:
            first = byte if digits == 0 else first
            digits += 1
        elif digits > 0 and (byte == 0x20 or byte == 0x2D):
            is_grouped = True
        else:
            is_alone = 0x32 <= first <= 0x36 and not (_is_word(before) or _is_word(byte))
            if digits >= CARD_DIGITS_MIN and (is_grouped or is_alone):
                return True
            digits, is_grouped, before = 0, False, byte
    return False


may_hold_card: Any = compiled(_may_hold_card_plain)


def _whole_plain(bits: int) -> int:
    """Return the whole number that a double is, 0 for one that has not as many digits as a card."""
    power = ((bits >> 52) & 0x7FF) - 1075  # of two, of the last bit of its fraction
    if bits < 0 or power < -13 or power > 1:
        return 0
    fraction = (bits & 0xFFFFFFFFFFFFF) | (1 << 52)
    if power > 0:
        return fraction << power
    whole = fraction >> -power
    return whole if whole << -power == fraction else 0


whole: Any = compiled(_whole_plain)


def _may_be_card_plain(number: int) -> bool:
    """Return whether a number may be a card's; false only where it is none.

    Source: `identifiers_bytes.is_card_number`, with the first digit alone for the network.
    """
    is_short = 1_000_000_000_000 <= number < 10_000_000_000_000_000
    if not is_short and not 6_200_000_000_000_000_000 <= number < 6_300_000_000_000_000_000:
        return False
    total, digit, is_doubled = 0, 0, False
    while number > 0:
        digit = number % 10
        number //= 10
        share = 2 * digit if is_doubled else digit
        total += share - 9 if share > 9 else share
        is_doubled = not is_doubled
    return total % 10 == 0 and 2 <= digit <= 6


may_be_card: Any = compiled(_may_be_card_plain)
