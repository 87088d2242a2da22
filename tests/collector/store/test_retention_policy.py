"""Retention: rows leave by policy, held rows stay, and what is not so is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.audit.log import check_audit, read_audit
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.errors import ConfigError, InputError
from collector.core.times import NS_PER_S, S_PER_DAY
from collector.store.connect import Connections
from collector.store.lapses import drop_lapsed
from collector.store.retention import (
    add_hold,
    apply_retention,
    begin_retention,
    kept_tables,
    read_holds,
    read_retention,
    release_hold,
)
from collector.store.retention_policy import (
    Hold,
    RetentionConfig,
    TableRetention,
    held_condition,
    slack_s,
    ttl_expression,
)
from collector.store.schema.migrate import MIGRATIONS_DIR, migrate
from collector.store.ttl_change import change_statements, finish_changes, read_tables
from tests.conftest import NOW_NS

# By the machine's clock, as a service drops rows.
DAY_NS = S_PER_DAY * NS_PER_S


@pytest.fixture(scope="module")
def migrated(engine: Connections) -> Iterator[Connections]:
    """Yield a migrated store of this module's own: its TTLs change from test to test."""
    config = StoreConfig(url=engine.config.url, database="retention")
    store = Connections(config)
    migrate(store.client(), NOW_NS)
    yield store
    store.client().command("DROP DATABASE retention")
    store.close()


@pytest.fixture
def kept(migrated: Connections) -> Connections:
    """Return it without rows and holds, every TTL at its default."""
    client = migrated.client()
    for table in ("rejected", "holds", "outcomes"):
        client.command(f"TRUNCATE TABLE {table}")
    apply_retention(client, RetentionConfig())
    return migrated


def put(store: Connections, *ages_days: float, now_ns: int) -> None:
    """Insert one row a age into `rejected`, without letting a merge look at them."""
    rows = [[now_ns - round(age * DAY_NS), "traces", f"{age}"] for age in ages_days]
    store.client().insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])


def ages(store: Connections) -> list[float]:
    """Return the ages of the rows that are there once what is over its time is dropped."""
    client = store.client()
    changing = [each.name for each in read_tables(client, ["rejected"], "") if each.is_changing]
    drop_lapsed(client, SystemClock().now_ns() // NS_PER_S, changing)
    rows = store.client().query("SELECT item_id FROM rejected ORDER BY received_ns DESC")
    return [float(age) for (age,) in rows.result_rows]


def settle(store: Connections, config: RetentionConfig) -> None:
    """Let the parts learn their times, which nobody waits for in a service."""
    assert apply_retention(store.client(), config) == []


def of_rejected(store: Connections, config: RetentionConfig, now_ns: int) -> TableRetention:
    """Return what is said of `rejected`."""
    (row,) = (
        row for row in read_retention(store.client(), config, now_ns) if row.table == "rejected"
    )
    return row


def hold(now_ns: int, from_days: float, to_days: float, **changes: object) -> Hold:
    """Return a hold on rows of `rejected` of these ages."""
    fields: dict[str, object] = {
        "name": "case-7",
        "tables": ("rejected",),
        "from_ns": now_ns - round(from_days * DAY_NS),
        "to_ns": now_ns - round(to_days * DAY_NS),
        "reason": "claim 7 of 2026",
        "actor": "ada",
        "at_ns": now_ns,
    }
    return Hold(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def test_defaults_are_what_the_tables_were_made_with(kept: Connections) -> None:
    """A start with default settings alters nothing, and every TTL is known."""
    assert apply_retention(kept.client(), RetentionConfig(), accepted_days=30) == []
    with_ttl = {
        table[1]
        for path in MIGRATIONS_DIR.glob("*/*.sql")
        if "\nTTL " in (text := path.read_text())
        and (table := re.search(r"CREATE TABLE IF NOT EXISTS (\w+)", text))
    }
    assert set(kept_tables()) == with_ttl


def test_row_leaves_when_the_policy_is_shortened_and_its_group_alone_is_changed(
    kept: Connections,
) -> None:
    """On a table that exists; the parts learn their new times without being rewritten."""
    now_ns = SystemClock().now_ns()
    put(kept, 1, 5, 20, now_ns=now_ns)
    config = RetentionConfig(tables={"rejected": 3}, packets_days=7)

    changed = apply_retention(kept.client(), config)

    assert {"rejected", "packets", "flows", "span_flows"} <= set(changed)
    assert "decisions" not in changed
    assert ages(kept) == [1]
    assert apply_retention(kept.client(), config) == []
    row = of_rejected(kept, config, now_ns)
    assert (row.days, row.rows, row.overdue_rows, row.problems) == (3, 1, 0, [])
    assert row.oldest_ns == (now_ns - DAY_NS) // NS_PER_S * NS_PER_S
    assert row.bytes > 0


def test_merges_that_a_killed_process_left_stopped_are_started_by_the_next(
    kept: Connections,
) -> None:
    """Wherever it was killed: the TTL is as it should be, and the mark alone tells."""
    config = RetentionConfig(tables={"rejected": 3})
    apply_retention(kept.client(), config)
    ttl = of_rejected(kept, config, 0).ttl
    for statement in change_statements("rejected", ttl, "retention", "")[:2]:
        kept.client().command(statement)
    put(kept, 1, 20, now_ns=SystemClock().now_ns())
    assert ages(kept) == [1, 20]

    assert apply_retention(kept.client(), config) == []

    assert ages(kept) == [1]


def test_nothing_lapses_until_every_part_knows_its_times(kept: Connections) -> None:
    """A hold is in force when it is made, though parts are recalculated behind it."""
    now_ns = SystemClock().now_ns()
    config = RetentionConfig(tables={"rejected": 3})
    put(kept, 1, 5, 10, now_ns=now_ns)
    assert "rejected" in begin_retention(kept.client(), config)
    assert ages(kept) == [1, 5, 10]
    assert of_rejected(kept, config, now_ns).is_changing
    add_hold(kept.client(), config, hold(now_ns, 11, 9))
    assert ages(kept) == [1, 5, 10]
    settle(kept, config)
    assert ages(kept) == [1, 10]
    assert not of_rejected(kept, config, now_ns).is_changing
    assert finish_changes(kept.client()) == {}


def test_held_rows_stay_whatever_the_policy_says_until_they_are_released(
    kept: Connections,
) -> None:
    """Those that arrive under the hold too; others of the table lapse as ever."""
    now_ns = SystemClock().now_ns()
    config = RetentionConfig(tables={"rejected": 3})
    put(kept, 1, 5, 10, 20, now_ns=now_ns)

    add_hold(kept.client(), config, hold(now_ns, 11, 9))
    put(kept, 9.5, now_ns=now_ns)
    settle(kept, config)

    assert ages(kept) == [1, 9.5, 10]
    row = of_rejected(kept, config, now_ns)
    assert (row.holds, row.overdue_rows, row.problems) == (["case-7"], 0, [])
    assert row.oldest_ns is not None
    assert row.oldest_ns < now_ns - 9 * DAY_NS

    release_hold(kept.client(), config, "case-7", actor="bob", now_ns=now_ns + 1)
    settle(kept, config)
    assert ages(kept) == [1]
    assert of_rejected(kept, config, now_ns).holds == []
    (stored,) = read_holds(kept.client())
    assert (stored.released_ns, stored.actor) == (now_ns + 1, "bob")


def test_hold_is_made_and_released_in_the_audit_table(kept: Connections) -> None:
    """Who kept what from being deleted, and who let it go, cannot be changed unseen."""
    now_ns = SystemClock().now_ns()
    before = len(read_audit(kept.client()))
    config = RetentionConfig()
    add_hold(kept.client(), config, hold(now_ns, 2, 1, tables=("*",)))
    release_hold(kept.client(), config, "case-7", actor="bob", now_ns=now_ns + 5)

    rows = read_audit(kept.client())
    assert check_audit(rows).broken_seq is None
    said = [(row.actor, row.action, row.at_ns) for row in rows[before:]]
    assert said == [("ada", "hold_added", now_ns), ("bob", "hold_released", now_ns + 5)]
    assert json.loads(rows[-1].detail)["reason"] == "claim 7 of 2026"


def test_hold_of_all_tables_is_in_every_ttl(kept: Connections) -> None:
    """`*` holds tables that no one thought of."""
    now_ns = SystemClock().now_ns()
    add_hold(kept.client(), RetentionConfig(), hold(now_ns, 2, 1, tables=("*",)))

    rows = read_retention(kept.client(), RetentionConfig(), now_ns)

    assert {row.table for row in rows} == set(kept_tables())
    assert all(row.holds == ["case-7"] and "if(" in row.ttl and not row.problems for row in rows)


def test_hold_that_was_not_put_into_the_ttls_is_found_and_put_there(kept: Connections) -> None:
    """A process may be killed between the row and the TTLs; the next start finishes it."""
    now_ns = SystemClock().now_ns()
    kept.client().insert("holds", [list(hold_row(hold(now_ns, 2, 1)))])
    (problem,) = of_rejected(kept, RetentionConfig(), now_ns).problems
    assert problem.startswith("TTL is toDateTime(intDiv(received_ns, 1000000000)) + toInterval")

    assert apply_retention(kept.client(), RetentionConfig()) == ["rejected"]
    assert of_rejected(kept, RetentionConfig(), now_ns).problems == []


def hold_row(made: Hold) -> tuple[object, ...]:
    """Return a hold as its row."""
    return tuple(getattr(made, name) for name in Hold.__slots__)


def test_days_after_which_the_first_rows_lapse_are_the_least_of_all() -> None:
    """By them a start knows that nothing would be left."""
    assert RetentionConfig().days_least == 30
    assert RetentionConfig(spans_days=7).days_least == 7
    assert RetentionConfig(spans_days=7, tables={"rejected": 3}).days_least == 3


def test_row_that_outlived_its_policy_is_found(kept: Connections) -> None:
    """Where nothing is dropped nobody is told by a table that is there."""
    now_ns = SystemClock().now_ns()
    put(kept, 1, 20, 36, now_ns=now_ns + 6 * DAY_NS)
    row = of_rejected(kept, RetentionConfig(), now_ns + 6 * DAY_NS)
    longer = of_rejected(kept, RetentionConfig(tables={"rejected": 35}), now_ns + 6 * DAY_NS)

    assert row.overdue_rows == 1
    assert "1 rows are older than 30 days and 2 days of slack" in row.problems[0]
    assert longer.overdue_rows == 0  # within the slack; its TTL differs all the same
    assert "expected" in longer.problems[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "say why"),
        ({"tables": ("rejectd",)}, "did you mean rejected?"),
        ({"tables": ("audit",)}, "not a table with a TTL"),
        ({"tables": ("*", "rejected")}, "alone"),
        ({"tables": ()}, "name tables"),
        ({"from_ns": 10, "to_ns": 10}, "is not a time"),
        (
            {"from_ns": 1_796_169_600 * NS_PER_S, "to_ns": 1_796_083_200 * NS_PER_S},
            "from 2026-12-02T00:00:00Z to 2026-12-01T00:00:00Z is not a time",
        ),
        ({"to_ns": 2**63}, "before 2100"),
        ({"to_ns": 10**30}, "before 2100"),
        ({"from_ns": -(10**30)}, "before 2100"),
        ({"name": "a\nb"}, "printable"),
        ({"name": ".."}, "name the case"),
    ],
)
def test_hold_that_cannot_be_is_refused(
    kept: Connections, change: dict[str, object], said: str
) -> None:
    """And leaves neither a row nor a line in the audit."""
    now_ns = SystemClock().now_ns()
    with pytest.raises(InputError, match=re.escape(said)):
        add_hold(kept.client(), RetentionConfig(), hold(now_ns, 2, 1, **change))
    assert read_holds(kept.client()) == []


def test_name_of_a_hold_is_used_once(kept: Connections) -> None:
    """What a name meant in the audit stays what it means."""
    now_ns = SystemClock().now_ns()
    client, config = kept.client(), RetentionConfig()
    add_hold(client, config, hold(now_ns, 2, 1))
    release_hold(client, config, "case-7", actor="bob", now_ns=0)  # a clock that stepped back

    with pytest.raises(InputError, match="a name is used once"):
        add_hold(client, config, hold(now_ns, 4, 3))
    with pytest.raises(InputError, match="case-7 is not in force; those in force: none"):
        release_hold(client, config, "case-7", actor="bob", now_ns=now_ns)


@pytest.mark.parametrize(
    ("config", "accepted", "said"),
    [
        (RetentionConfig(tables={"rejectd": 3}), 0, "did you mean rejected?"),
        (RetentionConfig(tables={"rejected": 0}), 0, "expected 1 to"),
        (RetentionConfig(telemetry_days=7), 30, "would lapse as they are stored"),
        (RetentionConfig(spans_days=7), 30, "otel_span_skeletons keeps rows for 7 days"),
    ],
)
def test_policy_that_cannot_be_is_refused(
    kept: Connections, config: RetentionConfig, accepted: int, said: str
) -> None:
    """A misspelt table would be kept for another time than was asked."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        apply_retention(kept.client(), config, accepted_days=accepted)


@pytest.mark.parametrize(
    ("table", "made_with", "interval"),
    [
        ("otel_logs", "30 DAY", "toIntervalDay(7)"),
        ("otel_traces", "30 DAY", "toIntervalDay(3)"),
        ("otel_span_skeletons", "30 DAY", "toIntervalDay(3)"),
        ("path_columns", "30 DAY", "toIntervalDay(3)"),
        ("attributions", "30 DAY", "toIntervalDay(8)"),
        ("decisions", "30 DAY", "toIntervalDay(8)"),
        ("provenance_chains", "31 DAY", "toIntervalDay(9)"),  # a day longer than its events
        ("span_flows", "30 DAY", "toIntervalDay(5)"),
        ("incidents", "395 DAY", "toIntervalDay(400)"),
        ("slope_models", "10 YEAR", "toIntervalYear(2)"),
        ("costs", "3 YEAR", "toIntervalYear(4)"),
        ("wire_times", "30 DAY", "toIntervalDay(5)"),
        ("vram_models", "10 YEAR", "toIntervalDay(99)"),  # named by itself
    ],
)
def test_group_of_a_table_follows_from_what_it_was_made_with(
    table: str, made_with: str, interval: str
) -> None:
    """So that a table that is added later needs no entry in a list."""
    config = RetentionConfig(
        telemetry_days=7,
        decisions_days=8,
        spans_days=3,
        packets_days=5,
        alerts_days=400,
        books_years=4,
        models_years=2,
        tables={"vram_models": 99},
    )
    assert config.interval(table, made_with) == interval
    assert config.days("slope_models", "10 YEAR") == 732


@pytest.mark.parametrize(
    ("partition", "days"),
    [
        ("toDate(Timestamp)", 2),
        ("toStartOfWeek(Start)", 8),
        ("toStartOfMonth(x)", 32),
        ("toYear(x)", 367),
    ],
)
def test_slack_is_a_part_and_a_day(partition: str, days: int) -> None:
    """A part is dropped whole, so its first row waits for its last one."""
    assert slack_s(partition) == days * S_PER_DAY


@given(
    st.lists(st.tuples(st.integers(0, 4 * 10**18), st.integers(1, 10**17)), min_size=1, max_size=4),
    st.integers(0, 4_000_000_000),
    st.integers(0, 10**6),
)
def test_condition_holds_for_the_seconds_of_the_holds_alone(
    spans: list[tuple[int, int]], second: int, margin_s: int
) -> None:
    """Whole seconds: one that is held in part is held."""
    holds = [
        Hold(f"h{n}", ("*",), start, start + length, "why", "ada", 0)
        for n, (start, length) in enumerate(spans)
    ]
    said = held_condition("S", holds, margin_s)
    as_python = said.replace("OR", "or").replace("AND", "and").replace("toDateTime", "")

    held = any(
        h.from_ns // NS_PER_S - margin_s <= second < -(-h.to_ns // NS_PER_S) + margin_s
        for h in holds
    )
    assert bool(eval(as_python, {"S": second})) is held
    assert said == held_condition("S", [*reversed(holds), *holds], margin_s)
    assert ttl_expression("S", "toIntervalDay(3)", []) == "S + toIntervalDay(3)"
