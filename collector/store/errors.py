"""Pure: what an error of the store means: whether the same call may succeed later, and the remedy.

ClickHouse's own codes decide. A code that is not known here counts as transient: what was
acknowledged is tried again rather than given up.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from collector.core.errors import (
    MillworthError,
    StoreRefusedError,
    StoreUnavailableError,
    first_line,
)

_CODE = re.compile(r"[Cc]ode: (\d+)")
# What the client and the server wrap around the sentence that says what is wrong.
_ENVELOPE = re.compile(
    r"Received ClickHouse exception, code: \d+, server response: |DB::Exception: "
    r"| \(version (?:[^()]|\([^()]*\))*\)| \(for url [^)]*\)"
)

_CREDENTIALS: Final = (
    "correct user and password in store.url (MILLWORTH__STORE__URL), or store.query_url for SQL "
    "from outside"
)
_RIGHTS: Final = (
    "grant its user CREATE, ALTER, INSERT and SELECT on the database, and let it change "
    "settings (readonly = 0); one that store.query_url names needs SELECT and readonly = 2"
)
_SCHEMA: Final = "run `millworth migrate` on it, or correct store.database"
_VERSION: Final = "use ClickHouse 25.8 or later, or report this text"

# What the server will say again of the same call.
_REMEDIES: Final = {
    516: _CREDENTIALS,  # AUTHENTICATION_FAILED
    192: _CREDENTIALS,  # UNKNOWN_USER
    193: _CREDENTIALS,  # WRONG_PASSWORD
    194: _CREDENTIALS,  # REQUIRED_PASSWORD
    164: _RIGHTS,  # READONLY
    497: _RIGHTS,  # ACCESS_DENIED
    291: _RIGHTS,  # DATABASE_ACCESS_DENIED
    452: _RIGHTS,  # SETTING_CONSTRAINT_VIOLATION
    60: _SCHEMA,  # UNKNOWN_TABLE
    81: _SCHEMA,  # UNKNOWN_DATABASE
    16: _SCHEMA,  # NO_SUCH_COLUMN_IN_TABLE
    47: _SCHEMA,  # UNKNOWN_IDENTIFIER
    46: _VERSION,  # UNKNOWN_FUNCTION
    56: _VERSION,  # UNKNOWN_STORAGE
    62: _VERSION,  # SYNTAX_ERROR
    73: _VERSION,  # UNKNOWN_FORMAT
    115: _VERSION,  # UNKNOWN_SETTING
    170: "name a cluster of its system.clusters in store.cluster",  # BAD_GET: no such cluster
    701: "name a cluster of its system.clusters in store.cluster",  # CLUSTER_DOESNT_EXIST
    139: "give it a Keeper, which ON CLUSTER and replicated tables need",  # NO_ELEMENTS_IN_CONFIG
    225: "give it a Keeper, which ON CLUSTER and replicated tables need",  # NO_ZOOKEEPER
}

_NO_SPACE: Final = 243

# What ClickHouse says of bytes that it cannot parse (seen over 13,000 mutations): attempt to read
# after the end, cannot read all, bad arguments (a oneof twice), protobuf bad cast, unknown protobuf
# format. The codes mean other things elsewhere, so the reader has to be named as well.
_UNPARSABLE_CODES: Final = frozenset({32, 33, 36, 436, 444})
_READERS: Final = ("ProtobufRowInputFormat", "executing Native")

# The engine keeps each schema that comes with an insert in a file, and does not write it twice. A
# full disk, or a power cut, leaves a part of it, which no later insert gets past.
_DAMAGED_SCHEMA = re.compile(
    r"DB::Exception: (?:Could not find a message named '\w+' in the schema file|Cannot parse) "
    r"'__cache__/"
)

# A file of the store that is not what was written: the engine names what it was reading then.
# Out of memory or time it names it too: these are the codes of a file that is gone, cut or changed.
_DAMAGED_CODES: Final = frozenset({32, 33, 40, 74, 76, 107, 226, 227, 246, 271, 432})
_UNREADABLE_PART = re.compile(r"\(while reading from part (\S+?)/? in table \S+?\.(\w+)")

# What the client itself finds, before it asks: it has read which settings a user may change.
_CLIENT_READONLY = re.compile(r"Setting \w+ is (?:unknown or )?readonly")
_NOT_CLICKHOUSE = re.compile(r"Unexpected (?:response|row)|HTTP status (?:3\d\d|40[0145])")


def explain(error: Exception, where: str) -> MillworthError:
    """Return an error of ours for one of the client's; `where` has no password in it."""
    if isinstance(error, MillworthError):
        return error
    text = str(error)
    message = _ENVELOPE.sub("", first_line(error))
    code = error_code(error)
    if code in _REMEDIES:
        return StoreRefusedError(f"store {where} refuses: {_REMEDIES[code]}: {message}")
    if code is None and _CLIENT_READONLY.search(text):
        return StoreRefusedError(f"store {where} refuses: {_RIGHTS}: {message}")
    if code is None and _NOT_CLICKHOUSE.search(text):
        return StoreRefusedError(
            f"store {where} is not a ClickHouse HTTP interface; correct store.url "
            f"(MILLWORTH__STORE__URL; port 8123, or 8443 with https): {message}"
        )
    if code == _NO_SPACE or os.strerror(errno.ENOSPC) in text:
        return StoreUnavailableError(f"store {where} has no space left: free some there: {message}")
    if part := unreadable_part(error):
        return StoreUnavailableError(f"store {where}: {part}: {message}")
    if code is not None:
        return StoreUnavailableError(f"store {where} failed, and is asked again: {message}")
    return StoreUnavailableError(
        f"store {where} does not answer; start that server, or correct store.url "
        f"(MILLWORTH__STORE__URL): {message}"
    )


def unreadable_part(error: Exception) -> str:
    """Return which part of a table cannot be read and what to do, "" where that is not what failed.

    It is read again by whoever asks for its rows, and each of them fails.
    """
    found = _UNREADABLE_PART.search(str(error))
    if found is None or error_code(error) not in _DAMAGED_CODES:
        return ""
    path, table = found.groups()
    return (
        f"a part of {table} cannot be read: look at the disk, and restore a backup "
        f"(docs/operate/backup.md), or stop the service and move {path} out of the store, whose "
        "rows are missing then"
    )


def is_schema_damaged(error: Exception) -> bool:
    """Return whether the engine's own copy of a schema is what an insert failed at."""
    return _DAMAGED_SCHEMA.search(str(error)) is not None


def is_unparsable(error: Exception) -> bool:
    """Return whether the store says that it cannot parse the bytes, whoever asks again."""
    text = str(error)
    match = _CODE.search(text)
    return (
        match is not None
        and int(match[1]) in _UNPARSABLE_CODES
        and any(reader in text for reader in _READERS)
    )


def error_code(error: Exception) -> int | None:
    """Return ClickHouse's code for an error, None where the server did not speak."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    match = _CODE.search(str(error))
    return int(match[1]) if match else None
