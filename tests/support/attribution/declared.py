"""Stores in which nothing but what is declared is a decision."""

from __future__ import annotations

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from tests.conftest import NOW_NS


def declared_only(store: Connections) -> None:
    """Take no root for a decision: the roots of a test may come before its first decision."""
    decisions = DecisionsConfig(auto=False)
    apply_views(store.client(), AttributesConfig(), decisions, OutcomesConfig(), NOW_NS)
