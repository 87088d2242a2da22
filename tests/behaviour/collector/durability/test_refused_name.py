"""A disk that writes, and refuses a part its name when the engine has noted it as done."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from collector.service import CollectorService
from collector.store.connect import Connections
from tests.support.builders import new_trace_id, span, trace_request
from tests.support.collector.clients import WAIT_S, post


def test_insert_whose_part_got_no_name_is_stored_once_it_can(
    service: CollectorService, store: Connections, http: httpx.Client
) -> None:
    """The next attempt was answered OK, the segment deleted, and its spans were nowhere."""
    paths = (
        "SELECT data_paths[1] FROM system.tables"
        " WHERE database = currentDatabase() AND name = 'otel_traces'"
    )
    ((path,),) = store.client().query(paths).result_rows
    post(http, trace_request(span(trace_id=new_trace_id())))
    assert service.flush(WAIT_S)
    day, number = max(
        (int(found[2]), found[1])
        for each in Path(path).iterdir()
        if (found := re.fullmatch(r"(\d+)_\d+_(\d+)_\d+", each.name))
    )[::-1]
    in_the_way = Path(path) / f"{day}_{number + 1}_{number + 1}_0"
    in_the_way.touch()

    post(http, trace_request(span(trace_id=new_trace_id())))

    assert not service.flush(0.5)
    in_the_way.unlink()
    assert service.flush(WAIT_S)
    assert store.client().query("SELECT count() FROM otel_traces").result_rows == [(2,)]
