"""I/O: the decision service: ingress, transform, decision, egress.

`GET /decide?customer=c0001&region=eu-west&channel=web` answers which offer this customer gets.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import parse_qs

import httpx
import redis.asyncio
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.trace import Tracer

from collector.instrument import (
    Decision,
    DecisionInstrument,
    DelayInjector,
    httpx_async_response_hook,
    reporting_connection,
)
from dashboard.reference.child import HOST, Child, run, serve_until_stopped, sleep_ns
from dashboard.reference.fulfilment import Receive, Send
from dashboard.reference.identity_store import Address, identity_key, offer_key
from dashboard.reference.telemetry import (
    decision_instrument,
    decision_seal,
    logger_provider,
    tracer_provider,
)
from dashboard.reference.world import CHANNEL_SHARE

SERVICE: Final = "decision-path"
STORE_WAIT_S_MAX: Final = 5.0
STORE_CONNECTIONS_WARM: Final = 8
_MICRO_USD: Final = Decimal("0.000001")
_ON_ITS_WAY_NS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Request:
    """What a customer asks for."""

    customer_id: str
    region: str
    channel: str


@dataclass(frozen=True, slots=True)
class Priced:
    """The offer that is made, and what it is expected to earn."""

    offer_type: str
    price_usd: Decimal
    expected_margin_usd: Decimal


# Sixteen times what 60 decisions a second hold at a healthy 40 ms. A path that takes on more than
# it can do answers nobody in time, and does not recover when the load falls.
IN_FLIGHT_MAX = 40


def parse_request(query: bytes, regions: tuple[str, ...]) -> Request:
    """Read a query string. Raises ValueError, which is answered with 400."""
    given = {name: values[0] for name, values in parse_qs(query.decode("latin-1")).items()}
    request = Request(given.get("customer", ""), given.get("region", ""), given.get("channel", ""))
    if not request.customer_id:
        raise ValueError("customer is missing")
    if request.region not in regions:
        raise ValueError(f"region {request.region!r} is not served; {', '.join(regions)} are")
    if request.channel not in CHANNEL_SHARE:
        raise ValueError(f"channel {request.channel!r} is not one of {', '.join(CHANNEL_SHARE)}")
    return request


def price(offers: Mapping[str, str]) -> Priced:
    """Return the offer with the highest expected margin.

    Args:
        offers: by type, as the store has them: price, margin and conversion rate.
    """
    priced = []
    for offer_type, value in offers.items():
        price_usd, margin_usd, rate = (Decimal(part) for part in value.split())
        priced.append(Priced(offer_type, price_usd, (margin_usd * rate).quantize(_MICRO_USD)))
    return max(priced, key=lambda offer: offer.expected_margin_usd)


class DecisionPath:
    """The ASGI application."""

    def __init__(
        self,
        child: Child,
        instrument: DecisionInstrument,
        tracer: Tracer,
        store: redis.asyncio.Redis,
        fulfilment: httpx.AsyncClient,
        injector: DelayInjector | None = None,
    ) -> None:
        self._child = child
        self._regions = child.settings.scenario.regions
        self._action = child.settings.scenario.action
        self._instrument = instrument
        self._tracer = tracer
        self._store = store
        self._fulfilment = fulfilment
        self._injector = injector
        self._in_flight = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != "/decide":
            await _answer(send, 404, {"error": f"no {scope['path']} here; /decide decides"})
            return
        if self._in_flight >= IN_FLIGHT_MAX:
            await _answer(send, 503, {"error": "too many decisions at once; try again"})
            return
        self._in_flight += 1
        try:
            status, body = await self._measured(scope)
        finally:
            self._in_flight -= 1
        await _answer(send, status, body)

    async def _measured(self, scope: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        with self._instrument.begin(self._action, scope=scope, mode="normal") as decision:
            try:
                status, body = 200, await self._decide(decision, scope["query_string"])
            except ValueError as error:
                status, body = 400, {"error": str(error)}
            except (redis.RedisError, httpx.HTTPError) as error:
                status, body = 503, {"error": f"a dependency failed: {error}"}
            decision.set_attribute("http.response.status_code", status)
            decision.end(error=status != 200)
        return status, body

    async def _decide(self, decision: Decision, query: bytes) -> dict[str, str]:
        delay = self._child.delay
        with self._tracer.start_as_current_span("validate_request"):
            request = parse_request(query, self._regions)
            region = request.region
            await delay("ingress/compute", region)
        decision.set(region=region, channel=request.channel, route=f"{region}-primary")

        decision.stage("transform")
        key = identity_key(region, request.customer_id)
        identity = cast("dict[str, str]", await self._store.hgetall(key))
        with self._tracer.start_as_current_span("resolve_identity"):
            if not identity:
                raise ValueError(f"customer {request.customer_id!r} is not known")
            eligible = identity["eligible"].split(",")
            await delay("transform/compute", region)
        decision.set(cohort=identity["cohort"])

        decision.stage("decision")
        keys = [offer_key(region, offer) for offer in eligible]
        values = cast("list[str]", await self._store.mget(keys))
        with self._tracer.start_as_current_span("price_offer"):
            offer = price(dict(zip(eligible, values, strict=True)))
            await delay("decision/compute", region)
        decision.set(offer_type=offer.offer_type)
        if self._injector is not None:
            await self._injector.delay_async(decision, unit=request.customer_id)
        if self._child.settings.scenario.is_valued:
            decision.set(value_usd=offer.expected_margin_usd)

        decision.stage("egress")
        response = await self._fulfilment.post(
            "/fulfil",
            json={"decision_id": decision.id, "offer_type": offer.offer_type},
            headers={"x-region": region},
        )
        response.raise_for_status()
        return {
            "decision_id": decision.id,
            "offer_type": offer.offer_type,
            "price_usd": str(offer.price_usd),
            "cohort": identity["cohort"],
        }


class FarTransport(httpx.AsyncBaseTransport):
    """A connection to a distant service: half of the network's delay each way.

    Each request in flight has a pool of its own with one connection: what a shared pool does for a
    request grows with the square of its connections (httpcore 1.0), so that a path which is late
    would become later still, and stay so.
    """

    def __init__(self, child: Child) -> None:
        self._child = child
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # each would load the CAs otherwise

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; instrumentation stands outside, so its span holds both halves."""
        scenario = self._child.settings.scenario
        region = request.headers.get("x-region", "")
        delay_ns = scenario.delay_ns("egress/network", region, self._child.elapsed_s)
        await self._child.wait("egress/network", region, delay_ns // 2)
        response = await self._exchanged(request)
        if delay_ns:
            # No wire is so short that an answer is here before its sender has closed the span of
            # it; time that two can claim would be nobody's delay.
            await sleep_ns(_ON_ITS_WAY_NS)
        await self._child.wait("egress/network", region, delay_ns - delay_ns // 2)
        return response

    async def _exchanged(self, request: httpx.Request) -> httpx.Response:
        transport = self._idle.pop() if self._idle else self._opened()
        try:
            response = await transport.handle_async_request(request)
            await response.aread()
        except BaseException:
            await transport.aclose()
            raise
        self._idle.append(transport)
        return response

    def _opened(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
        return httpx.AsyncHTTPTransport(verify=self._no_tls, limits=limits)

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._idle:
            await transport.aclose()


def store_client(child: Child) -> redis.asyncio.Redis:
    """Return a client of the store behind its proxy; what has to be said there is in the URL."""
    url = child.settings.redis_url
    said = {} if url is None else dict(Address.from_url(url).kwargs)
    said.pop("path", None)
    pool = redis.asyncio.BlockingConnectionPool(
        connection_class=reporting_connection(redis.asyncio.Connection),
        # Three times what 80 decisions a second need while every region's store is 120 ms late.
        max_connections=32,
        timeout=STORE_WAIT_S_MAX,
        **{**said, "host": HOST, "port": child.settings.ports["store"], "decode_responses": True},
    )
    return redis.asyncio.Redis(connection_pool=pool)


async def main(child: Child) -> None:
    """Run the service until told to stop, then export what is left."""
    if importlib.util.find_spec("sniffio") is None:
        # httpcore imports it anew at each of five locks a request; a failing import searches the
        # whole path, 70 us each time, unless it is known to be absent.
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # how Python spells "absent"
    settings = child.settings
    provider = tracer_provider(SERVICE, settings.otlp_endpoint)
    records, logger = logger_provider(SERVICE, settings.otlp_endpoint)
    seal = decision_seal(SERVICE, settings.seal, logger) if settings.seal else None
    instrument = decision_instrument(SERVICE, settings.otlp_endpoint, seal)
    store = store_client(child)
    # A connection that is first opened while a store is slow would make it look slower.
    await asyncio.gather(*(store.ping() for _ in range(STORE_CONNECTIONS_WARM)))
    RedisInstrumentor.instrument_client(store, tracer_provider=provider)
    fulfilment = httpx.AsyncClient(
        base_url=f"http://{HOST}:{settings.ports['fulfilment']}",
        transport=FarTransport(child),
        trust_env=False,
    )
    HTTPXClientInstrumentor.instrument_client(
        fulfilment, tracer_provider=provider, response_hook=httpx_async_response_hook
    )
    tracer = provider.get_tracer("dashboard.reference")
    url = settings.experiments_url
    injector = None if url is None else DelayInjector(url)
    app = DecisionPath(child, instrument, tracer, store, fulfilment, injector)
    await serve_until_stopped(child, "path", app)
    if injector is not None:
        injector.shutdown()
    await fulfilment.aclose()
    await store.aclose()
    instrument.shutdown()
    provider.shutdown()
    records.shutdown()


async def _answer(send: Send, status: int, body: dict[str, str]) -> None:
    encoded = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(encoded)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": encoded})


if __name__ == "__main__":
    run(main)
