"""Pure: what telemetry shows of technical debt: old runtimes, stale flags, caches of no use.

Nothing is concluded from silence: what was observed for a shorter time than is asked for is no
finding, and a version that the table of ends does not know is none either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from attribution.core.slo import wilson
from attribution.invest.debt import Item
from attribution.invest.runtimes import READ_ON, end_of_life
from collector.core.times import NS_PER_DAY, NS_PER_S, utc_day

# Fewer lookups than that say little, and cost little.
_LOOKUPS_MIN = 1_000
_WRITES_MIN = 100
# A cache that is asked in vain so often takes more time than it can give back.
_HIT_RATIO_MAX = 0.05

READS = (
    "GET", "MGET", "GETEX", "GETRANGE", "STRLEN", "EXISTS", "HGET", "HMGET", "HGETALL", "HEXISTS",
    "HKEYS", "HVALS", "HLEN", "HSCAN", "LRANGE", "LINDEX", "LLEN", "SMEMBERS", "SISMEMBER", "SCARD",
    "SSCAN", "ZRANGE", "ZRANGEBYSCORE", "ZSCORE", "ZRANK", "ZCARD", "SCAN", "GETS", "GAT", "GATS",
    "XRANGE", "XREAD", "JSON.GET", "FT.SEARCH",
)  # fmt: skip
WRITES = (
    "SET", "SETEX", "PSETEX", "SETNX", "MSET", "APPEND", "INCR", "INCRBY", "DECR", "DECRBY", "HSET",
    "HMSET", "HINCRBY", "HDEL", "LPUSH", "RPUSH", "LTRIM", "SADD", "SREM", "ZADD", "ZREM", "DEL",
    "UNLINK", "EXPIRE", "PEXPIRE", "ADD", "REPLACE", "PREPEND", "CAS", "DELETE", "TOUCH", "XADD",
    "JSON.SET", "PUT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuntimeSeen:
    """One runtime of one service; an instant is in Unix ns."""

    service: str
    runtime: str
    version: str
    language: str
    spans: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class FlagSeen:
    """One feature flag."""

    flag: str
    variants: Sequence[str]
    services: Sequence[str]
    evaluations: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """One cache as its callers see it."""

    cache: str
    reads: int
    writes: int
    others: int  # calls of which neither is known
    lookups: int  # that say whether they hit
    hits: int
    first_ns: int
    last_ns: int


def old_runtimes(runtimes: Sequence[RuntimeSeen], now_ns: int) -> list[Item]:
    """Return the runtimes in use that their makers no longer repair."""
    newest: dict[str, int] = {}
    for each in runtimes:
        newest[each.service] = max(newest.get(each.service, 0), each.last_ns)
    today = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date()
    found = []
    for each in runtimes:
        # A day after the last of them a service has been moved on.
        if each.last_ns < newest[each.service] - NS_PER_DAY:
            continue
        end = end_of_life(each.runtime, each.version, each.language)
        if end is None or end.ends_on >= today:
            continue
        found.append(
            Item(
                id=f"runtime/{each.service}/{end.runtime}-{end.release}",
                kind="unsupported runtime",
                what=f"{each.service} runs on {end.runtime} {each.version}, without repairs since "
                f"{end.ends_on}",
                found_by="telemetry",
                evidence={
                    "version": each.version,
                    "ended_on": str(end.ends_on),
                    "days_over": (today - end.ends_on).days,
                    "source": end.source,
                    "source_read_on": str(READ_ON),
                    "spans": each.spans,
                    "last_seen": utc_day(each.last_ns),
                },
            )
        )
    return _once(found)


def unknown_runtimes(runtimes: Sequence[RuntimeSeen]) -> list[str]:
    """Return the runtimes of which nothing is known, so that silence is not taken for health."""
    return sorted(
        {
            f"{each.service}: {each.runtime or 'process.runtime.name is not sent'} {each.version}"
            .strip()
            for each in runtimes
            if end_of_life(each.runtime, each.version, each.language) is None
        }
    )  # fmt: skip


def stale_flags(flags: Sequence[FlagSeen], days_min: int, now_ns: int) -> list[Item]:
    """Return the flags that are still asked for and have given one answer all the time."""
    items = []
    for each in flags:
        days = (each.last_ns - each.first_ns) / NS_PER_DAY
        is_asked = each.last_ns >= now_ns - NS_PER_DAY
        if len(each.variants) != 1 or not each.variants[0] or days < days_min or not is_asked:
            continue
        items.append(
            Item(
                id=f"flag/{each.flag}",
                kind="stale flag",
                what=f"flag {each.flag} has answered {each.variants[0]} for {days:.0f} days",
                found_by="telemetry",
                evidence={
                    "variant": each.variants[0],
                    "days": round(days, 1),
                    "evaluations": each.evaluations,
                    "services": list(each.services),
                    "last_seen": utc_day(each.last_ns),
                },
            )
        )
    return items


def useless_caches(caches: Sequence[CacheSeen], days_min: int, now_ns: int) -> list[Item]:
    """Return the caches that are written and never read, never hit, or no longer called."""
    items = []
    for each in caches:
        days = (each.last_ns - each.first_ns) / NS_PER_DAY
        silent = (now_ns - each.last_ns) / NS_PER_DAY
        if silent >= days_min:
            what = f"cache {each.cache} has not been called for {silent:.0f} days"
        elif each.writes >= _WRITES_MIN and not each.reads and not each.others and days >= days_min:
            what = f"cache {each.cache} was written {each.writes} times and never read"
        elif each.lookups >= _LOOKUPS_MIN and wilson(each.hits, each.lookups)[1] < _HIT_RATIO_MAX:
            what = f"cache {each.cache} hit {each.hits} times of {each.lookups}"
        else:
            continue
        items.append(
            Item(
                id=f"cache/{each.cache}",
                kind="unused cache",
                what=what,
                found_by="telemetry",
                evidence={
                    "reads": each.reads,
                    "writes": each.writes,
                    "others": each.others,
                    "lookups": each.lookups,
                    "hits": each.hits,
                    "first_seen": utc_day(each.first_ns),
                    "last_seen": utc_day(each.last_ns),
                },
            )
        )
    return items


def resource_names(cache: str) -> list[str]:
    """Return how a bill may name a cache: all of it, its host, or the first part of that."""
    host = cache.split(" ")[-1].rsplit(":", 1)[0]
    first = host.split(".")[0]
    names = [cache, host, *([first] if not first.isdigit() else [])]
    return list(dict.fromkeys(each for each in names if each))


def billed_for(names: Sequence[str], bills: Mapping[str, object]) -> list[str]:
    """Return the resources of a bill that bear one of these names, or end with it."""
    return [
        resource
        for resource in bills
        if resource and any(
            resource == name or resource.endswith((f":{name}", f"/{name}")) for name in names
        )
    ]  # fmt: skip


def _once(items: Sequence[Item]) -> list[Item]:
    """Keep of several patches of one release the last that was seen."""
    return list({each.id: each for each in items}.values())
