"""Pure: values that are personal wherever they stand: e-mail addresses, cards, secrets in URLs.

The bytes of a request are searched first, by tests that find more than there is, since nearly no
request holds any; only then is it worth to look at its texts one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

REDACTED: Final = "REDACTED"  # as the semantic conventions write it in url.full and url.query
_NO_ADDRESS: Final = f"{REDACTED}@"

# A local part has 64 characters at most; without the bound a long word would cost its square.
_LOCAL: Final = r"[\w.%+'-]{0,63}[A-Za-z0-9_%+'-]"
_DOMAIN: Final = r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
_EMAIL: Final = re.compile(f"{_LOCAL}@{_DOMAIN}")
_ENCODED_EMAIL: Final = re.compile(f"{_LOCAL}%40{_DOMAIN}")
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#@]{0,511}[!-~]@(?=[A-Za-z0-9-]{1,63}[.:/])")
_SECRET_NAMES: Final = (
    "token", "access_token", "refresh_token", "id_token", "auth_token", "api_key", "apikey",
    "api-key", "key", "password", "passwd", "pwd", "secret", "client_secret", "session",
    "sessionid", "sid", "jwt", "sig", "signature", "awsaccesskeyid", "x-goog-signature",
    "x-amz-signature", "x-amz-credential", "x-amz-security-token",
)  # fmt: skip
_QUERY: Final = re.compile(r"(?<=[!-~])\?[!-~]{1,2000}")
_SECRET: Final = re.compile(
    rf"((?:^|(?<=[?&]))(?i:{'|'.join(map(re.escape, _SECRET_NAMES))})=)([^&#\s]+)"
)
_DIGIT_RUN: Final = re.compile(r"[0-9](?:[ -]?[0-9]){12,}")
_GROUP: Final = re.compile("[0-9]+")

# A look at a text that has nothing, which is nearly every one.
_ANY: Final = re.compile(r"[@?]|[0-9][0-9 -]{11}")

# In bytes, ASCII on both sides of a sign, or every other request would be looked at because of its
# random ids. Each begins with a literal, which is found at the speed of memchr.
_HOST_BYTES: Final = re.compile(rb"@(?<=[!-~]@)[A-Za-z0-9-]{1,63}[.:/]")
_ADDRESS_BYTES: Final = re.compile(rb"@(?<=[A-Za-z0-9_%+'-]@)[A-Za-z0-9-]{1,63}\.[A-Za-z0-9]")
_NAMES_BYTES: Final = b"|".join(re.escape(name.encode()) for name in _SECRET_NAMES)
_QUERY_BYTES: Final = re.compile(
    rb"\?(?<=[!-~]\?)[!-~]{0,2000}?(?:(?<=[?&])(?i:%s)=|%%40)" % _NAMES_BYTES
)
# An attribute's key, then the tags and lengths of its value and of the text in it.
_URL_QUERY_BYTES: Final = re.compile(
    rb"url\.query\x12[\x00-\xff]{1,3}\n[\x00-\xff]{1,3}(?:(?:[!-~]{0,2000}?&)?(?i:%s)=|[!-~]{0,2000}?%%40)"
    % _NAMES_BYTES
)
_DIGITISH: Final = bytes(1 if chr(code) in "0123456789 -" else 0 for code in range(256))
_RUN_MIN: Final = b"\x01" * 13
_FIRST_DIGITS: Final = b"23456"  # of every card network
# A string's length may stand before it and be a digit; tags of up to two bytes may follow it.
_EDGES: Final = tuple((lead, trail) for lead in (0, 1) for trail in (0, 1, 2))

Replace = Callable[[str], str]


class Patterns:
    """The patterns that are looked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._plain: set[str] = set()

    def may_be_in(self, body: bytes) -> bool:
        """Return whether a request may hold any; false only where it holds none."""
        return (
            self._may_hold_sign(body)
            or ("url" in self._names and _may_hold_query(body))
            or ("card" in self._names and may_hold_card(body))
        )

    def replace(self, text: str, token: Replace, *, is_query: bool = False) -> str:
        """Return a text with every find replaced.

        Args:
            text: the value of an attribute, or another text of a message.
            token: makes the token of what was found.
            is_query: the text is a URL's query alone.
        """
        if not is_query and _ANY.search(text) is None:
            return text
        if "url" in self._names:
            if "://" in text:
                text = _USERINFO.sub(f"{REDACTED}:{REDACTED}@", text)
            if is_query:
                text = _without_secrets(text, token)
            elif "?" in text:
                text = _QUERY.sub(lambda found: _without_secrets(found[0], token), text)
        if "email" in self._names and "@" in text:
            text = _EMAIL.sub(
                lambda found: found[0] if found[0].startswith(_NO_ADDRESS) else token(found[0]),
                text,
            )
        if "card" in self._names:
            for start, end in reversed(list(card_spans(text))):
                text = f"{text[:start]}{token(text[start:end])}{text[end:]}"
        return text

    def replace_name(self, name: str, token: Replace) -> str:
        """Return the name of an attribute with every find replaced; most are known to have none."""
        if name in self._plain:
            return name
        replaced = self.replace(name, token)
        if replaced == name and len(self._plain) < _PLAIN_MAX:
            self._plain.add(name)
        return replaced

    def _may_hold_sign(self, body: bytes) -> bool:
        for found in _HOST_BYTES.finditer(body):
            at = found.start()
            if "email" in self._names and _ADDRESS_BYTES.match(body, at):
                return True
            if (
                "url" in self._names
                and body.rfind(b"://", max(0, at - _USERINFO_BYTES_MAX), at) >= 0
            ):
                return True
        return False


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand: digits that may be in groups, of a known network, by Luhn."""
    for run in _DIGIT_RUN.finditer(text):
        groups = [(run.start() + g.start(), run.start() + g.end()) for g in _GROUP.finditer(run[0])]
        first = 0
        while first < len(groups):
            last = _card_end(text, groups, first)
            if last is not None:
                yield groups[first][0], groups[last][1]
                first = last
            first += 1


def may_hold_card(body: bytes) -> bool:
    """Return whether any string in a message may hold a card number."""
    marks = body.translate(_DIGITISH)
    at = marks.find(_RUN_MIN)
    while at >= 0:
        end = marks.find(b"\x00", at)
        run = body[at : end if end >= 0 else len(body)]
        # Most runs are the decimal stamps of decisions, which begin as no card does.
        begins = run[0] in _FIRST_DIGITS or run[1] in _FIRST_DIGITS or not run.isdigit()
        if begins and len(run) > _RUN_BYTES_MAX:
            return True
        if begins and any(_holds_card(run[lead : len(run) - trail]) for lead, trail in _EDGES):
            return True
        at = marks.find(_RUN_MIN, end) if end >= 0 else -1
    return False


def is_card(digits: str) -> bool:
    """Return whether digits are a card number of a known network: its prefix, length and Luhn."""
    if _NETWORK.match(digits) is None:
        return False
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(d)] for d in digits[-2::-2])
    return total % 10 == 0


def _without_secrets(query: str, token: Replace) -> str:
    query = _SECRET.sub(rf"\g<1>{REDACTED}", query)
    return _ENCODED_EMAIL.sub(lambda found: token(found[0].replace("%40", "@")), query)


def _may_hold_query(body: bytes) -> bool:
    return _QUERY_BYTES.search(body) is not None or _URL_QUERY_BYTES.search(body) is not None


_PLAIN_MAX: Final = 16_384  # names that senders make up must not fill the memory
_USERINFO_BYTES_MAX: Final = 4 * 512 + 3
_RUN_BYTES_MAX: Final = 256  # what is longer is looked at as text
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
# Source: ISO/IEC 7812 prefixes as the networks publish them.
_NETWORK: Final = re.compile(
    r"(?:4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|5[1-5][0-9]{14}"
    r"|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|(?:30[0-5]|3[689][0-9])[0-9]{11}(?:[0-9]{2,5})?"
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|35(?:2[89]|[3-8][0-9]))[0-9]{12,15}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15})\Z"
)


def _holds_card(run: bytes) -> bool:
    return next(card_spans(run.decode("ascii")), None) is not None


def _card_end(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Return the last group of the longest card number that begins with group `first`."""
    found = None
    digits = ""
    for last in range(first, len(groups)):
        start, end = groups[last]
        digits += text[start:end]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and is_card(digits):
            found = last
    return found
