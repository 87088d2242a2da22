"""I/O: the store of identities and offers, spoken to over the Redis protocol.

A Valkey or Redis by URL, else an embedded server. In front of it stands a small proxy that takes
as long as the scenario says before it passes a command on, so that a slow store is slow inside the
client's span and on the wire, whatever the store is. A key names the stage and region it is for:
`reference:decision:eu-west:offer:bundle`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.asyncio.connection import parse_url

from dashboard.reference.child import HOST, Child, ChildError, run
from dashboard.reference.world import CUSTOMERS, OFFERS, World, eligible

KEPT_S: Final = 86_400  # in a store that others use too, nothing of ours stays behind
_READ_BYTES: Final = 65_536
# Each connection of the embedded server looks so often for what nobody asked for (publications),
# which nobody here subscribes to. A hundred times a second, its default, keeps a core busy.
_UNASKED_S: Final = 5.0
_KEY: Final = re.compile(rb"reference:(transform|decision):([a-z0-9-]+):")


def identity_key(region: str, customer_id: str) -> str:
    """Return the key of one customer's identity."""
    return f"reference:transform:{region}:identity:{customer_id}"


def offer_key(region: str, offer_type: str) -> str:
    """Return the key of one offer."""
    return f"reference:decision:{region}:offer:{offer_type}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the real store listens, and what a client has to say there."""

    kwargs: Mapping[str, Any]  # of a redis-py connection: host and port, or path; db, password
    tls: bool = False

    @classmethod
    def from_url(cls, url: str) -> Address:
        """Read redis://, rediss://, valkey:// or unix://."""
        kwargs = dict(parse_url(url.replace("valkey://", "redis://", 1)))
        kwargs.pop("connection_class", None)
        return cls(kwargs, tls=url.startswith("rediss://"))

    def client(self) -> redis.Redis:
        """Return a client of the store itself, past the proxy."""
        kwargs = dict(self.kwargs)
        if "path" in kwargs:
            kwargs["unix_socket_path"] = kwargs.pop("path")
        return redis.Redis(**kwargs, ssl=self.tls)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection for one client of the proxy."""
        if "path" in self.kwargs:
            return await asyncio.open_unix_connection(self.kwargs["path"])
        host, port = self.kwargs.get("host", HOST), self.kwargs.get("port", 6379)
        context = ssl.create_default_context() if self.tls else None
        return await asyncio.open_connection(host, port, ssl=context)


def seed(client: redis.Redis, world: World, regions: tuple[str, ...]) -> None:
    """Fill in every customer and every offer for every region."""
    pipeline = client.pipeline(transaction=False)
    for region in regions:
        for number in range(CUSTOMERS):
            customer_id = f"c{number:04d}"
            key = identity_key(region, customer_id)
            pipeline.hset(
                key,
                mapping={
                    "cohort": world.cohort(customer_id),
                    "consent": "personalised_offers",
                    "eligible": ",".join(each.offer_type for each in eligible(customer_id)),
                },
            )
            pipeline.expire(key, KEPT_S)
        for offer in OFFERS:
            value = f"{offer.price_usd} {offer.margin_usd} {offer.conversion_rate}"
            pipeline.set(offer_key(region, offer.offer_type), value, ex=KEPT_S)
    pipeline.execute()


class Proxy:
    """Passes commands on, each as late as the scenario says."""

    def __init__(self, child: Child, upstream: Address) -> None:
        self._child = child
        self._upstream = upstream

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side hangs up."""
        try:
            there_reader, there_writer = await self._upstream.connect()
        except OSError:
            writer.close()
            return
        replies = asyncio.create_task(_pump(there_reader, writer))
        try:
            with suppress(ConnectionError):
                # A client of redis-py waits for its reply, so what is read at once is one command
                # (or one pipeline, which counts as one call).
                while commands := await reader.read(_READ_BYTES):
                    if match := _KEY.search(commands):
                        stage, region = match[1].decode(), match[2].decode()
                        await self._child.delay(f"{stage}/store", region)
                    there_writer.write(commands)
                    await there_writer.drain()
        finally:
            replies.cancel()
            there_writer.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while replies := await reader.read(_READ_BYTES):
            writer.write(replies)
            await writer.drain()
    writer.close()


def embedded() -> Address:
    """Start the embedded server in a thread and return where it listens.

    Raises:
        ChildError: it is not installed.
    """
    try:
        import fakeredis
        from fakeredis._clients import _tcp_server
    except ImportError as error:
        raise ChildError(
            "the reference path's Redis server needs fakeredis, which is not installed; "
            "pip install 'millworth[demo]', or name a server of yours in reference.redis_url"
        ) from error
    _tcp_server._POLL_INTERVAL = _UNASKED_S  # it has no other name
    server = fakeredis.TcpFakeServer((HOST, 0), server_type="valkey")
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="embedded-redis", daemon=True).start()
    return Address({"host": HOST, "port": server.server_address[1]})


async def main(child: Child) -> None:
    """Run the store until told to stop."""
    settings = child.settings
    upstream = embedded() if settings.redis_url is None else Address.from_url(settings.redis_url)
    scenario = settings.scenario
    try:
        with upstream.client() as client:
            seed(client, World(scenario.seed, scenario.regions), scenario.regions)
    except redis.RedisError as error:
        raise ChildError(
            f"the store of reference.redis_url does not take part: {error}; "
            "start it, correct the URL, or leave it out for the embedded one"
        ) from error
    server = await asyncio.start_server(Proxy(child, upstream).handle, HOST, 0)
    child.ready(store=server.sockets[0].getsockname()[1])
    await child.stopping.wait()
    server.close()


if __name__ == "__main__":
    run(main)
