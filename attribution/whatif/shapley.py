"""Pure: what each of several changes made together is worth, in shares that sum to the whole.

The Shapley value: what a player adds, averaged over every order in which the players may come.
One at a time would count what two do together twice or never. Values are whole numbers, and the
shares are whole numbers that sum to the value of all exactly.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

# 2^6 values are asked for in full; of more players, orders are drawn.
EXACT_PLAYERS_MAX = 6
_SEED = 20_261

Value: TypeAlias = Callable[[frozenset[int]], Sequence[int]]


def shapley(players: int, value: Value, *, orders: int = 200) -> list[list[int]]:
    """Return the share of each player in each of the values.

    Args:
        players: how many there are.
        value: what a set of players is worth together: one whole number or several. Nobody is
            worth nothing, whatever it says. Asked once a set.
        orders: orders drawn where there are more than `EXACT_PLAYERS_MAX` players, each together
            with its reverse; the same ones every time.
    """
    if players == 0:
        return []
    worths: dict[frozenset[int], list[int]] = {}

    def worth(players_in: frozenset[int]) -> list[int]:
        if players_in not in worths:
            worths[players_in] = list(value(players_in))
        return worths[players_in]

    everyone = worth(frozenset(range(players)))
    worths[frozenset()] = [0] * len(everyone)
    averages = [[Fraction(0)] * len(everyone) for _ in range(players)]
    for player, before, weight in _steps(players, orders):
        without, joined = worth(before), worth(before | {player})
        for index in range(len(everyone)):
            averages[player][index] += weight * (joined[index] - without[index])
    columns = [
        whole([averages[player][index] for player in range(players)], everyone[index])
        for index in range(len(everyone))
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def is_exact(players: int) -> bool:
    """Return whether the shares of so many players are averages over every order."""
    return players <= EXACT_PLAYERS_MAX


def _steps(players: int, orders: int) -> Iterator[tuple[int, frozenset[int], Fraction]]:
    """Yield a player, who came before it, and with which weight."""
    if is_exact(players):
        for player in range(players):
            others = [each for each in range(players) if each != player]
            for size in range(players):
                weight = Fraction(1, players * math.comb(players - 1, size))
                for before in combinations(others, size):
                    yield player, frozenset(before), weight
        return
    rng = random.Random(_SEED)  # noqa: S311  draws orders, guards nothing
    for _ in range(orders):
        order = rng.sample(range(players), players)
        for each in (order, order[::-1]):
            for index, player in enumerate(each):
                yield player, frozenset(each[:index]), Fraction(1, 2 * orders)


def whole(shares: Sequence[Fraction], total: int) -> list[int]:
    """Round shares so that they sum to the total: the largest remainders go up."""
    floors = [math.floor(each) for each in shares]
    left = total - sum(floors)
    by_remainder = sorted(
        range(len(shares)), key=lambda index: (floors[index] - shares[index], index)
    )
    for index in by_remainder[:left]:
        floors[index] += 1
    return floors
