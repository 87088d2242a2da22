"""Pure: which requests a label of statuses selects, and what that is of a span."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import promql_parser
import pyarrow as pa
import pyarrow.compute as pc

from alerts.rules.imports.found import UnmappableError
from alerts.rules.slo import Statuses

_GRPC: Final = (
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
    "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
    "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
)  # fmt: skip
# OpenTelemetry, semantic conventions of gRPC: the codes with which a server's span is an error.
_GRPC_ERRORS: Final = frozenset({2, 4, 12, 13, 14, 15})
_GRPC_FAILURES: Final = frozenset({2, 13, 14})  # whoever counts failures counts these
_GOOD, _BAD = 0, 1
_FLAGS: Final[Mapping[int, tuple[str, ...]]] = {
    _GOOD: (
        "ok", "OK", "Ok", "success", "SUCCESS", "succeeded", "STATUS_CODE_OK", "STATUS_CODE_UNSET",
        "Unset", "UNSET",
    ),
    _BAD: (
        "error", "ERROR", "Error", "err", "errors", "fail", "failed", "failure", "SERVER_ERROR",
        "STATUS_CODE_ERROR",
    ),
}  # fmt: skip
_YES: Final = ("true", "1", "yes")
_NO: Final = ("false", "0", "no", "")


@dataclass(frozen=True, slots=True)
class Universe:
    """All outcomes that requests of one kind can have, each with its spellings as a label."""

    name: str
    spellings: Mapping[int, tuple[str, ...]]

    @property
    def all(self) -> frozenset[int]:
        """Return every outcome."""
        return frozenset(self.spellings)

    def selected(self, matcher: Any) -> frozenset[int]:  # noqa: ANN401  a matcher of the parser
        """Return the outcomes that a label matcher selects."""
        pairs = [(outcome, text) for outcome, texts in self.spellings.items() for text in texts]
        matches = spelled(matcher, [text for _, text in pairs])
        found = frozenset(
            outcome for (outcome, _), is_meant in zip(pairs, matches, strict=True) if is_meant
        )
        return self.all - found if is_negative(matcher) else found


def _snake(name: str) -> str:
    """Return DataLoss as data_loss, OK as ok."""
    found = "".join(f"_{each}" if each.isupper() else each for each in name).strip("_")
    return "ok" if name == "OK" else found.lower()


HTTP: Final = Universe("HTTP", {each: (str(each), f"{each // 100}xx") for each in range(100, 600)})
GRPC: Final = Universe(
    "gRPC",
    {
        number: (name, name.lower(), _snake(name), _snake(name).upper(), str(number))
        for number, name in enumerate(_GRPC)
    },
)
FLAG: Final = Universe("flag", _FLAGS)
ERROR: Final = Universe("flag", {_GOOD: _NO, _BAD: _YES})
SUCCESS: Final = Universe("flag", {_GOOD: _YES, _BAD: _NO})


def is_negative(matcher: Any) -> bool:  # noqa: ANN401  a matcher of the parser
    """Return whether a matcher excludes."""
    return matcher.op in (promql_parser.MatchOp.NotEqual, promql_parser.MatchOp.NotRe)


def is_pattern(matcher: Any) -> bool:  # noqa: ANN401  a matcher of the parser
    """Return whether a matcher holds a regular expression, one that is a plain text left out."""
    regex = matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe)
    return regex and re.escape(matcher.value) != matcher.value.replace("-", "\\-")


def spelled(matcher: Any, texts: Sequence[str]) -> list[bool]:  # noqa: ANN401  a matcher of the parser
    """Return which texts the value of a matcher is or matches, whether it excludes or not.

    By RE2, whose syntax is that of Prometheus, and which no pattern keeps busy.
    """
    value = str(matcher.value)
    if not is_pattern(matcher):
        return [text == value for text in texts]
    try:
        found = pc.match_substring_regex(pa.array(texts, pa.string()), f"^(?:{value})$")
    except (pa.ArrowException, UnicodeError) as error:
        raise UnmappableError(f"{matcher} is a pattern that cannot be read here") from error
    return [bool(each) for each in found.to_pylist()]


def bad_settings(universe: Universe, bad: frozenset[int]) -> tuple[dict[str, Any], str]:
    """Return the settings under which these outcomes are bad, and a remark or nothing.

    Raises:
        UnmappableError: no setting states them.
    """
    if not bad:
        return {}, ""
    if universe is HTTP:
        errors = frozenset(range(500, 600))
        failed = errors <= bad
        others = ranges(bad - errors if failed else bad)
        return {"failed": failed, "bad_statuses": others}, ""
    if universe.name == "flag":
        if bad != {_BAD}:
            raise UnmappableError("requests that went well would be the bad ones")
        return {"failed": True}, ""
    if 0 in bad:
        raise UnmappableError("requests that answered OK would be among the bad ones")
    if not bad >= _GRPC_FAILURES:
        raise UnmappableError("spans do not tell which gRPC code a failure had")
    remark = "" if bad == _GRPC_ERRORS else "which codes are errors is what the spans' status says"
    return {"failed": True}, remark


def ranges(outcomes: frozenset[int]) -> Statuses:
    """Return numbers as ranges [from, to], ascending."""
    found: list[tuple[int, int]] = []
    for each in sorted(outcomes):
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return tuple(found)
