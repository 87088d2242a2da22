"""I/O: `millworth verify review`: a pack is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import JsonOption


def review(
    folder: Annotated[Path, typer.Argument(help="That millworth review wrote.")],
    sha256: Annotated[str, typer.Option(help="Of the manifest, as it was printed.")] = "",
    public_key: Annotated[
        Path | None, typer.Option(help="Ed25519 key in PEM that it has to be signed by.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the files of a review against its manifest. Exit 1 where one differs.

    Whoever changes a file can write the manifest again: only its own SHA-256, kept elsewhere, or a
    public key shows that.
    """
    from dashboard.api.review.pack import check_pack

    own, wrong = check_pack(folder, sha256, public_key)
    if as_json:
        print_json({"folder": str(folder), "manifest_sha256": own, "faults": wrong})
    else:
        for line in wrong:
            OUT.print(line)
        OUT.print(f"{folder}: manifest {own}: {'does not hold' if wrong else 'holds'}")
    raise typer.Exit(1 if wrong else 0)
