"""Pure: the customers and what they buy: a seeded world whose latency elasticity is known.

Every draw is a function of the seed and of a number, so that the same decision in the same world
has the same outcome, and a faster answer never loses a sale that a slower one would have made.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CUSTOMERS: Final = 500
REGION_SHARE: Final = {"eu-west": 0.40, "us-east": 0.35, "ap-south": 0.25}
CHANNEL_SHARE: Final = {"web": 0.55, "app": 0.35, "partner": 0.10}
COHORT_SHARE: Final = {"new": 0.30, "returning": 0.50, "loyal": 0.20}

_CENT: Final = Decimal("0.01")
# Log odds of a sale by cohort, and its change per 100 ms of latency by channel and by region: the
# truth that an estimate of the elasticity is held against.
_BASE_LOGIT: Final = {"new": -2.2, "returning": -1.4, "loyal": -0.6}
_CHANNEL_SLOPE: Final = {"web": -0.30, "app": -0.45, "partner": -0.10}
_REGION_FACTOR: Final = {"eu-west": 1.0, "us-east": 1.2, "ap-south": 0.8}


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be offered; money in USD."""

    offer_type: str
    price_usd: Decimal
    margin_usd: Decimal
    conversion_rate: float  # what the shop believes, over all customers
    logit: float  # what is true, beside the cohort


OFFERS: Final = (
    Offer("accessory", Decimal("18.00"), Decimal("7.20"), 0.22, 0.25),
    Offer("bundle", Decimal("64.00"), Decimal("19.80"), 0.17, 0.00),
    Offer("upgrade", Decimal("129.00"), Decimal("34.00"), 0.13, -0.30),
    Offer("warranty", Decimal("25.00"), Decimal("15.50"), 0.12, -0.40),
)
OFFER_BY_TYPE: Final = {offer.offer_type: offer for offer in OFFERS}


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer who asks for an offer."""

    customer_id: str
    region: str
    channel: str


@dataclass(frozen=True, slots=True)
class Connection:
    """What a customer's connection does; no decision carries it: a simulated run hides it."""

    network_ms: float
    intent: float  # added to the log odds of a sale


GOOD_CONNECTION: Final = Connection(0.0, 0.0)
# Who waits longest buys least, whatever a millisecond does: correlation takes it for the effect.
POOR_CONNECTION: Final = Connection(60.0, -0.8)
POOR_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Sale:
    """What a decision earned; zero where nothing was bought."""

    converted: bool
    revenue_usd: Decimal
    margin_usd: Decimal


class World:
    """The customers of one seed."""

    def __init__(self, seed: int, regions: Sequence[str] = tuple(REGION_SHARE)) -> None:
        self._seed = seed
        self._regions = {region: REGION_SHARE.get(region, 0.2) for region in regions}

    def visit(self, number: int) -> Visit:
        """Return the n-th customer who arrives."""
        return Visit(
            customer_id=f"c{int(self._draw('customer', number) * CUSTOMERS):04d}",
            region=_pick(self._regions, self._draw("region", number)),
            channel=_pick(CHANNEL_SHARE, self._draw("channel", number)),
        )

    def cohort(self, customer_id: str) -> str:
        """Return the cohort of a customer."""
        return _pick(COHORT_SHARE, self._draw("cohort", customer_id))

    def connection(self, customer_id: str) -> Connection:
        """Return the connection of a customer in a simulated run."""
        is_poor = self._draw("connection", customer_id) < POOR_SHARE
        return POOR_CONNECTION if is_poor else GOOD_CONNECTION

    def sale(
        self,
        number: int,
        visit: Visit,
        cohort: str,
        offer_type: str,
        latency_ms: float,
        intent: float = 0.0,
    ) -> Sale:
        """Return what the n-th customer bought, having waited so long for the offer."""
        chance = conversion(visit.channel, visit.region, cohort, offer_type, latency_ms, intent)
        if self._draw("sale", number) >= chance:
            return Sale(converted=False, revenue_usd=Decimal("0.00"), margin_usd=Decimal("0.00"))
        offer = OFFER_BY_TYPE[offer_type]
        # A basket of 0.6 to 1.8 times the offer, which does not depend on the wait.
        size = Decimal(round(600 + 1200 * self._draw("basket", number))) / 1000
        return Sale(
            converted=True,
            revenue_usd=(offer.price_usd * size).quantize(_CENT),
            margin_usd=(offer.margin_usd * size).quantize(_CENT),
        )

    def _draw(self, what: str, key: int | str) -> float:
        """Return a number in [0, 1) that depends on the seed, its purpose and a key alone."""
        digest = hashlib.blake2b(f"{self._seed}:{what}:{key}".encode(), digest_size=7).digest()
        return (int.from_bytes(digest) >> 3) / 2**53


def slope_per_ms(channel: str, region: str) -> float:
    """Return the true change of the log odds of a sale per millisecond of latency; negative."""
    return _CHANNEL_SLOPE[channel] * _REGION_FACTOR.get(region, 1.0) / 100


def eligible(customer_id: str) -> tuple[Offer, Offer]:
    """Return the two offers that suit a customer, so that offers of all types are made."""
    number = int(customer_id[1:])
    return OFFERS[number % len(OFFERS)], OFFERS[(number + 1) % len(OFFERS)]


def conversion(
    channel: str,
    region: str,
    cohort: str,
    offer_type: str,
    latency_ms: float,
    intent: float = 0.0,
) -> float:
    """Return the true probability of a sale."""
    logit = _BASE_LOGIT[cohort] + OFFER_BY_TYPE[offer_type].logit + intent
    logit += slope_per_ms(channel, region) * latency_ms
    return 1 / (1 + math.exp(-logit))


def margin_per_ms_usd(
    channel: str,
    region: str,
    cohort: str,
    offer_type: str,
    latency_ms: float,
    intent: float = 0.0,
) -> float:
    """Return the true change of the expected margin of one decision per millisecond; negative."""
    chance = conversion(channel, region, cohort, offer_type, latency_ms, intent)
    mean_basket = 1.2
    margin = float(OFFER_BY_TYPE[offer_type].margin_usd) * mean_basket
    return slope_per_ms(channel, region) * chance * (1 - chance) * margin


def _pick(shares: dict[str, float], draw: float) -> str:
    """Return the name that a draw in [0, 1) falls on; shares need not sum to 1."""
    left = draw * sum(shares.values())
    for name, share in shares.items():
        left -= share
        if left < 0:
            return name
    return name
