"""I/O: questions to a server with lists of any length.

A server takes a parameter of 128 KiB at most (`http_max_field_value_size`, which its own profile
alone sets). The ids of 4,000 traces are more: a long list goes as several, joined in the statement.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from clickhouse_connect.driver.client import Client

# Of a list as text, in UTF-8; what has to be escaped is counted as twice as long.
_PART_BYTES: Final = 100_000
_ASKS: Final = ("query", "query_arrow", "command", "raw_query")


def with_long_lists(client: Client) -> Client:
    """Return a client of a server whose questions may have parameters that are long lists."""
    return cast("Client", _InParts(client))


class _InParts:
    """Has every attribute of a client, which it also takes."""

    def __init__(self, client: Client) -> None:
        object.__setattr__(self, "_client", client)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a client has
        value = getattr(self._client, name)
        if name not in _ASKS:
            return value

        @functools.wraps(value)
        def ask(
            statement: str,
            parameters: Mapping[str, Any] | None = None,
            *args: Any,  # noqa: ANN401  as the method has them
            **rest: Any,  # noqa: ANN401  as the method has them
        ) -> Any:  # noqa: ANN401  as above
            return value(*in_parts(statement, parameters or {}), *args, **rest)

        return ask

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._client, name, value)


def in_parts(statement: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a statement and parameters of which none is too long for a server.

    Args:
        statement: with its parameters as {name:Type}.
        parameters: values by name.

    Returns:
        The same where no list is too long; else each such list as several, joined in the statement.
    """
    bound = dict[str, Any]()
    for name, value in parameters.items():
        parts = list(_parts(value)) if isinstance(value, list) else [value]
        if len(parts) < 2:
            bound[name] = value
            continue
        bound |= {f"{name}_part{index}": part for index, part in enumerate(parts)}
        statement = re.sub(
            rf"\{{{name}:(Array\([^{{}}]*\))\}}",
            lambda match, name=name, parts=parts: _joined(name, match[1], len(parts)),  # type: ignore[misc]  # of this turn
            statement,
        )
    return statement, bound


def _joined(name: str, type_: str, parts: int) -> str:
    return f"arrayConcat({', '.join(f'{{{name}_part{at}:{type_}}}' for at in range(parts))})"


def _parts(values: Sequence[object]) -> Iterator[list[object]]:
    part, size = list[object](), 0
    for value in values:
        size += _bytes(value)
        if part and size > _PART_BYTES:
            yield part
            part, size = [], _bytes(value)
        part.append(value)
    if part:
        yield part


def _bytes(value: object) -> int:
    """Return how much a value takes in a list, with quotes and a comma, or more."""
    text = value if isinstance(value, str) else str(value)
    is_plain = text.isascii() and text.isalnum()
    return 4 + (len(text) if is_plain else 2 * len(text.encode()))
