"""Choosing a family and the number of components: every cell fitted, compared, tested.

- `select` fits every candidate family with every number of components; `Selection` is what it
  gives, a table of `Cell` with the winner fitted.
- `bootstrap_test` asks whether k components are enough, against k + 1.

A cell is fitted from fresh starts, from the best split of the fit with fewer components, and from
the cheapest merge of the fit with more; the best of them is kept.
"""

from __future__ import annotations

from emplus.selection.bootstrap import BootstrapTest, bootstrap_test
from emplus.selection.cells import CRITERIA, Cell
from emplus.selection.result import Selection
from emplus.selection.select import select

__all__ = ["CRITERIA", "BootstrapTest", "Cell", "Selection", "bootstrap_test", "select"]
