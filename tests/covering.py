"""Parts of products of tables that still meet what a whole product is there for.

A full product grows with every table. Where a failure takes two of the values to show, and the
others do no more than repeat it, it is enough that every two values of different tables meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Any

Row = tuple[int, ...]


def pairwise(*tables: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of values, one of each table, in which any two values of different tables meet.

    The same rows at every call; about as many as the product of the two longest tables.
    """
    sizes = [len(table) for table in tables]
    left = sorted(product(*map(range, sizes)), key=lambda row: _turned(row, sizes))
    missing = {pair for row in left for pair in _pairs(row)}
    chosen: list[Row] = []
    # Greedy: first rows of which every pair is new, then those with a pair less, and so on.
    for wanted in range(len(tables) * (len(tables) - 1) // 2, 0, -1):
        passed = []
        for row in left:
            if len(missing & set(_pairs(row))) < wanted:
                passed.append(row)
                continue
            chosen.append(row)
            missing -= set(_pairs(row))
        left = passed
    return [_values(tables, row) for row in sorted(chosen)]


def share(turn: int, turns: int, *tables: Sequence[Any]) -> list[tuple[Any, ...]]:
    """One of several parts of a product, for tests that share it out among themselves.

    Every value is in every part if no table is shorter than there are turns, and every row of the
    product in one of the parts.
    """
    rows = product(*(range(len(table)) for table in tables))
    return [_values(tables, row) for row in rows if sum(row) % turns == turn]


def _turned(row: Row, sizes: Sequence[int]) -> Row:
    """The place of a row where values beyond the second take turns, so that none is rare."""
    turn = sum(row[:2])
    later = zip(row[2:], sizes[2:], strict=True)
    return *row[:2], *((value + turn) % size for value, size in later)


def _pairs(row: Row) -> Iterator[tuple[int, int, int, int]]:
    for one, other in combinations(range(len(row)), 2):
        yield one, row[one], other, row[other]


def _values(tables: Sequence[Sequence[Any]], row: Row) -> tuple[Any, ...]:
    return tuple(table[place] for table, place in zip(tables, row, strict=True))
