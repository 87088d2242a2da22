"""I/O: whether a decision was declared yet; until then roots are decisions."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_HOUR
from collector.otlp.native.spans import SpanSelection
from collector.write.decision_spans import wanted_spans

_DECLARED = sql("declared_since", __file__)


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
        self._after_ns = 0  # what arrived before was looked at

    def now(self, client: Client) -> SpanSelection:
        """Return them as of now; once a decision was declared the store is not asked again.

        Until then each look is at what arrived since the one before, and an hour before that:
        other processes write as well, by other clocks.
        """
        if not self._is_settled:
            parameters = {"after_ns": self._after_ns}
            ((is_declared, newest_ns),) = client.query(_DECLARED, parameters=parameters).result_rows
            self._is_settled = bool(is_declared)
            self._after_ns = max(self._after_ns, newest_ns - NS_PER_HOUR)
        return self._declared if self._is_settled else self._all
