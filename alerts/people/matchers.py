"""Pure: which alerts a silence is about: `severity=page`, `region!=eu-west`, `action=~check.*`.

As in Alertmanager: all of them have to match, an expression has to match the whole text, and what
an alert does not have is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from collector.core.errors import InputError

NAMES: Final = ("rule", "action", "region", "severity", "blamed")
MATCHERS_MAX: Final = 16
VALUE_MAX: Final = 200
# Text of an alert beyond this is not looked at: an expression takes its length to some power.
_TEXT_MAX: Final = 200
# So many repetitions and groups, and no repetition of a group: what is left takes milliseconds,
# whatever it is held to.
_REPEATS_MAX: Final = 3
_GROUPS_MAX: Final = 2

# Python warns of these in a set.
_RESERVED: Final = re.compile(r"\[\[|--|&&|~~|\|\|")
_SYNTAX: Final = re.compile(r"([a-z]+)\s*(=~|!~|!=|=)\s*(.*)", re.DOTALL)


class Alert(Protocol):
    """What matchers are held to: an event, or a row of the pages."""

    @property
    def rule(self) -> str:
        """Return the rule."""
        ...

    @property
    def severity(self) -> str:
        """Return page or ticket."""
        ...

    @property
    def action(self) -> str:
        """Return the action."""
        ...

    @property
    def region(self) -> str:
        """Return the region."""
        ...

    @property
    def blamed_stage(self) -> str:
        """Return the stage of the suspect segment, "" without one."""
        ...

    @property
    def blamed_class(self) -> str:
        """Return the class of the suspect segment, "" without one."""
        ...


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one text of an alert."""

    name: str  # one of NAMES
    operator: str  # =, !=, =~ or !~
    value: str

    def __str__(self) -> str:
        # Bare it would be read as another operator, or without what it begins or ends with.
        is_bare = self.value == self.value.strip() and self.value[:1] not in ('"', "~")
        return f"{self.name}{self.operator}" + (self.value if is_bare else f'"{self.value}"')

    def matches(self, texts: Mapping[str, str]) -> bool:
        """Return whether the condition holds."""
        text = texts[self.name][:_TEXT_MAX]
        if self.operator in ("=", "!="):
            is_equal = text == self.value
        else:
            is_equal = _compiled(self.value).fullmatch(text) is not None
        return is_equal == (self.operator in ("=", "=~"))


def texts_of(event: Alert) -> dict[str, str]:
    """Return what matchers are held to."""
    return {
        "rule": event.rule,
        "action": event.action,
        "region": event.region,
        "severity": event.severity,
        "blamed": f"{event.blamed_stage}/{event.blamed_class}" if event.blamed_stage else "",
    }


def match_all(matchers: Sequence[Matcher], event: Alert) -> bool:
    """Return whether every matcher holds."""
    texts = texts_of(event)
    return all(matcher.matches(texts) for matcher in matchers)


def parse_matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Return the matchers that people write.

    Raises:
        InputError: there is none, there are too many, or one is not a matcher.
    """
    if not 1 <= len(texts) <= MATCHERS_MAX:
        raise InputError(
            f"{len(texts)} matchers; give 1 to {MATCHERS_MAX}, such as rule=burn (rule=~.* is "
            "every alert)"
        )
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> Matcher:
    found = _SYNTAX.fullmatch(text.strip())
    if found is None or found[1] not in NAMES:
        raise InputError(
            f"matcher {text[:80]!r} is not NAME=VALUE; NAME is {', '.join(NAMES)}, and = may be "
            "!=, =~ or !~"
        )
    name, operator, value = found.groups()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if len(value) > VALUE_MAX:
        raise InputError(f"matcher {name}: {len(value)} characters; give {VALUE_MAX} at most")
    if operator in ("=~", "!~"):
        _check_expression(name, value)
    return Matcher(name, operator, value)


def _check_expression(name: str, value: str) -> None:
    if _RESERVED.search(value):
        raise InputError(
            f"matcher {name}: {value!r} holds [[, --, &&, ~~ or ||, which expressions keep for "
            "later; escape the second with a backslash"
        )
    try:
        _compiled(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"matcher {name}: {value!r} is not a regular expression: {error}; correct it"
        ) from error
    # What is escaped or in a class repeats nothing.
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]", "x", value, flags=re.DOTALL)
    bare = bare.replace("(?:", "(")
    repeats, groups = len(re.findall(r"[*+{?]", bare)), bare.count("(")
    if repeats > _REPEATS_MAX or groups > _GROUPS_MAX or re.search(r"\)[*+{]|\(\?", bare):
        raise InputError(
            f"matcher {name}: {value!r} could take hours; use {_REPEATS_MAX} of * + ? {{}} and "
            f"{_GROUPS_MAX} groups (a|b) at most, and repeat no group"
        )


@lru_cache(maxsize=256)
def _compiled(value: str) -> re.Pattern[str]:
    return re.compile(value, re.DOTALL)
