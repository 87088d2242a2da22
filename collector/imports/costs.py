"""I/O: bills in FOCUS, the FinOps Open Cost and Usage Specification, from CSV, Parquet and JSON.

Of the columns of FOCUS 1.0 to 1.4 the ones below are read, and others are left alone, so that an
export of any provider can be imported as it is. Who provides a service is `ServiceProviderName`
since 1.3, which deprecates `ProviderName`; 1.4 removes that. A bad line is named and left out.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from collector.core.errors import InputError
from collector.core.times import NS_PER_S, iso_ns
from collector.imports.files import read_records
from collector.imports.outcomes import ImportReport
from collector.imports.values import YEARS, YEARS_END_NS, decimal_of, not_below_max

NEEDED = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd")
_TEXTS = {
    "charge_category": "ChargeCategory",
    "service_category": "ServiceCategory",
    "service_name": "ServiceName",
    "host": "HostProviderName",
    "region": "RegionId",
    "resource": "ResourceId",
}
# The first that a line fills counts.
_PROVIDERS = ("ServiceProviderName", "ProviderName")
_READ = (*NEEDED, "ListCost", "ContractedCost", *_TEXTS.values(), *_PROVIDERS)
_ROWS_PER_INSERT = 50_000


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of a bill, in the order of the columns of `costs`."""

    from_ns: int
    to_ns: int
    line_hash: int
    source: str
    currency: str
    effective: Decimal
    billed: Decimal
    listed: Decimal | None
    contracted: Decimal | None
    charge_category: str
    service_category: str
    service_name: str
    provider: str
    host: str
    region: str
    resource: str
    received_ns: int


class _BadValue(Exception):  # noqa: N818 - becomes a line of the report
    pass


def import_costs(
    client: Client, name: str, content: bytes, source: str, now_ns: int
) -> ImportReport:
    """Import a bill; the same lines again change nothing.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not the columns of FOCUS.
    """
    rows, refused = [], []
    for parsed in parse_costs(name, content, source, now_ns):
        if isinstance(parsed, CostRow):
            rows.append(parsed)
        else:
            refused.append(parsed)
    for start in range(0, len(rows), _ROWS_PER_INSERT):
        client.insert(
            "costs",
            [astuple(row) for row in rows[start : start + _ROWS_PER_INSERT]],
            column_names=[field.name for field in fields(CostRow)],
        )
    return ImportReport(len(rows), tuple(refused))


def parse_costs(name: str, content: bytes, source: str, now_ns: int) -> Iterator[CostRow | str]:
    """Yield a row for each good line and a sentence for each bad one.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not the columns of FOCUS.
    """
    file = read_records(name, content, _READ)
    if file.columns is not None and (wrong := _wrong_columns(file.columns)):
        raise InputError(f"{name}: {wrong}")
    counts: Counter[int] = Counter()
    for where, record in file.records:
        if isinstance(record, str) or (wrong := _wrong_columns(record)):
            yield f"{where}: {record if isinstance(record, str) else wrong}"
            continue
        line = _hash("\x1f".join(f"{key}={record[key]}" for key in sorted(record)))
        counts[line] += 1
        try:
            yield _row(record, _hash(f"{line}:{counts[line]}"), source, now_ns)
        except _BadValue as error:
            yield f"{where}: {error}"


def _wrong_columns(columns: Collection[str]) -> str:
    missing = [column for column in NEEDED if column not in columns]
    return f"lacks {', '.join(missing)}; export the bill as FOCUS" if missing else ""


def _row(values: Mapping[str, str], line_hash: int, source: str, now_ns: int) -> CostRow:
    begin_ns, end_ns = (_ns(values, f"ChargePeriod{edge}") for edge in ("Start", "End"))
    if end_ns <= begin_ns:
        raise _BadValue("ChargePeriodEnd is not after ChargePeriodStart")
    currency = values["BillingCurrency"].strip()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise _BadValue(f"BillingCurrency {currency[:40]!r}: is not an ISO 4217 code")
    effective, billed = _amount(values, "EffectiveCost"), _amount(values, "BilledCost")
    if effective is None or billed is None:
        raise _BadValue("EffectiveCost and BilledCost: one is empty; FOCUS needs both")
    return CostRow(
        from_ns=begin_ns,
        to_ns=end_ns,
        line_hash=line_hash,
        source=source,
        currency=currency,
        effective=effective,
        billed=billed,
        listed=_amount(values, "ListCost"),
        contracted=_amount(values, "ContractedCost"),
        provider=next((named for each in _PROVIDERS if (named := _text(values, each))), ""),
        **{name: _text(values, column) for name, column in _TEXTS.items()},
        received_ns=now_ns,
    )


def _text(values: Mapping[str, str], column: str) -> str:
    return values.get(column, "").strip()


def _amount(values: Mapping[str, str], column: str) -> Decimal | None:
    text = _text(values, column)
    if not text:
        return None
    amount = decimal_of(text)
    if amount is None:
        raise _BadValue(f"{column} {text[:40]!r}: is not a number")
    if wrong := not_below_max(amount):
        raise _BadValue(f"{column} {text[:40]!r}: {wrong}")
    # Bills have up to fifteen places; a millionth is what we keep.
    return round(amount, 6)


def _ns(values: Mapping[str, str], column: str) -> int:
    text = values[column].strip()
    ns = iso_ns(text)  # FOCUS: instants are UTC
    if ns is None:
        raise _BadValue(f"{column} {text[:40]!r}: is not an instant in ISO 8601")
    if not 0 < ns < YEARS_END_NS:
        raise _BadValue(
            f"{column} {text[:40]!r}: is not in {YEARS.start} to {YEARS.stop - 1}; correct the year"
        )
    return ns // NS_PER_S * NS_PER_S


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
