from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import InputError
from collector.imports.costs import CostRow, parse_costs
from collector.imports.files import Record, read_records
from collector.imports.outcomes import COLUMNS, OutcomeRow, import_outcomes, parse_outcomes
from collector.imports.rates import LEDGER, parse_dated
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock

WHEN = datetime(2033, 5, 18, 3, 33, 20, 123456, tzinfo=UTC)
WHEN_NS = NOW_NS + 123_456_000
NEEDS = "lacks occurred_at"


def parquet(columns: Mapping[str, object], types: Mapping[str, pa.DataType] | None = None) -> bytes:
    """Return a file of columns."""
    arrays = {
        name: pa.array(values, type=(types or {}).get(name)) for name, values in columns.items()
    }
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out)
    return out.getvalue()


def read(content: bytes) -> list[tuple[str, Record | str]]:
    """Return the records of a file."""
    return list(read_records("f", content, ()).records)


def outcomes(content: bytes) -> list[OutcomeRow | str]:
    """Return the outcomes of a file."""
    return list(parse_outcomes("f", content, "USD", NOW_NS))


CSV = b"""outcome_id,decision_id,converted,revenue,margin,occurred_at
o1,d1,true,20.10,,2033-05-18T03:33:20.123456+00:00
"""
ORDER = {
    "outcome_id": "o1",
    "decision_id": "d1",
    "converted": True,
    "revenue": 20.10,
    "margin": None,
    "occurred_at": "2033-05-18T03:33:20.123456Z",
}
PARQUET = parquet(
    {
        "outcome_id": ["o1"],
        "decision_id": ["d1"],
        "converted": [True],
        "revenue": [Decimal("20.10")],
        "margin": [None],
        "occurred_at": [WHEN],
    },
    {"margin": pa.decimal128(18, 6), "occurred_at": pa.timestamp("ns", tz="Europe/Berlin")},
)


@pytest.mark.parametrize(
    ("content", "source"),
    [
        pytest.param(CSV, "csv", id="csv"),
        pytest.param(json.dumps([ORDER], indent=2).encode(), "json", id="array"),
        pytest.param(json.dumps(ORDER).encode() + b"\n\n", "json", id="line"),
        pytest.param(json.dumps(ORDER, indent=2).encode(), "json", id="object"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps([ORDER]).encode(), "json", id="with a mark"),
        pytest.param(PARQUET, "parquet", id="parquet"),
    ],
)
def test_one_order_is_one_row_in_whatever_file_it_comes(content: bytes, source: str) -> None:
    """Money to the last place, time to the nanosecond, and what is not known stays unknown."""
    (row,) = outcomes(content)

    assert isinstance(row, OutcomeRow)
    assert (row.outcome_id, row.decision_id, row.converted) == ("o1", "d1", True)
    assert (row.revenue, row.margin) == (Decimal("20.10"), None)
    assert (row.event_ns, row.source, row.currency) == (WHEN_NS, source, "USD")


def test_numbers_of_json_are_read_as_they_are_written() -> None:
    """A float between the file and the table would change money."""
    text = '{"a": 0.1000000000000000055511151231257827, "b": 9007199254740993, "c": 1e2}'

    ((_, record),) = read(text.encode())

    assert record == {"a": "0.1000000000000000055511151231257827", "b": "9007199254740993",
                      "c": "1e2"}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        pytest.param([12.4, None], pa.float64(), ["12.4", ""], id="float"),
        pytest.param([12.4, None, 19999.99], pa.float32(), ["12.4", "", "19999.99"], id="32 bits"),
        pytest.param([1e-7, 1e22], pa.float64(), ["0.0000001", "1" + "0" * 22], id="exponent"),
        pytest.param([float("nan")], pa.float64(), ["nan"], id="NaN"),
        pytest.param([2**63 - 1], pa.int64(), [str(2**63 - 1)], id="integer"),
        pytest.param([Decimal("-0.000001")], pa.decimal128(18, 6), ["-0.000001"], id="decimal"),
        pytest.param([date(2026, 5, 31)], pa.date32(), ["2026-05-31"], id="date"),
        pytest.param([b" x "], pa.binary(), ["x"], id="bytes"),
        pytest.param([NOW_NS + 1], pa.timestamp("ns", tz="UTC"),
                     ["2033-05-18T03:33:20.000000001+00:00"], id="nanoseconds"),
        pytest.param([WHEN.replace(tzinfo=None)], pa.timestamp("ms"),
                     ["2033-05-18T03:33:20.123000000"], id="no zone"),
        pytest.param([-1], pa.timestamp("s", tz="UTC"), ["1969-12-31T23:59:59+00:00"],
                     id="before 1970"),
        pytest.param(["a", "a"], pa.dictionary(pa.int8(), pa.string()), ["a"] * 2, id="words"),
    ],
)  # fmt: skip
def test_columns_of_parquet_become_the_text_that_csv_would_have(
    values: list[object], kind: pa.DataType, texts: list[str]
) -> None:
    """So that one check of values serves all."""
    if pa.types.is_timestamp(kind) and kind.unit == "ms":
        values = [123 + 1000 * (NOW_NS // 10**9)]

    found = read(parquet({"x": values}, {"x": kind}))

    assert [record["x"] for _, record in found if isinstance(record, dict)] == texts


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        pytest.param(
            b'{"outcome_id": "o1"}\n{"outcome_id": "o2"\n[1]\n',
            [f"f:1: {NEEDS}", "f:2: not JSON at line 1, column 20: ", "f:3: not an object;"],
            id="lines",
        ),
        pytest.param(
            b'{"outcome_id": "o1"\n{"outcome_id": "o2"}\n',
            ["f:1: not JSON at line 1", f"f:2: {NEEDS}"],
            id="first line",
        ),
        pytest.param(
            b'[{"outcome_id": "a", "outcome_id": "b"}, 7, {"revenu": 1}]',
            [
                "f: record 1: 'outcome_id' is there twice",
                "f: record 2: not an object",
                "f: record 3: 'revenu' is not a column of outcomes; did you mean revenue?",
            ],
            id="array",
        ),
        pytest.param(
            b'[{"revenue": [1]}, {"kind": {"a": 1}}, {"kind": "\\ud800"}]',
            [
                "f: record 1: 'revenue' holds several values",
                "f: record 2: 'kind' holds several",
                "f: record 3: 'kind' holds half of a surrogate pair",
            ],
            id="values",
        ),
        pytest.param(
            parquet({"outcome_id": ["o1", "o2"], "outcome_key": ["k", None],
                     "occurred_at": ["today", str(NOW_NS)]}),
            ["f: row 1: occurred_at 'today'", "f: row 2: decision_id ''"],
            id="parquet",
        ),
        pytest.param(
            parquet({"outcome_id": ["o1"], "outcome_key": ["k"], "occurred_at": [WHEN]},
                    {"occurred_at": pa.timestamp("us")}),
            ["has no offset; add one"],
            id="local time",
        ),
    ],
)  # fmt: skip
def test_bad_record_is_named_by_its_place(content: bytes, sentences: list[str]) -> None:
    """A person corrects it by the message; the records beside it are taken."""
    found = outcomes(content)

    assert len(found) == len(sentences)
    for said, sentence in zip(found, sentences, strict=True):
        assert isinstance(said, str)
        assert sentence in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"[1", "f: not JSON at line 1, column 3", id="array"),
        pytest.param(b"[" * 100_000, "f: it nests beyond measure", id="deep"),
        pytest.param(PARQUET[:-20], "f: not Parquet that can be read", id="cut off"),
        pytest.param(b"PAR1", "f: not Parquet that can be read", id="head alone"),
        pytest.param(parquet({"outcome_id": ["a"]}), "f: lacks occurred_at", id="columns"),
        pytest.param(parquet({"revenu": [1]}), "f: 'revenu' is not a column", id="misspelt"),
        pytest.param(
            b"outcome_id,revenue,revenue\n1,2,3\n", "f: column revenue is there twice", id="twice"
        ),
        pytest.param(
            parquet({"outcome_id": [["a"]], "outcome_key": ["k"], "occurred_at": ["t"]}),
            "f: column outcome_id is of type list",
            id="list",
        ),
    ],
)
def test_file_that_cannot_be_read_is_refused_whole(content: bytes, sentence: str) -> None:
    """One line that names the file and the remedy."""
    with pytest.raises(InputError) as raised:
        outcomes(content)

    assert sentence in str(raised.value)


@given(st.binary(max_size=300), st.sampled_from([b"[", b"{", b'[{"a":', b""]))
def test_any_file_raises_only_input_error(content: bytes, head: bytes) -> None:
    """A file from outside never ends in a traceback."""
    with contextlib.suppress(InputError):
        outcomes(head + content)


def test_changed_parquet_raises_only_input_error() -> None:
    """Some of these end the process that reads them, which therefore is no service."""
    draw = Random(5)
    for _ in range(8):
        changed = bytearray(PARQUET)
        for _ in range(4):
            changed[draw.randrange(len(PARQUET) * 2 // 3, len(PARQUET) - 8)] = draw.randrange(256)
        with contextlib.suppress(InputError):
            outcomes(bytes(changed))


def test_file_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    """A few kilobytes of Parquet may say gigabytes of one letter."""
    path = tmp_path / "bomb.parquet"
    schema = pa.schema({"outcome_id": pa.string()})
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        batch = pa.record_batch({"outcome_id": ["a" * 2**20] * 64}, schema)
        for _ in range(17):
            writer.write_batch(batch)
    assert path.stat().st_size < 2**20

    with pytest.raises(InputError, match=r"bytes when unpacked; split the file"):
        read_records("f", path.read_bytes(), COLUMNS)


def test_ledger_and_bill_are_read_from_json_and_parquet() -> None:
    """What reads files is one place."""
    days = json.dumps([{"day": "2026-05-31", "currency": "EUR", "amount": 12.50}, {"day": "x"}])
    good, bad = parse_dated(LEDGER, "f", days.encode())
    assert not isinstance(good, str)
    assert good[1:] == ("EUR", Decimal("12.50"))
    assert bad == "f: record 2: a file of ledger has the columns day, currency, amount"

    start, end = datetime(2026, 5, 1), datetime(2026, 6, 1)  # noqa: DTZ001 - FOCUS: UTC
    bill = parquet(
        {
            "BilledCost": [Decimal("1.5")],
            "EffectiveCost": [1.25],
            "BillingCurrency": ["USD"],
            "ChargePeriodStart": [start],
            "ChargePeriodEnd": [end],
            "Tags": [[("a", "b")]],
        },
        {"Tags": pa.map_(pa.string(), pa.string())},
    )
    (line,) = parse_costs("f", bill, "aws", 5)
    assert isinstance(line, CostRow)
    assert (line.billed, line.effective) == (Decimal("1.5"), Decimal("1.25"))
    assert line.to_ns - line.from_ns == 31 * 86_400 * 10**9


def test_orders_of_parquet_are_stored(store: Connections) -> None:
    """As they stand in the file."""
    report = import_outcomes(store.client(), "orders.parquet", PARQUET, "USD", ManualClock())

    assert (report.imported, report.refused) == (1, ())
    rows = store.client().query("SELECT toString(revenue), event_ns, source FROM outcomes")
    assert rows.result_rows == [("20.1", WHEN_NS, "parquet")]
