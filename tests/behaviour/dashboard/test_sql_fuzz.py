"""Random SQL from outside touches nothing.

For hours: `python -m tests.support.dashboard.sql_fuzz`.
"""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.store.connect import Connections
from dashboard.read.adhoc.reader import OutsideReader
from tests.support.dashboard.canary import Canary
from tests.support.dashboard.sql_fuzz import grammar_of, try_statements
from tests.support.examples import examples


@pytest.mark.drawn
def test_random_statements_touch_no_file_no_socket_and_no_program(
    world: Connections, canary: Canary
) -> None:
    """A way around the lists that nobody thought of shows here, by what it does."""
    hasty = Connections(world.config.model_copy(update={"query_seconds_max": 0.1}))
    reader = OutsideReader(hasty)
    grammar = grammar_of(world, canary, seed=4, scripts=())
    faults, answered, statements = [], 0, examples(400)
    for tally, fault in try_statements(reader, grammar, canary, statements):
        answered = tally.answered
        if fault:
            faults.append(fault)
    assert faults == []
    assert answered > statements / 100, "statements that nobody answers test nothing"


def test_the_canary_sees_what_the_engine_alone_would_do(
    engine: Connections, canary: Canary
) -> None:
    """Without the judge the same statements read and write: the canary would tell."""
    client = engine.client()
    assert not canary.touched()
    ((said,),) = client.query(rf"SELECT `\x66ile`('{canary.file}')").result_rows
    assert Canary.SECRET in said
    assert canary.touched()
    client.command(f"SELECT 1 INTO OUTFILE '{canary.file}.copy' FORMAT TSV")
    assert canary.touched()
    with pytest.raises(ClickHouseError, match="Not enough privileges"):
        client.query(f"DESCRIBE TABLE url('http://{canary.address}/', 'RawBLOB')")
    assert not canary.touched()
    engine.close()
