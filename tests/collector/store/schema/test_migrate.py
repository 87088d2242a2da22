from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.core.config import (
    AttributesConfig,
    DecisionMatch,
    DecisionsConfig,
    OutcomesConfig,
)
from collector.core.errors import MigrationError
from collector.core.event_schema import DIMENSIONS, EventField
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.store.connect import Connections
from collector.store.schema.cluster import render
from collector.store.schema.migrate import (
    MIGRATIONS_DIR,
    VIEWS_DIR,
    added_dimensions,
    apply_views,
    load_migrations,
    migrate,
)
from collector.wal.frames import encode_frame
from collector.write.insert_target import TABLES, insert_settings
from tests.conftest import NOW_NS
from tests.support.builders import (
    decision_span,
    key_values,
    logs_request,
    new_trace_id,
    outcome,
    span,
    store_request,
    trace_request,
)

START_NS = span().start_time_unix_nano
OURS = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())


@pytest.fixture
def two_migrations(tmp_path: Path) -> Path:
    """Return a directory with the first two migrations."""
    (tmp_path / "otlp").mkdir()
    for path in sorted((MIGRATIONS_DIR / "otlp").glob("*.sql"))[:2]:
        shutil.copy(path, tmp_path / "otlp")
    return tmp_path


def test_second_run_changes_nothing(empty_store: Connections) -> None:
    """Every start of the service migrates."""
    client = empty_store.client()
    applied = migrate(client, NOW_NS)
    views = apply_views(client, *OURS, NOW_NS)

    assert applied == [migration.name for migration in load_migrations()]
    assert views == sorted(path.stem for path in VIEWS_DIR.rglob("*.sql"))
    assert migrate(client, NOW_NS) == []
    assert apply_views(client, *OURS, NOW_NS) == []


def test_header_that_an_agent_captured_is_the_text_that_its_list_holds(store: Connections) -> None:
    """All sales were of no decision: the key of the order was `["A-1"]` and the sale's A-1."""
    header = "http.request.header.x-order-id"
    names = AttributesConfig(map={"outcome.key": header, "decision.region": "shop.region"})
    apply_views(store.client(), names, DecisionsConfig(), OutcomesConfig(), NOW_NS)
    sent = ['["A-1"]', '["A-1","A-2"]', '["', "A-1", '["quoted \\" one"]', "[1]"]
    spans = [
        decision_span(decision_id=f"d{at}", attributes={header: text, "shop.region": text})
        for at, text in enumerate(sent)
    ]
    for each in spans:
        kept = [
            pair for pair in each.attributes if pair.key not in ("outcome.key", "decision.region")
        ]
        del each.attributes[:]
        each.attributes.extend(kept)
    store_request(store, trace_request(*spans))
    rows = store.client().query("SELECT outcome_key, region FROM decisions ORDER BY decision_id")
    read = ["A-1", '["A-1","A-2"]', '["', "A-1", 'quoted " one', "[1]"]
    assert rows.result_rows == [(text, text) for text in read]


def test_store_of_before_the_first_release_is_refused(empty_store: Connections) -> None:
    """Its tables are others under the same names; one line says so, and what to do."""
    client = empty_store.client()
    migrate(client, NOW_NS)
    client.command("INSERT INTO schema_migrations VALUES ('0001_create_otel_traces', 'digest', 1)")

    with pytest.raises(MigrationError, match="before the first release; name an empty directory"):
        migrate(client, NOW_NS)


def test_dry_run_names_what_is_pending_and_does_nothing(
    empty_store: Connections, two_migrations: Path
) -> None:
    """An operator sees what a release will do before it does it."""
    client = empty_store.client()
    names = [f"otlp/{path.stem}" for path in sorted((two_migrations / "otlp").iterdir())]

    assert migrate(client, NOW_NS, dry_run=True, directory=two_migrations) == names
    assert client.query("EXISTS TABLE otel_traces").result_rows == [(0,)]


def test_start_that_was_killed_is_resumed(empty_store: Connections, two_migrations: Path) -> None:
    """A statement may have run without its line in the ledger."""
    client = empty_store.client()
    migrate(client, NOW_NS, directory=two_migrations)
    client.command("TRUNCATE TABLE schema_migrations")

    assert len(migrate(client, NOW_NS, directory=two_migrations)) == 2


def test_edited_migration_is_refused(empty_store: Connections, two_migrations: Path) -> None:
    """Two stores of one version must have one schema."""
    client = empty_store.client()
    migrate(client, NOW_NS, directory=two_migrations)
    edited = next(iter(sorted((two_migrations / "otlp").iterdir())))
    edited.write_text(edited.read_text() + "-- and more\n")

    with pytest.raises(
        MigrationError,
        match=rf"(?s)migration otlp/{edited.stem} was another; run that build.*store\.url",
    ):
        migrate(client, NOW_NS, directory=two_migrations)


def test_store_of_another_build_is_refused(empty_store: Connections, two_migrations: Path) -> None:
    """A program must not write into tables it does not know, of a newer one or an older one."""
    client = empty_store.client()
    migrate(client, NOW_NS, directory=two_migrations)
    newest = max((two_migrations / "otlp").iterdir())
    newest.unlink()

    with pytest.raises(
        MigrationError,
        match=f"has migration otlp/{newest.stem}, which.*run the build of Millworth that wrote it",
    ):
        migrate(client, NOW_NS, directory=two_migrations)


def test_customers_names_and_rules_make_decisions(empty_store: Connections) -> None:
    """The first hour needs no change to any service."""
    client = empty_store.client()
    migrate(client, NOW_NS)
    attributes = AttributesConfig(
        map={
            "decision.action": "shop.operation",
            "decision.region": "it's.region",
            "decision.ts.ingress": "shop.in",
            "outcome.id": "order",
        }
    )
    decisions = DecisionsConfig(
        match=(
            DecisionMatch(service="checkout", span_name="POST /pay", action="pay"),
            DecisionMatch(kind="consumer", attributes={"queue": "offers\\"}),
        )
    )
    apply_views(client, attributes, decisions, OutcomesConfig(currency="EUR"), NOW_NS)
    mapped = {"shop.operation": "offer", "it's.region": "eu", "shop.in": str(START_NS - 1)}
    ours_first = {"decision.action": "own", "shop.operation": "theirs"}

    queue = {"queue": "offers\\"}

    sent = [
        ("router", span(trace_id=new_trace_id(), attributes=mapped)),
        ("router", span(trace_id=new_trace_id(), attributes=ours_first)),
        ("checkout", span(trace_id=new_trace_id(), name="POST /pay")),
        ("other", span(trace_id=new_trace_id(), name="POST /pay")),
        ("r", span(trace_id=new_trace_id(), name="consume", kind="consumer", attributes=queue)),
        ("r", span(trace_id=new_trace_id(), name="serve", kind="server", attributes=queue)),
    ]
    for service, one in sent:
        store_request(empty_store, trace_request(one, service=service))
    record = outcome(outcome_id="", currency="")
    record.attributes.add(key="order").value.int_value = 7
    store_request(empty_store, logs_request(record))

    rows = client.query("SELECT action, region, ingress_ns FROM decisions ORDER BY action")
    assert rows.result_rows == [
        ("consume", "", START_NS),
        ("offer", "eu", START_NS - 1),
        ("own", "", START_NS),
        ("pay", "", START_NS),
    ]
    rows = client.query("SELECT outcome_id, currency FROM outcomes")
    assert rows.result_rows == [("7", "EUR")]


def test_changed_rule_remakes_the_views_that_it_is_in(store: Connections) -> None:
    """A rule in millworth.toml holds from the next start on."""
    rule = DecisionsConfig(match=(DecisionMatch(span_name="GET /price"),))

    made = apply_views(store.client(), AttributesConfig(), rule, OutcomesConfig(), NOW_NS + 1)
    store_request(store, trace_request(span()))

    assert made == ["decisions_mv", "otel_decision_spans_mv", "rejected_decisions_mv"]
    assert store.client().query("SELECT action FROM decisions").result_rows == [("GET /price",)]


def test_what_cannot_be_a_decision_is_named(store: Connections) -> None:
    """The span is stored all the same; what it claims is not counted."""
    late = decision_span(stamps_ns=[NOW_NS + 1])
    unknown = decision_span(attributes={"decision.schema": "99"})

    store_request(store, trace_request(late, unknown, decision_span()))

    client = store.client()
    assert client.query("SELECT count() FROM decisions").result_rows == [(1,)]
    assert client.query("SELECT count() FROM otel_traces").result_rows == [(3,)]
    rows = client.query("SELECT reason_code, item_count FROM rejected ORDER BY 1").result_rows
    assert rows == [("ingress_after_end", 0), ("schema_unknown", 0)]


def test_log_of_an_older_release_makes_no_partition_a_day_of_ingress(store: Connections) -> None:
    """It may hold stamps that are refused by now, each of which would be a part of its own."""
    days = [
        decision_span(decision_id=f"{day}", stamps_ns=[NOW_NS - day * NS_PER_DAY])
        for day in range(1, 90)
    ]
    client = store.client()
    client.raw_insert(
        TABLES[Signal.TRACES],
        insert_block=encode_frame(trace_request(*days).SerializeToString(), NOW_NS, len(days)),
        fmt="Protobuf",
        settings=insert_settings(Signal.TRACES),
    )

    ids = client.query("SELECT decision_id FROM decisions ORDER BY toUInt32(decision_id)")
    assert [int(decision_id) for (decision_id,) in ids.result_rows] == list(range(1, 32))
    rejected = client.query(
        "SELECT reason_code, uniqExact(item_id), any(detail) FROM rejected GROUP BY 1"
    ).result_rows
    assert [row[:2] for row in rejected] == [("ingress_long_before_end", 58)]
    assert "lies more than 31 days before the end of the root" in rejected[0][2]


def test_of_a_stamp_that_is_there_twice_the_store_has_the_first(store: Connections) -> None:
    """The receiver judges that one."""
    twice = span(attributes={"decision.action": "offer", "decision.ts.ingress": START_NS - 1})
    twice.attributes.extend(key_values({"decision.ts.ingress": START_NS}))
    listed = span(attributes={"decision.action": "listed", "decision.ts.ingress": START_NS - 2})
    listed.attributes.extend(key_values({"decision.ts.ingress": START_NS, "l": [1]}))

    store_request(store, trace_request(twice))
    store_request(store, trace_request(listed))

    rows = store.client().query("SELECT action, ingress_ns FROM decisions ORDER BY 1").result_rows
    assert rows == [("listed", START_NS - 2), ("offer", START_NS - 1)]


def test_dimension_that_the_registry_adds_becomes_a_column(store: Connections) -> None:
    """One entry of the registry is enough: no migration is written for a text of a decision."""
    said = "\n".join(path.read_text() for path in sorted(MIGRATIONS_DIR.glob("*/*.sql")))
    before = added_dimensions(said, DIMENSIONS)
    invented = EventField("decision.invented", dimension=True)
    after = added_dimensions(said, (*DIMENSIONS, invented))
    ((name, text),) = after.items() - before.items()
    assert name == "column decisions.invented"
    for _ in range(2):  # a start that was killed runs it again
        store.client().command(render(text, ""))
    columns = store.client().query("DESCRIBE TABLE decisions").result_rows
    assert ("invented", "LowCardinality(String)") in [row[:2] for row in columns]


def test_two_collectors_may_start_at_once_on_an_empty_store(empty_store: Connections) -> None:
    """Any number of them may run, and a rollout starts them together."""
    together = threading.Barrier(2)

    def start() -> list[str]:
        connections = Connections(empty_store.config)
        try:
            client = connections.client()
            together.wait()
            return migrate(client, NOW_NS) + apply_views(client, *OURS, NOW_NS)
        finally:
            connections.close()

    with ThreadPoolExecutor(2) as pool:
        made = [start.result() for start in [pool.submit(start) for _ in range(2)]]

    assert {*made[0], *made[1]} >= {path.stem for path in VIEWS_DIR.rglob("*.sql")}
    assert apply_views(empty_store.client(), *OURS, NOW_NS) == []
