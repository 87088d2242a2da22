"""I/O: the second service of the reference path: takes an order to the shop floor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from collector.instrument import asgi_request_hook
from dashboard.reference.child import Child, run, serve_until_stopped
from dashboard.reference.telemetry import tracer_provider

SERVICE: Final = "fulfilment"
_HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"17")]
_BODY: Final = b'{"reserved":true}'

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Fulfilment:
    """The ASGI application: one request reserves one offer."""

    def __init__(self, child: Child, tracer: Tracer) -> None:
        self._child = child
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, in a server span that continues the caller's trace."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        with self._tracer.start_as_current_span(
            f"{scope['method']} {scope['path']}",
            context=self._propagator.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"decision.stage": "egress"},
        ) as span:
            asgi_request_hook(span, scope)
            while (await receive()).get("more_body"):
                pass
            await self._child.delay("egress/compute", headers.get("x-region", ""))
            span.set_attribute("http.response.status_code", 200)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _BODY})


async def main(child: Child) -> None:
    """Run the service until told to stop, then export what is left."""
    provider = tracer_provider(SERVICE, child.settings.otlp_endpoint)
    app = Fulfilment(child, provider.get_tracer("dashboard.reference"))
    await serve_until_stopped(child, "fulfilment", app)
    provider.shutdown()


if __name__ == "__main__":
    run(main)
