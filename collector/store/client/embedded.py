"""I/O: a connection to the embedded engine, which is asked once what it is.

The library asks on each connection for the version and for all of the engine's 1,900 settings,
which costs more than all else that a connection does. Both are those of the program: they stay as
they are while the process runs.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clickhouse_connect.driver._chdbclient import ChdbClient

from collector.store.client.unfinished import forget_unfinished

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def open_embedded(path: Path, options: dict[str, Any]) -> Client:
    """Return a connection to the engine of this process in a directory.

    Args:
        path: of the directory, absolute.
        options: of the engine, as those of a command line; the first connection's hold.
    """
    with suppress(OSError):  # what this user may not use, the engine cannot use either, and says so
        forget_unfinished(path)
    return _Embedded(path=str(path), chdb_options=options)


class _Embedded(ChdbClient):
    """Knows what the first connection was told.

    Were the library to call these methods otherwise, each connection would ask again.
    """

    _told: ClassVar[Any] = None

    def _init_common_settings(self, tz_source: Any) -> None:  # noqa: ANN401  the library's own
        if _Embedded._told is None:
            super()._init_common_settings(tz_source)
        else:
            self._apply_init_result(_Embedded._told)

    def _apply_init_result(self, result: Any) -> None:  # noqa: ANN401  the library's own
        _Embedded._told = result
        super()._apply_init_result(result)
