"""I/O: `millworth import otlp`: traces that another tool exported, into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dashboard.cli.console import OUT, reading, warn
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption
from dashboard.settings.settings import load
from dashboard.units import utc_text

if TYPE_CHECKING:
    from attribution.files.refused import Refused
    from dashboard.cli.imports.traces.files import TraceSource
    from dashboard.cli.imports.traces.receiver import Receiver, RequestReport
    from dashboard.cli.imports.traces.requests import Halves

_SHOWN_MAX: Final = 10  # a person reads the first ones; all that are named are in the JSON

TraceFiles = Annotated[
    list[Path],
    typer.Argument(
        help="Traces: OTLP JSON or Protobuf, Jaeger JSON, Zipkin JSON v2; gzip and zstd are "
        "expanded. The content tells. - is standard input.",
        readable=False,
    ),
]
ReceiverOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="An OTLP/HTTP receiver of Millworth; by default the settings'. Where none runs, the "
        "store is opened directly.",
    ),
]


@dataclass(slots=True)
class Report:
    """One file after its import."""

    file: str
    format: str = ""
    spans: int = 0  # in the file, those that were refused among them
    imported: int = 0
    known: int = 0  # there already
    twice: int = 0  # in the file before, to the letter
    refused: int = 0
    reasons: list[str] = field(default_factory=list)
    first_ns: int = 0  # when the first span began, Unix ns
    last_ns: int = 0  # when the last one ended

    def count(self, spans: int, answered: RequestReport) -> None:
        """Count what a receiver said of one request."""
        self.imported += spans - answered.known - answered.twice - answered.refused
        self.known += answered.known
        self.twice += answered.twice
        self.refused += answered.refused
        if answered.refused:
            self.reasons.append(answered.reason)

    def leave_out(self, spans: int, reason: str) -> None:
        """Count what was not sent, or not taken."""
        self.refused += spans
        self.reasons.append(reason)


def import_otlp(
    files: TraceFiles,
    config: ConfigOption = None,
    url: ReceiverOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import traces that another tool exported. The same spans twice are stored once.

    The receiver takes them by the checks that hold for all senders: what is older than
    collector.retention_days is refused, and personal data is replaced before anything is stored.
    Decisions are attributed by the next run of the job, however old they are. Exit 1 if a span was
    refused; it is named, and the rest is imported.
    """
    # The service's own side takes as long to load as all else that a command does.
    from collector.core import log
    from dashboard.cli.imports.traces.files import trace_source
    from dashboard.cli.imports.traces.receiver import receiving

    log.configure("warning")
    settings = load(config).settings
    refused = 0
    with ExitStack() as stack:
        sources = [stack.enter_context(trace_source(path)) for path in files]
        receiver = stack.enter_context(receiving(settings, url))
        halves = _once_asked(sources)
        for source in sources:
            report = _import(source, receiver, halves)
            refused += report.refused
            if as_json:
                print_json(asdict(report))
            else:
                _show(report)
    raise typer.Exit(1 if refused else 0)


def _import(source: TraceSource, receiver: Receiver, halves: Callable[[], Halves]) -> Report:
    from attribution.files.detect import read_traces
    from dashboard.cli.imports.traces.requests import Requests

    report = Report(source.name)
    requests = Requests(lambda body, spans: _send(receiver, body, spans, report), halves)
    try:
        with reading(source.name, source.size) as progress:
            found = read_traces(source.name, source.chunks(progress), requests)
            requests.close()
    except KeyboardInterrupt:
        warn(
            f"{source.name}: stopped when {report.imported + report.known} of its spans were in; "
            "the same command goes on from there, and stores none of them twice"
        )
        raise
    report.format = found.format
    report.spans = found.spans + found.refused.spans
    report.first_ns, report.last_ns = requests.first_ns, requests.last_ns
    _name(report, found.refused)
    _name(report, requests.refused)
    return report


def _name(report: Report, refused: Refused) -> None:
    report.refused += refused.count
    report.reasons += refused.lines


def _send(receiver: Receiver, body: bytes, spans: int, report: Report) -> None:
    """Send a request, in halves where the receiver takes less at a time."""
    from collector.core.errors import RequestTooLargeError
    from dashboard.cli.imports.traces.requests import divided

    try:
        report.count(spans, receiver.send(body))
    except RequestTooLargeError as error:
        if spans == 1:
            report.leave_out(1, str(error))
            return
        for half, count in divided(body):
            _send(receiver, half, count, report)


def _once_asked(sources: Sequence[TraceSource]) -> Callable[[], Halves]:
    """Return what finds the ids that two spans share, in all of the files, when first asked."""
    found: list[Halves] = []

    def halves() -> Halves:
        if not found:
            from attribution.files.detect import read_traces
            from collector.core.errors import DecodeError
            from dashboard.cli.imports.traces.requests import SharedIds

            shared = SharedIds()
            for source in sources:
                try:
                    read_traces(source.name, source.chunks(), shared)
                except DecodeError:  # said when it is that file's turn
                    continue
            found.append(shared.halves())
        return found[0]

    return halves


def _show(report: Report) -> None:
    twice = f"{report.twice} twice in the file, " if report.twice else ""
    # Pages begin with the last minutes: where to look has to be known.
    when = f"; of {utc_text(report.first_ns)} to {utc_text(report.last_ns)}"
    when = when if report.imported + report.known else ""
    OUT.print(
        f"{report.file}: {report.imported} imported, {report.known} there already, {twice}"
        f"{report.refused} refused{when}"
    )
    for line in report.reasons[:_SHOWN_MAX]:
        OUT.print(f"  {line}")
    if len(report.reasons) > _SHOWN_MAX:
        OUT.print(f"  ... and {len(report.reasons) - _SHOWN_MAX} more")
