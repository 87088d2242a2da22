"""The first minute of a new user: how to send, and what is missing for the first decision."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from collector.auth.tokens import AccessConfig
from collector.bench.harness import start_collector
from collector.core.config import CollectorConfig, DecisionsConfig, StoreConfig, TlsConfig
from collector.store.connect import Connections
from dashboard.pages.context import PageContext
from dashboard.pages.overview import start
from dashboard.read.reader import Reader
from dashboard.settings.config import SenderDoor, sender_door
from tests.conftest import NOW_NS
from tests.support.builders import new_trace_id, span, store_request, trace_request
from tests.support.dashboard.app import page_context


@pytest.fixture
def context(store: Connections) -> Iterator[PageContext]:
    """Return what pages are given, over an empty store."""
    with page_context(Reader(store), NOW_NS, door=SenderDoor("http://10.1.2.3:4318")) as context:
        yield context


def shown(context: PageContext) -> tuple[bool, str, str]:
    """Return whether the panel is hidden, what it says, and what there is to copy."""
    hidden, said, code = (start.show(start.read(context))[each] for each in start.OUTPUTS)
    return bool(hidden), str(said), str(code)


def test_empty_store_says_how_to_send(context: PageContext) -> None:
    """With the address of this service."""
    hidden, said, code = shown(context)
    assert not hidden
    assert "No decision is stored yet" in said
    assert "export OTEL_EXPORTER_OTLP_ENDPOINT=http://10.1.2.3:4318\n" in code
    assert "millworth import otlp FILE" in code
    assert "curl -sS http://10.1.2.3:4318/v1/traces" in code


def test_test_trace_is_a_decision(context: PageContext, store: Connections, tmp_path: Path) -> None:
    """What is to be copied is run by a shell as it stands, twice: a second ends whenever it asks.

    `curl` shows what it would send.
    """
    code = shown(context)[2].partition("# a test trace")[2].partition("millworth import")[0]
    asked = shlex.quote(str(tmp_path / "asked"))
    date = f'date() {{ echo >> {asked}; echo $(($(command date "$@") + $(wc -l < {asked}))); }}\n'
    collector = start_collector(store, tmp_path / "wal")
    for _ in range(2):
        body = subprocess.run(
            ["/bin/sh", "-c", "curl() { cat; }\n" + date + "#" + code],
            capture_output=True,
            check=True,
        ).stdout
        answer = httpx.post(
            f"http://127.0.0.1:{collector.http_port}/v1/traces",
            content=body,
            headers={"content-type": "application/json"},
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
    assert collector.stop(60)
    assert shown(context) == (True, "", "")
    found = store.client().query("SELECT toString(action), end_ns - start_ns FROM decisions")
    assert found.result_rows == [("auto GET /test", 25_000_000)] * 2


def test_roots_that_are_no_decisions_come_with_the_lines_that_make_them_so(
    context: PageContext, store: Connections
) -> None:
    """The lines are TOML that the settings take, whatever a name holds; names stay text."""
    name = 'tick "nightly" \\ <b> \x7f \x01 😀'
    spans = [span(trace_id=new_trace_id(), name=name, kind="internal") for _ in range(2)]
    spans.append(span(trace_id=new_trace_id(), name="GET", kind="client"))
    first = spans[0]
    spans.append(span(trace_id=first.trace_id.hex(), parent_span_id=first.span_id.hex()))
    store_request(store, trace_request(*spans))

    hidden, said, code = shown(context)

    assert not hidden
    assert said.startswith("4 spans came in the last hour, and none of them is a decision yet.")
    rules = DecisionsConfig.model_validate(tomllib.loads(code)["decisions"]).match
    assert [(rule.span_name, rule.kind) for rule in rules] == [
        (name, "internal"),
        ("GET", "client"),
    ]


def test_root_called_by_its_method_is_told_from_others_by_its_path(
    context: PageContext, store: Connections
) -> None:
    """One rule for `GET` would make one decision of a whole shop."""
    paths = [("/a", "url.path"), ("/b", "url.path"), ("/b", "url.path"), ("/c/{id}", "http.route")]
    spans = [
        span(trace_id=new_trace_id(), name="GET", kind="client", attributes={name: path})
        for path, name in paths
    ]
    store_request(store, trace_request(*spans))
    code = shown(context)[2]
    rules = DecisionsConfig.model_validate(tomllib.loads(code)["decisions"]).match
    assert [(rule.attributes, rule.action) for rule in rules] == [
        ({"url.path": "/b"}, "GET /b"),
        ({"http.route": "/c/{id}"}, "GET /c/{id}"),
        ({"url.path": "/a"}, "GET /a"),
    ]


def test_what_serves_a_caller_that_sends_nothing_is_proposed_too(
    context: PageContext, store: Connections
) -> None:
    """Behind a gateway no span is a root, and a newcomer had nothing to do next."""
    trace_id = new_trace_id()
    served = span(
        name="POST /checkout",
        kind="server",
        trace_id=trace_id,
        parent_span_id="00000000000000aa",
    )
    inner = span(
        name="GET /price", kind="server", trace_id=trace_id, parent_span_id=served.span_id.hex()
    )
    store_request(store, trace_request(served, inner))
    hidden, said, code = shown(context)
    assert not hidden
    assert "none of them is a decision yet" in said
    rules = DecisionsConfig.model_validate(tomllib.loads(code)["decisions"]).match
    assert [(rule.span_name, rule.kind) for rule in rules] == [("POST /checkout", "server")]


def test_first_decision_ends_it(context: PageContext, store: Connections) -> None:
    """From then on the page speaks of decisions."""
    store_request(store, trace_request(span(kind="server")))
    assert shown(context) == (True, "", "")


def test_page_of_a_store_that_is_known_empty_begins_with_it(
    context: PageContext, store: Connections
) -> None:
    """Where the panel was shown it has its place at once; laying out a page asks no store."""
    assert start.layout(context).hidden is True
    shown(context)
    away = replace(context, reader=Reader(Connections(StoreConfig(url="http://127.0.0.1:1"))))
    assert start.layout(away).hidden is False
    assert start.read(away, in_window=1) is None
    assert start.layout(away).hidden is True


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4318"),
        ("::1", "http://[::1]:4318"),
        ("0.0.0.0", "http://THIS-HOST:4318"),
    ],
)
def test_address_is_that_of_the_receiver(host: str, url: str) -> None:
    """Where all addresses are listened on, a person knows the name."""
    assert sender_door(CollectorConfig(host=host), AccessConfig()) == SenderDoor(url)


def test_what_a_secured_receiver_asks_is_in_what_is_to_be_copied(
    context: PageContext, tmp_path: Path
) -> None:
    """Each line for a secured receiver; without it the first trace of a newcomer is refused."""
    pem = tmp_path / "any.pem"
    access = AccessConfig.model_validate(
        {"tokens": [{"name": "shop", "hash": "sha256:" + "0" * 64, "scopes": ["traces"]}]}
    )
    door = sender_door(
        CollectorConfig(tls=TlsConfig(cert_file=pem, key_file=pem, client_ca_file=pem)), access
    )
    code = shown(replace(context, door=door))[2]
    for line in (
        "export OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:4318\n",
        "export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20TOKEN'",
        "export OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem",
        "export OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=client.pem",
        "export OTEL_EXPORTER_OTLP_CLIENT_KEY=client.key\n",
        "curl -sS -H 'authorization: Bearer TOKEN' --cacert ca.pem "
        "--cert client.pem --key client.key https://127.0.0.1:4318/v1/traces",
    ):
        assert line in code
    assert "TOKEN" not in shown(context)[2]
