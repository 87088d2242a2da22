"""Pure: whether the bytes of a request may hold what a pattern finds in its texts.

Each test finds more than there is and never less: it knows nothing of where a text begins or ends.
It runs over every request, so each begins with a literal, which is found at the speed of memchr;
and it runs over what anybody may send, so what was looked at is not looked at again, and who makes
it look too often has his request walked.
"""

from __future__ import annotations

import re
from typing import Final

SECRET_NAMES: Final = (
    "token", "access_token", "refresh_token", "id_token", "auth_token", "api_key", "apikey",
    "api-key", "key", "password", "passwd", "pwd", "secret", "client_secret", "session",
    "sessionid", "sid", "jwt", "sig", "signature", "awsaccesskeyid", "x-goog-signature",
    "x-amz-signature", "x-amz-credential", "x-amz-security-token",
)  # fmt: skip
_NAMES: Final = b"|".join(re.escape(name.encode()) for name in SECRET_NAMES)

# ASCII behind a sign, or every other request would be walked because of its random ids; before it
# may stand a letter of another script.
_HOST: Final = re.compile(rb"@(?<=[!-~\x80-\xff]@)[A-Za-z0-9-]{1,63}[.:/]")
_ADDRESS: Final = re.compile(rb"@(?<=[A-Za-z0-9_%+'\x80-\xff-]@)[A-Za-z0-9-]{1,63}\.[A-Za-z0-9]")
# Letters beyond ASCII in a domain (IDN): two bytes and more each.
_IDN: Final = re.compile(
    rb"@(?<=[A-Za-z0-9_%+'\x80-\xff-]@)[A-Za-z0-9-]{0,62}[\xc2-\xf4][\x80-\xbf]"
    rb"[A-Za-z0-9\x80-\xf4-]{0,200}\.[A-Za-z0-9\xc2-\xf4]"
)
_PHONE: Final = re.compile(rb"\+[1-9][0-9 ().\-/]{9}")
_BEARERS: Final = (b"earer ", b"uthorization", b"eyJ")
_ENCODED: Final = re.compile(
    rb"%40(?<=[A-Za-z0-9_%+'\x80-\xff-]%40)[A-Za-z0-9-]{1,63}\.[A-Za-z0-9]"
)
_USERINFO_BYTES_MAX: Final = 4 * 512 + 3
_QUERY: Final = re.compile(rb"\?(?<=[!-~]\?)[!-~]+")
_FRAGMENT: Final = re.compile(rb"#(?<=[!-~]#)[!-~]+")
# An attribute's key, then the tags and lengths of its value and of the text in it, or the tag of a
# list, which has to be walked.
_URL_PART: Final = re.compile(
    rb"url\.(?:query|fragment)\x12"
    rb"(?:[\x00-\xff]{1,3}(\*)|[\x00-\xff]{1,3}\n[\x00-\xff]{1,3}[!-~]*)"
)
_SECRET: Final = re.compile(rb"(?i:%s)=" % _NAMES)
# What may not stand between a URL's scheme and the sign behind its user.
_BREAK: Final = re.compile(rb"[\t-\r\x1c-\x20/?#]")
_SIGNS_MAX: Final = 50_000  # in one request, a microsecond each
_CARDS_MAX: Final = 20_000  # likewise, up to a hundred where somebody means harm

_DIGITISH: Final = bytes(1 if chr(code) in "0123456789 -." else 0 for code in range(256))
_DIGITS_MIN: Final = 13
_RUN_MIN: Final = b"\x01" * _DIGITS_MIN
_RUN_BYTES_MAX: Final = 48  # a card in groups has 23; what is longer is looked at as text
# What a card begins with, in one or in groups: at the start, behind a separator, or behind a
# string's length, which may be a digit.
_NO_START: Final = b"01789"
_START: Final = re.compile(rb"(?:^|(?<=^.)|(?<=[ .-]))[2-6]")


def may_hold_sign(body: bytes, *, email: bool, url: bool) -> bool:
    """Return whether an e-mail address, or a user before a URL's host, may be in there."""
    if not (email or url):
        return False
    for count, match in enumerate(_HOST.finditer(body)):
        offset = match.start()
        if email and _ADDRESS.match(body, offset):
            return True
        if count >= _SIGNS_MAX or (url and _is_behind_user(body, offset)):
            return True
    return _IDN.search(body) is not None


def may_hold_phone(body: bytes) -> bool:
    """Return whether a telephone number in its international form may be in there."""
    return _PHONE.search(body) is not None


def may_hold_bearer(body: bytes) -> bool:
    """Return whether a token that authenticates may be in there, as headers write it."""
    return any(sign in body for sign in _BEARERS)


def may_hold_query(body: bytes) -> bool:
    """Return whether a URL's query or fragment with a secret may be in there."""
    return any(
        match.lastindex is not None or _SECRET.search(match[0]) is not None
        for pattern in (_QUERY, _FRAGMENT, _URL_PART)
        for match in pattern.finditer(body)
    )


def may_hold_encoded_sign(body: bytes) -> bool:
    """Return whether an e-mail address as a URL writes it may be in there."""
    return _ENCODED.search(body) is not None


def may_hold_card(body: bytes) -> bool:
    """Return whether a card number may be in there: its digits, from where one may begin."""
    marks = body.translate(_DIGITISH)
    offset, count = marks.find(_RUN_MIN), 0
    while offset >= 0:
        end = marks.find(b"\x00", offset)
        run = body[offset : end if end >= 0 else len(body)]
        # Most runs are the decimal stamps of decisions, which begin as no card does.
        is_stamp = run[0] in _NO_START and run[1] in _NO_START and run.isdigit()
        if not is_stamp and len(run.translate(None, b" -.")) >= _DIGITS_MIN:
            count += 1
            if count >= _CARDS_MAX or len(run) > _RUN_BYTES_MAX or _holds_card(run):
                return True
        offset = marks.find(_RUN_MIN, end) if end >= 0 else -1
    return False


def is_card(digits: bytes) -> bool:
    """Return whether digits are a card number of a known network: its prefix, length and Luhn."""
    if _NETWORK.match(digits) is None:
        return False
    plain, doubled = digits[-1::-2], digits[-2::-2]
    return (sum(plain) - 48 * len(plain) + sum(doubled.translate(_DOUBLED))) % 10 == 0


# Of a digit's value doubled the sum of its digits.
_DOUBLED: Final = bytes(
    (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[code - 48] if 48 <= code < 58 else 0 for code in range(256)
)
# Source: ISO/IEC 7812 prefixes as the networks publish them.
_NETWORK: Final = re.compile(
    rb"(?:4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    rb"|5[1-5][0-9]{14}"
    rb"|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    rb"|3[47][0-9]{13}"
    rb"|(?:30[0-5]|3[689][0-9])[0-9]{11}(?:[0-9]{2,5})?"
    rb"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|35(?:2[89]|[3-8][0-9]))[0-9]{12,15}"
    rb"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15})\Z"
)


def _is_behind_user(body: bytes, offset: int) -> bool:
    scheme = body.rfind(b"://", max(0, offset - _USERINFO_BYTES_MAX), offset)
    return scheme >= 0 and _BREAK.search(body, scheme + 3, offset) is None


def _holds_card(run: bytes) -> bool:
    for start in _START.finditer(run):
        digits = run[start.end() - 1 :].translate(None, b" -.")
        if any(is_card(digits[:size]) for size in range(_DIGITS_MIN, min(19, len(digits)) + 1)):
            return True
    return False
