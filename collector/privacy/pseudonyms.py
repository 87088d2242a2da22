"""Pure: keyed tokens that stand for personal values.

A token is the HMAC-SHA256 of a value, cut to 100 bits: whoever has no key can neither read nor
guess it, and the same value has the same token, so that rows still find each other. A plain hash
would not do: there are few e-mail addresses and fewer telephone numbers, and all can be tried.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Final

from collector.core.key_files import Key
from collector.core.times import NS_PER_DAY

_DOMAIN: Final = b"millworth.identifiers.v1"
_CHARS: Final = 20  # of base32: 100 bits, so that two of a thousand million values meet by 1e-12
_TOKEN: Final = re.compile(r"(?:tok|key)_[a-z0-9]{1,12}(?:-[0-9]{1,6})?_[a-z2-7]{20}")
_KNOWN_MAX: Final = 65_536


class Tokeniser:
    """Makes tokens: those that rotate under the newest key, those that last under the oldest.

    Args:
        keys: newest first, at least one.
        rotation_days: a rotating token is of another key after so many days; 0: it is not.
    """

    def __init__(self, keys: Sequence[Key], rotation_days: int) -> None:
        assert keys
        self._keys = tuple(keys)
        self._newest, self._oldest = keys[0], keys[-1]
        self._rotation_ns = rotation_days * NS_PER_DAY
        self._lasting = _Source(self._oldest, "key", "")
        self._rotating = _Source(self._newest, "tok", self._period(0))

    def lasting(self, value: str) -> str:
        """Return the token of a value that is the same at any time."""
        return self._lasting.token(value)

    def rotating(self, value: str, now_ns: int) -> str:
        """Return the token of a value in the period that `now_ns` is in."""
        period = self._period(now_ns)
        source = self._rotating
        if source.period != period:
            source = self._rotating = _Source(self._newest, "tok", period)
        return source.token(value)

    def all_since(self, value: str, from_ns: int, now_ns: int) -> list[str]:
        """Return every token that a value may have had from one instant to another.

        That is under any of the keys: which of them was the newest then is not known.
        """
        step_ns = self._rotation_ns or now_ns + 1
        periods = dict.fromkeys(
            self._period(ns) for ns in (*range(from_ns, now_ns, step_ns), now_ns)
        )
        lasting = [_Source(key, "key", "").token(value) for key in self._keys]
        rotating = [
            _Source(key, "tok", period).token(value) for key in self._keys for period in periods
        ]
        return lasting + rotating

    def _period(self, now_ns: int) -> str:
        return f"-{now_ns // self._rotation_ns}" if self._rotation_ns else ""


class _Source:
    """One derived key, and the tokens made of late: a value is most often sent many times."""

    def __init__(self, key: Key, kind: str, period: str) -> None:
        self.period = period
        self._key = hmac.digest(
            key.secret, b"%s|%s%s" % (_DOMAIN, kind.encode(), period.encode()), "sha256"
        )
        self._prefix = f"{kind}_{key.kid}{period}_"
        self._known: dict[str, str] = {}

    def token(self, value: str) -> str:
        token = self._known.get(value)
        if token is None:
            if is_token(value):
                return value  # a collector before this one has made it, or a replay brings it back
            digest = hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256")
            text = base64.b32encode(digest)[:_CHARS].decode().lower()
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            token = self._known[value] = self._prefix + text
        return token


def is_token(value: str) -> bool:
    """Return whether a value is a token already."""
    return value.startswith(("tok_", "key_")) and _TOKEN.fullmatch(value) is not None
