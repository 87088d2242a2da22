"""I/O: what the visitors of channels cost, day by day, from CSV, Parquet and JSON.

A bad row is named and left out. A day of a channel that comes again from one source is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from collector.core.errors import InputError
from collector.imports.files import read_records
from collector.imports.outcomes import ImportReport, Replace
from collector.imports.revision import next_revision_ns
from collector.imports.values import BadValueError, currency, day_ns, number

COLUMNS = ("channel", "day", "clicks", "cost", "currency", "quality_score")
_NEEDED = ("channel", "day")
_CLICKS_DIGITS_MAX = 15
_QUALITY_MAX = 10
_NAME_MAX = 200


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """One row of `channel_days`, in the order of its columns. None is unknown."""

    source: str
    channel: str
    day_ns: int
    currency: str
    clicks: int | None
    cost: Decimal | None
    quality_score: Decimal | None
    received_ns: int


def import_channels(
    client: Client,
    name: str,
    content: bytes,
    source: str,
    now_ns: int,
    replace: Replace | None = None,
) -> ImportReport:
    """Import a file; the same days again are replaced.

    Args:
        client: writes.
        name: of the file, for the lines of the report.
        content: CSV, Parquet or JSON.
        source: who was paid: the days of several sources are added up.
        now_ns: the time.
        replace: what the rules for personal data make of the name of a channel.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    rows, refused = [], []
    for parsed in parse_channels(name, content, source, now_ns, replace):
        if isinstance(parsed, str):
            refused.append(parsed)
        else:
            rows.append(parsed)
    if rows:
        revision_ns = next_revision_ns(client, "channel_days", now_ns)
        client.insert(
            "channel_days",
            [(*astuple(row)[:-1], revision_ns) for row in rows],
            column_names=[field.name for field in fields(ChannelDay)],
        )
    return ImportReport(len(rows), tuple(refused))


def parse_channels(
    name: str, content: bytes, source: str, now_ns: int, replace: Replace | None = None
) -> Iterator[ChannelDay | str]:
    """Yield a row for each good line and a sentence for each bad one.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    file = read_records(name, content, COLUMNS)
    if file.columns is not None and (wrong := _wrong_columns(file.columns)):
        raise InputError(f"{name}: {wrong}")
    lines: dict[tuple[str, int], str] = {}  # where each day of each channel stands
    for where, record in file.records:
        if isinstance(record, str) or (wrong := _wrong_columns(record)):
            yield f"{where}: {record if isinstance(record, str) else wrong}"
            continue
        try:
            row = _row(record, source, now_ns, replace)
        except BadValueError as error:
            yield f"{where}: {error}"
            continue
        # Of two rows of a day the store keeps one, and nobody can say which was meant.
        first = lines.setdefault((row.channel, row.day_ns), where)
        if first == where:
            yield row
        else:
            yield (
                f"{where}: day {record['day']!r}: {first} has it of channel "
                f"{record['channel']!r}; leave one, or add them up"
            )


def _wrong_columns(columns: Mapping[str, str] | tuple[str, ...]) -> str:
    unknown = [each for each in columns if each not in COLUMNS]
    missing = [each for each in _NEEDED if each not in columns]
    if not unknown and not missing:
        return ""
    what = f"{unknown[0]!r} is not a column" if unknown else f"lacks {', '.join(missing)}"
    return f"{what}; a file of channels has {', '.join(COLUMNS)}"


def _row(
    values: Mapping[str, str], source: str, now_ns: int, replace: Replace | None
) -> ChannelDay:
    channel = values["channel"]
    if not channel or len(channel) > _NAME_MAX or not channel.isprintable():
        wrong = f"is not 1 to {_NAME_MAX} printable characters; write it as decision.channel has it"
        raise BadValueError("channel", channel, wrong)
    row = ChannelDay(
        source=source,
        channel=channel if replace is None else replace("decision.channel", channel, now_ns),
        day_ns=day_ns("day", values["day"]),
        currency=currency("currency", values.get("currency", "")) if values.get("cost") else "",
        clicks=_clicks(values.get("clicks", "")),
        cost=_at_least_nothing("cost", values.get("cost", "")),
        quality_score=_at_least_nothing("quality_score", values.get("quality_score", "")),
        received_ns=now_ns,
    )
    if row.quality_score is not None and row.quality_score > _QUALITY_MAX:
        wrong = f"is over {_QUALITY_MAX}; scale it to 0 to {_QUALITY_MAX}"
        raise BadValueError("quality_score", values["quality_score"], wrong)
    if row.clicks is None and row.cost is None and row.quality_score is None:
        wrong = "neither it nor cost nor quality_score is there; give one"
        raise BadValueError("clicks", "", wrong)
    return row


def _clicks(value: str) -> int | None:
    if not value:
        return None
    is_whole = value.isascii() and value.isdigit() and len(value) <= _CLICKS_DIGITS_MAX
    if not is_whole:
        raise BadValueError(
            "clicks", value, "is not a whole number of 0 or more; write it like 1200"
        )
    return int(value)


def _at_least_nothing(column: str, value: str) -> Decimal | None:
    if not value:
        return None
    amount = number(column, value, 6)
    if amount < 0:
        raise BadValueError(
            column, value, "is below 0; take credits off the days that they are for"
        )
    return amount
