"""Pure: every error that Millworth raises.

MillworthError
├── TransientError           the same call may succeed later: retry, bounded and jittered; exit 75
│   ├── StoreUnavailableError
│   ├── StoreInUseError      another process has the embedded store open, which may be a command
│   ├── LogInUseError        another process has the directory of the log
│   ├── AddressInUseError    a port is taken
│   ├── SchemaMissingError   another process has not made the tables yet
│   ├── LogFullError         the write-ahead log holds all it may: the sender has to wait
│   ├── LogWriteError        the write-ahead log could not be written or synced
│   ├── ClientGoneError      nobody waits for the answer any more, so nothing was kept
│   ├── RateLimitedError     a sender did as much as its token allows for now
│   └── BusyError            as many requests wait as may
└── PermanentError           the same input fails again
    ├── ConfigError          a key or value in millworth.toml; ends the start with exit 2
    ├── StoreRefusedError    the store answers and will refuse again: rights, names, version; exit 2
    ├── MigrationError       an edited or unknown migration; exit 2
    ├── RequestTooLargeError a request that is larger than what may ever be taken
    ├── DecodeError          bytes from outside that are not what they claim to be
    ├── UnauthenticatedError a request without a token, or with one that is not good
    ├── PermissionDeniedError  a token that may not do this
    ├── InputError           a file, row or request that a person has to correct
    │   └── NotFoundError    it names what is not there
    └── CaptureError         packets cannot be captured here; the service runs on without
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_REQUEST: Final = re.compile(r" with url: \S+")


class MillworthError(Exception):
    """Any error of ours. The message names the value, what was expected and the remedy."""


def error_text(error: Exception) -> str:
    """Return what an error says, without the address of a request to the server of a store.

    The settings in it come before why the server does not answer, and are longer than a line.
    """
    return _REQUEST.sub("", str(error))


def first_line(error: Exception, most: int = 300) -> str:
    """Return what an error says in at most so many characters, enough for a log line."""
    return (error_text(error).splitlines() or [repr(error)])[0][:most]


class TransientError(MillworthError):
    """The same call may succeed later."""


class StoreUnavailableError(TransientError):
    """The store did not answer."""


class StoreInUseError(TransientError):
    """Another process owns the embedded store's directory."""


class LogInUseError(TransientError):
    """Another process has the directory of the write-ahead log."""


class AddressInUseError(TransientError):
    """A port that the service listens on is taken."""


class SchemaMissingError(TransientError):
    """The store lacks tables or views, which another process makes."""


class LogFullError(TransientError):
    """The write-ahead log holds as many bytes as it may."""


class LogWriteError(TransientError):
    """The write-ahead log could not be written or synced, so nothing was acknowledged."""


class ClientGoneError(TransientError):
    """Who sent a request no longer waits for the answer, and will send it again."""


class RateLimitedError(TransientError):
    """A sender did as much as its token allows for now."""

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class BusyError(TransientError):
    """As many requests wait as may."""

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class PermanentError(MillworthError):
    """The same input fails again."""


class ConfigError(PermanentError):
    """A key or a value in millworth.toml is wrong."""


class StoreRefusedError(PermanentError):
    """The store answers, and will refuse the same call again: rights, names or its version."""


class MigrationError(PermanentError):
    """A migration was edited after it was applied, or the store is newer than the program."""


class RequestTooLargeError(PermanentError):
    """A request is larger than what may ever be taken; smaller ones are welcome."""


class DecodeError(PermanentError):
    """Bytes from outside are not what they claim to be."""


class UnauthenticatedError(PermanentError):
    """A request without a token, or with one that is not good."""


class PermissionDeniedError(PermanentError):
    """A token that may not do what the request asks for."""


class InputError(PermanentError):
    """A file, a row or a request that a person has to correct."""


class NotFoundError(InputError):
    """A request names what is not there."""


class CaptureError(PermanentError):
    """Packets cannot be captured here."""


# What the validator calls things, and what people do.
_SUBJECT: Final = re.compile(r"^(?:Value error, |(?:Input|String|List|Tuple|Set) (?=should ))")
_REST: Final = re.compile(r" after validation|, unable to \w+( string as an? \w+| input)")
_PLAIN: Final = {
    "a valid string": "a text",
    "a valid dictionary": "a table of names and values",
    "a valid list": "a list",
    "a valid tuple": "a list",
    "a valid integer": "an integer",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "at least 1 character": "at least 1 character, and is empty",
}


def complaint(wrong: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, to be read after its name.

    Args:
        wrong: one of the `errors()` of pydantic's ValidationError.
    """
    if wrong["type"] == "missing":
        return "is missing"
    if wrong["type"] == "extra_forbidden":
        return "is not known here; remove it"
    message = _REST.sub("", _SUBJECT.sub("", wrong["msg"]))
    for theirs, ours in _PLAIN.items():
        message = message.replace(theirs, ours)
    return message
