"""I/O: keeps the parts of an embedded store as they are while it is opened by a clock in doubt.

The engine merges as it is opened, before it can be told to leave what is over its time, and goes by
the machine's clock. So a process of its own, which merges nothing, first has each table merge
nothing; whoever opens the store then gives merges back, once rows do not lapse by them any more.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from collector.core.config import StoreConfig
from collector.core.errors import TransientError
from collector.store.client.unmerged import NO_MERGES, merge_tables
from collector.store.connect import connect

_TIMEOUT_S: Final = 300
_KEEP: Final = ", ".join(f"{name} = {value}" for name, value in NO_MERGES.items())


def keep_parts(config: StoreConfig) -> None:
    """Have no table of an embedded store merge, until `release_parts`; killed, it is as safe.

    Raises:
        TransientError: the store could not be opened for it.
    """
    path = config.embedded_path
    if path is None or not (path / "metadata" / f"{config.database}.sql").exists():
        return
    try:
        subprocess.run(  # noqa: S603  this interpreter, a module of ours and settings
            [sys.executable, "-m", "collector.store.client.keep_parts", config.model_dump_json()],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except subprocess.SubprocessError as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
        why = next(reversed(said.strip().splitlines()), str(error))
        raise TransientError(
            f"store {path} could not be kept from merging: {why}; try again"
        ) from error


def _main(config_json: str) -> None:
    client = connect(StoreConfig.model_validate_json(config_json), merges=False)
    for table in merge_tables(client, is_kept=False):
        client.command(f"ALTER TABLE {table} MODIFY SETTING {_KEEP}")
    client.close()


if __name__ == "__main__":
    _main(sys.argv[1])
