"""I/O: whether a decision was declared yet; until then roots are decisions."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.otlp.native.spans import Wanted
from collector.store.schema.migrate import NONE_DECLARED
from collector.write.decision_spans import wanted_spans


class WantedSpans:
    """Which spans the views of decisions are asked about now.

    Args:
        attributes: a customer's own names.
        decisions: which spans are decisions.
    """

    def __init__(self, attributes: AttributesConfig, decisions: DecisionsConfig) -> None:
        self._declared = wanted_spans(attributes, decisions)
        self._all = wanted_spans(attributes, decisions, has_roots=True)
        self._is_settled = not decisions.is_auto

    def now(self, client: Client) -> Wanted:
        """Return them as of now; once a decision was declared the store is not asked again."""
        if not self._is_settled:
            ((none_declared,),) = client.query(NONE_DECLARED).result_rows
            self._is_settled = not none_declared
        return self._declared if self._is_settled else self._all
