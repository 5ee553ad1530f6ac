from __future__ import annotations

from itertools import chain, combinations, product

import pytest

from tests.covering import pairwise, share

SIZES = [(3,), (2, 5), (19, 4, 2, 2), (7, 19, 2), (2, 2, 2, 2, 2), (6, 6, 6), (1, 4, 1)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_two_values_meet(sizes: tuple[int, ...]) -> None:
    tables = [[f"{place}{value}" for value in range(size)] for place, size in enumerate(sizes)]
    rows = pairwise(*tables)
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(product(*tables))
    for one, other in combinations(range(len(sizes)), 2):
        met = {(row[one], row[other]) for row in rows}
        assert met == set(product(tables[one], tables[other]))
    assert rows == pairwise(*tables)


def test_it_is_short_and_even() -> None:
    rows = pairwise(range(7), range(19), range(2))
    assert len(rows) == 7 * 19
    assert 60 < sum(last for *_, last in rows) < 73
    assert len(pairwise(range(19), range(4), range(2), range(2))) <= 19 * 4 + 4


@pytest.mark.parametrize("sizes", [(7, 6), (5, 6), (2, 9), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("turns", [1, 2])
def test_shares_are_the_product_and_each_has_every_value(
    sizes: tuple[int, ...], turns: int
) -> None:
    tables = [range(size) for size in sizes]
    parts = [share(turn, turns, *tables) for turn in range(turns)]
    assert sorted(chain.from_iterable(parts)) == sorted(product(*tables))
    for part in parts:
        for place, table in enumerate(tables):
            assert {row[place] for row in part} == set(table)
