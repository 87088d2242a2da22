"""I/O: the part of `millworth bench attribution` that begins at `path_columns`.

Trees that the job stored are read, walked and made rows of `attributions`: what the attribution of
a range costs once ids, parents and classes are resolved. The engine is given one thread.
"""

from __future__ import annotations

import pyarrow as pa

from attribution.compact import kernel
from attribution.compact.rows import Kernel, best_kernel, recomputed_rows
from attribution.read.reader import Reader
from collector.bench.harness import cpu_s
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.store.connect import Connections

# Decisions are repeated so often; a tenth of them is what growth is measured against.
COPIES = 50


def measure_columns(
    store: Connections, count: int, from_ns: int, apart_ns: int
) -> dict[str, float]:
    """Return figures of the trees in `path_columns`, repeated.

    Args:
        store: with the trees of `count` decisions.
        count: how many.
        from_ns: no decision began before it.
        apart_ns: more than from the first to the last.

    Returns:
        `numba` (where it is installed) and `numpy`: decisions per second of CPU, rows in memory;
        `insert`: the faster of the two, rows inserted too; `growth`: time at ten times the data
        over the time at one.
    """
    client, reader = store.client(), Reader(store, AttributesConfig())
    client.command(
        sql("bench_columns", __file__), parameters={"copies": COPIES, "apart_ns": apart_ns}
    )
    # Merges in the background would be counted as ours.
    client.command("OPTIMIZE TABLE path_columns FINAL")
    until_ns, tenth_ns = from_ns + COPIES * apart_ns, from_ns + COPIES // 10 * apart_ns
    total = COPIES * count
    figures: dict[str, float] = {}
    for name, segments in {"numpy": kernel.segments, "numba": best_kernel()}.items():
        if name == "numba" and segments is kernel.segments:
            continue
        _rows(reader, segments, from_ns, tenth_ns)  # compiled, or loaded from its cache
        began = cpu_s()
        tables = _rows(reader, segments, from_ns, until_ns)
        took_s = cpu_s() - began
        assert sum(len(each) for each in tables) == total, "decisions were missed"
        figures[name] = total / took_s
        began = cpu_s()
        _rows(reader, segments, from_ns, tenth_ns)
        figures["growth"] = took_s / (cpu_s() - began)
    began = cpu_s()
    for rows in _rows(reader, best_kernel(), from_ns, tenth_ns):
        named = rows.append_column("revision", pa.array([1] * len(rows), pa.uint32()))
        client.insert_arrow("attributions", named)
    figures["insert"] = total / 10 / (cpu_s() - began)
    return figures


def _rows(reader: Reader, segments: Kernel, from_ns: int, to_ns: int) -> list[pa.Table]:
    return [
        recomputed_rows(chunk, segments) for chunk in reader.path_columns(from_ns, to_ns, threads=1)
    ]
