"""I/O: `millworth review`: the pack of a quarter, for engineering, finance and marketing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from dashboard.cli.client import asked
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption


def review(
    quarter: Annotated[str, typer.Option(help="Such as 2026Q3, UTC.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; made where it is not there.")],
    key: Annotated[
        Path | None,
        typer.Option(help="Ed25519 key in PEM that signs; vram gate --new-key makes one."),
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the review of a quarter, its findings, and a manifest with the SHA-256 of each.

    Revenue by node against the ledger, channels, ranking, verdicts of the gate, experiments, and
    cost by provider; the findings name what of it is missing or does not hold. The same data give
    the same files; a folder with another pack is not overwritten. `millworth verify review` checks
    it. Exit 1 if a finding is a problem.
    """
    from dashboard.api.review.pack import pack_of, write_pack

    found = asked(f"/api/v1/review?{urlencode({'quarter': quarter})}", config, url)
    sha256 = write_pack(out, pack_of(found), key)
    counts = Counter(each["severity"] for each in found["findings"])
    if as_json:
        print_json({"folder": str(out), "manifest_sha256": sha256, "findings": dict(counts)})
    else:
        OUT.print(f"{out}: review of {found['review']['quarter']}, manifest {sha256}")
        for each in found["findings"]:
            remedy = f"; {each['remedy']}" if each["remedy"] else ""
            OUT.print(f"{each['severity']}: {each['text']}{remedy}")
    raise typer.Exit(1 if counts["problem"] else 0)
