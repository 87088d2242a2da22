"""Every operation of the OpenAPI document, with values of its schema and others: as it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from alerts.state.sqlite import AlertStore
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.web.app import create_app
from tests.support.dashboard.app import FixedHealth
from tests.support.examples import examples

HEADERS = {"host": "127.0.0.1"}


@pytest.mark.drawn
def test_no_operation_answers_with_a_server_error(own_world: Connections, tmp_path: Path) -> None:
    """Whatever a client sends is answered, or refused with what is wrong, as the document says."""
    alerts = AlertStore(tmp_path / "alerts.sqlite")
    app = create_app(AppContext(own_world, FixedHealth(), Counters(), alert_state=alerts))
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app.server, headers=HEADERS)
    operations = [result.ok() for result in document.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 30
    faults = []
    for operation in operations:

        @settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def tried(case: schemathesis.Case[Any]) -> None:
            answer = case.call(headers=HEADERS)
            said = f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code < 500, said
            assert str(answer.status_code) in case.operation.definition.raw["responses"], said

        try:
            tried()
        except AssertionError as error:
            faults.append(str(error))
    alerts.close()
    assert faults == []
