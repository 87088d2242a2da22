"""I/O: the current context of OpenTelemetry and its keys, by the shortest way."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from typing import Final

from opentelemetry.context import Context, attach, create_key, detach, get_current
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

DECISION_KEY: Final = create_key("millworth-decision")
# The key under which OpenTelemetry keeps the current span, learnt through its public call; to
# build the context with it directly saves two copies a decision.
SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))


def _runtime() -> tuple[
    Callable[[], Context], Callable[[Context], Token[Context]], Callable[[Token[Context]], None]
]:
    """Return how to get, set and reset the current context.

    OpenTelemetry keeps it in a context variable unless it was told otherwise, and the token of its
    public call names that variable: to use it directly halves what a decision pays for it.
    """
    token = attach(get_current())
    detach(token)
    foreign_token: object = token  # what another runtime of OpenTelemetry returns is its own affair
    if isinstance(foreign_token, Token):
        return foreign_token.var.get, foreign_token.var.set, foreign_token.var.reset
    return get_current, attach, detach


get_context, set_context, reset_context = _runtime()
