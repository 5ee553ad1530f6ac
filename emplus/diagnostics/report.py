"""The diagnosis as one page of text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from emplus.diagnostics.diagnosis import Diagnosis

__all__ = ["report"]

# Components in the table, besides those that something is wrong with; words on each there; lines,
# and numbers on a line, of one finding: k <= 20 must stay on one page.
_MOST_COMPONENTS, _MOST_WORDS, _MOST_PAIRS, _MOST_NAMED = 20, 2, 8, 12

_HEADS = ("component", "weight", "rows", "assigned", "certainty", "nearest", "shared", "narrowest")


def report(found: Diagnosis) -> str:
    """Figures of the whole, a row for each component, and what is wrong, with what to do."""
    return "\n\n".join([_whole(found), _table(found), "\n".join(_findings(found))])


def _whole(found: Diagnosis) -> str:
    weight = f", of total weight {found.total_weight:.10g}"
    weight = "" if found.total_weight == found.n_rows else weight
    flagged = f"{len(found.flagged)} of {found.n_components} to look at"
    lines = [
        ("rows", f"{found.n_rows}{weight}"),
        (
            "log-likelihood",
            f"{found.log_likelihood:.6g}, {found.mean_log_likelihood:.6g} a row",
        ),
        ("criteria", f"AIC {found.aic:.6g}, BIC {found.bic:.6g}, ICL {found.icl:.6g}"),
        ("parameters", f"{found.n_free_parameters}, of which each component {_own(found)}"),
        ("entropy", f"{found.entropy:.4g} nats, {found.mean_entropy:.4g} a row"),
        ("entropy index", f"{found.entropy_index:.4f} (1: every row is certain; 0: none is)"),
        ("components", flagged if len(found.flagged) else f"{found.n_components}"),
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in lines)


def _own(found: Diagnosis) -> str:
    return f"has {found.own_parameters} of its own"


def _table(found: Diagnosis) -> str:
    heaviest = np.argsort(-found.weights, kind="stable")[:_MOST_COMPONENTS]
    shown = np.union1d(heaviest, found.flagged)
    body = [_row(found, int(j)) for j in shown]
    cells = [_HEADS, *(row for row, _ in body)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    words = ["", *(words for _, words in body)]
    lines = [f"{line}  {word}".rstrip() for line, word in zip(lines, words, strict=True)]
    lines.append("(shared: with the nearest one; narrowest: least variance beside the data's)")
    if len(shown) < found.n_components:
        lines.append(
            f"({len(shown)} of {found.n_components} components: the {len(heaviest)} heaviest, and "
            "all to look at)"
        )
    return "\n".join(lines)


def _row(found: Diagnosis, j: int) -> tuple[Sequence[str], str]:
    # What a component without rows shares of them says nothing.
    alone = found.nearest[j] < 0 or j in found.empty
    words = found.findings(j)
    more = f", and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    return (
        str(j),
        f"{found.weights[j]:.4f}",
        f"{found.rows[j]:.1f}",
        f"{found.assigned[j]:.6g}",
        _share(found.certainty[j]),
        "-" if alone else str(found.nearest[j]),
        "-" if alone else _share(found.nearest_share[j]),
        "-" if math.isnan(found.narrowest[j]) else f"{found.narrowest[j]:.2g}",
    ), ", ".join(words[:_MOST_WORDS]) + more


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100.0 * value:.1f}%"


def _findings(found: Diagnosis) -> Iterable[str]:
    lines = [*_light(found), *_duplicates(found), *_collapsed(found), *_impossible(found)]
    return lines or ["Nothing is wrong with any component."]


def _light(found: Diagnosis) -> Iterable[str]:
    empty = found.empty
    light = np.setdiff1d(found.light, empty)
    if len(empty):
        yield f"Empty: {_named(empty)}. No rows belong there."
        yield "  Ask for fewer components, or search with 'reset', which puts such at other rows."
    if len(light):
        yield (
            f"Light: {_named(light)}. Fewer than {found.needed_rows:.4g} expected rows; "
            f"free parameters: {found.own_parameters} each."
        )
        yield "  Ask for fewer components, a stronger prior, or a model with fewer parameters."


def _duplicates(found: Diagnosis) -> Iterable[str]:
    pairs = found.duplicates
    for pair in pairs[:_MOST_PAIRS]:
        kind = "Duplicates" if pair.alike else "Mergeable"
        verb = "costs" if pair.cost >= 0 else "gains"
        cost = f"one for both {verb} {abs(pair.cost):.3g} nats"
        if not pair.mergeable:
            cost = f"{pair.divergence:.3g} nats apart, too few to tell with so few rows"
        yield (
            f"{kind}: {pair.first} and {pair.second} share {_share(pair.shared)} of the rows of "
            f"the lighter; {cost}."
        )
    if len(pairs) > _MOST_PAIRS:
        yield f"  (and {len(pairs) - _MOST_PAIRS} more pairs)"
    if pairs:
        yield (
            f"  BIC is lower with one for both where that costs {found.merge_limit:.3g} nats or "
            "less: ask for fewer components."
        )


def _collapsed(found: Diagnosis) -> Iterable[str]:
    degenerate = found.degenerate
    for j in degenerate[:_MOST_PAIRS]:
        yield (
            f"Collapsed: {j}, on {_place(found, int(found.narrowest_column[j]))}: its variance is "
            f"{found.narrowest[j]:.2g} of the data's."
        )
    if len(degenerate) > _MOST_PAIRS:
        yield f"  (and {len(degenerate) - _MOST_PAIRS} more)"
    if len(degenerate):
        yield (
            "  Use a stronger prior, or search with 'reset'; see whether rows are repeated or "
            "rounded there."
        )


def _place(found: Diagnosis, column: int) -> str:
    if column < 0:
        return "a plane across columns"
    if found.column_names is None:
        return f"column {column}"
    # Quoted, so that nothing in a name can steer a terminal.
    return f"column {found.column_names[column]!r}"


def _impossible(found: Diagnosis) -> Iterable[str]:
    if found.impossible:
        yield (
            f"Impossible: {found.impossible:.6g} rows have no density under any component, so the "
            "log-likelihood is minus infinity."
        )
        yield "  Use a stronger prior, or fit to data in which such rows occur."


def _named(components: NDArray[np.intp]) -> str:
    more = f" and {len(components) - _MOST_NAMED} more" if len(components) > _MOST_NAMED else ""
    many = "components" if len(components) > 1 else "component"
    return f"{many} {', '.join(map(str, components[:_MOST_NAMED]))}{more}"
