"""I/O: `millworth packets`: the packets of an incident, as a file that Wireshark opens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.core.errors import InputError
from collector.core.http.path import path_part
from dashboard.cli.client import asking
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption


def packets(
    name: Annotated[
        str,
        typer.Argument(
            help="Id of an alert's episode, of a trigger (capture_triggers), a decision or a trace."
        ),
    ],
    export: Annotated[
        Path, typer.Option("--export", "-o", help="The pcapng file to write; it is replaced.")
    ],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the packets that were kept for an incident, a decision or a trace as pcapng.

    Headers without payload; each packet's comment names the decision, trace and span that it
    carried, with the method and the confidence of that link. Wireshark and tshark open it.
    """
    with asking(config, url) as api:
        content = api.get_bytes(f"/api/v1/packets/{path_part(name)}")
        found = api.get(f"/api/v1/reconstructions/{path_part(name)}")["reconstructions"]
    try:
        export.write_bytes(content)
    except OSError as error:
        raise InputError(f"{export}: cannot be written: {error.strerror}") from error
    if as_json:
        written = {"file": str(export), "bytes": len(content), "reconstructions": found}
        print_json(written)
    else:
        OUT.print(f"{export}: {len(content)} bytes; open it with wireshark or tshark -r")
        for row in found:
            OUT.print(
                f"{row['trigger_id']}: nothing is missing with probability "
                f"{row['probability']:.4f}; sampling alone {row['sampled_probability']:.4f}"
            )
            for ground in row["grounds"]:
                OUT.print(f"  {ground}")
