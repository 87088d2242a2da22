"""Pure: values that are personal wherever they stand: addresses, cards, telephones, secrets.

The bytes of a request are asked first (`collector.privacy.pattern_bytes`), since nearly no request
holds any; only then is it worth to look at its texts one by one.

A sender chooses the texts, so no expression here may take more than its length times a constant:
what repeats is bounded, and what was looked at is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from collector.privacy.card_numbers import card_spans
from collector.privacy.pattern_bytes import (
    SECRET_NAMES,
    may_hold_bearer,
    may_hold_card,
    may_hold_encoded_sign,
    may_hold_phone,
    may_hold_query,
    may_hold_sign,
)

REDACTED: Final = "REDACTED"  # as the semantic conventions write it in url.full and url.query

_LOCAL_CHARS_MAX: Final = 64  # RFC 5321
# Read backwards from the sign: forwards, each character of a long word would begin a search.
_LOCAL_REVERSED: Final = re.compile(r"[\w%+'-][\w.%+'-]{0,63}")
# Of any script: a domain may be written as its owner does (IDN).
_DOMAIN: Final = r"(?:(?:[^\W_]|-){1,63}\.){1,8}[^\W\d_]{2,24}"
# As files of images are named for screens of more pixels: logo@2x.png.
_DENSITY: Final = re.compile(r"(?:@|%40)[1-9]x\.")
_SIGN: Final = re.compile(f"@{_DOMAIN}")
_ENCODED_SIGN: Final = re.compile(f"%40{_DOMAIN}")
# To the last sign before the host: a password may have one.
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#]{1,512}(?<=[!-~])@(?=(?:[^\W_]|-){1,63}[.:/])")
_QUERY: Final = re.compile(r"(?<=[!-~])[?#][!-~]+")
_SECRET: Final = re.compile(
    rf"((?:^|(?<=[?&#;]))(?i:{'|'.join(map(re.escape, SECRET_NAMES))})=)([^&#\s]+)"
)
_DIGITS: Final = re.compile(r"[0-9][0-9 .-]{11}")
# In the international form (E.164), where it cannot be another number: 10 to 15 digits behind the
# sign, and no unit after them.
_PHONE: Final = re.compile(
    r"(?<![\w+.])\+(?:[1-9][0-9]{10,14}"
    r"|[1-9][0-9]{0,3}(?: ?\(0\) ?[0-9]{1,4})?"
    r"(?:(?:[ \-/(]{1,2}[0-9]{2,8}\)?){2,6}|(?:\.[0-9]{2,4}){3,6}))"
    r"(?![0-9A-Za-z])(?!\.[0-9]|\s?%|\s?(?:[nuµm]?s|[kMGT]?i?B|USD|EUR)\b)"
)
# As a header is logged, and what looks like a JWT by itself. A word behind "bearer" has no digit.
_AUTHORIZATION: Final = re.compile(
    r"(\b[Aa]uthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:[A-Za-z]{3,16} )?)([^\s\"',;]{8,4096})"
)
_BEARER: Final = re.compile(r"(\b[Bb]earer {1,4})(?=[^\s]{0,64}[0-9])([A-Za-z0-9._~+/=-]{12,4096})")
_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}"
)
# A look at a text that has nothing, which is nearly every one; a part of a URL alone needs more.
has_any: Final = re.compile(r"[@?#]|%40|[0-9][0-9 .-]{11}|\+[1-9]|eyJ|earer |uthorization").search
_SEPARATORS: Final = re.compile(r"[ ().\-/]")
URL_PARTS: Final = ("url.query", "url.fragment")
_PLAIN_MAX: Final = 16_384  # names that senders make up must not fill the memory

Replace = Callable[[str], str]


class Patterns:
    """The patterns that are looked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._plain: set[str] = set()

    def may_be_in(self, body: bytes) -> bool:
        """Return whether a request may hold any; false only where it holds none."""
        has_email, has_url = "email" in self._names, "url" in self._names
        return (
            may_hold_sign(body, email=has_email, url=has_url)
            or (has_email and may_hold_encoded_sign(body))
            or (has_url and may_hold_query(body))
            or ("card" in self._names and may_hold_card(body))
            or ("phone" in self._names and may_hold_phone(body))
            or ("bearer" in self._names and may_hold_bearer(body))
        )

    def replace(self, text: str, token: Replace, name: str = "", *, is_query: bool = False) -> str:
        """Return a text with every find replaced.

        Args:
            text: the value of an attribute, or another text of a message.
            token: makes the token of what was found.
            name: of the attribute, "" for a text that has none, in which more is a card.
            is_query: the text is a URL's query or fragment alone.
        """
        if not is_query and has_any(text) is None:
            return text
        if "url" in self._names:
            if "://" in text:
                text = _USERINFO.sub(f"{REDACTED}:{REDACTED}@", text)
            if is_query:
                text = _without_secrets(text)
            elif "?" in text or "#" in text:
                text = _QUERY.sub(lambda hit: _without_secrets(hit[0]), text)
        if "email" in self._names:
            if "@" in text:
                text = _without_addresses(text, _SIGN, token)
            if "%40" in text:
                text = _without_addresses(
                    text, _ENCODED_SIGN, lambda hit: token(hit.replace("%40", "@"))
                )
        if "bearer" in self._names:
            text = _AUTHORIZATION.sub(rf"\g<1>{REDACTED}", text)
            text = _JWT.sub(REDACTED, _BEARER.sub(rf"\g<1>{REDACTED}", text))
        if "phone" in self._names and "+" in text:
            text = _PHONE.sub(lambda hit: _without_phone(hit[0], token), text)
        if "card" in self._names and _DIGITS.search(text) is not None:
            text = _without(text, card_spans(text, name), token)
        return text

    def replace_name(self, name: str, token: Replace) -> str:
        """Return the name of an attribute with every find replaced; most are known to have none."""
        if name in self._plain:
            return name
        replaced = self.replace(name, token)
        if replaced == name and len(self._plain) < _PLAIN_MAX:
            self._plain.add(name)
        return replaced


def _without_phone(number: str, token: Replace) -> str:
    digits = _SEPARATORS.sub("", number.replace("(0)", ""))
    return token(digits) if len("+1234567890") <= len(digits) <= len("+123456789012345") else number


def _without_secrets(query: str) -> str:
    return _SECRET.sub(rf"\g<1>{REDACTED}", query)


def _without_addresses(text: str, sign: re.Pattern[str], token: Replace) -> str:
    return _without(text, _address_spans(text, sign), token)


def _address_spans(text: str, sign: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    end = 0
    for match in sign.finditer(text):
        before = text[max(end, match.start() - _LOCAL_CHARS_MAX) : match.start()]
        local = _LOCAL_REVERSED.match(before[::-1])
        if (
            _DENSITY.match(text, match.start()) is None
            and local is not None
            and local[0] != REDACTED[::-1]
        ):
            yield match.start() - len(local[0]), match.end()
            end = match.end()


def _without(text: str, spans: Iterable[tuple[int, int]], token: Replace) -> str:
    parts: list[str] = []
    offset = 0
    for start, end in spans:
        parts += (text[offset:start], token(text[start:end]))
        offset = end
    return "".join((*parts, text[offset:])) if parts else text
