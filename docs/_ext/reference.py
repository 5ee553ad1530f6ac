"""The pages of the API reference: which names they hold, and in which order.

What a person imports has a section of its own and is listed by name; everything else that a module
names in its ``__all__`` follows. A name of ``emplus.__all__`` that no section lists is put into the
last one, so that none can be missing.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from writing import underlined

import emplus

__all__ = ["SECTIONS", "Section", "documented", "index"]


@dataclass(frozen=True)
class Section:
    """A table of the index.

    ``names`` are full names of objects, and of modules, which stand for the classes and functions
    that they name in ``__all__`` and that no section before has.
    """

    title: str
    words: str
    names: tuple[str, ...]


def _of(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


SECTIONS = (
    Section(
        "Estimators",
        "With scikit-learn's interface. :doc:`/choose-family` says which one.",
        _of(
            "emplus",
            "GaussianMixture FactorAnalyzerMixture BernoulliMixture CategoricalMixture "
            "MixedMixture FamilyMixture MixtureClassifier GaussianARTMAP",
        ),
    ),
    Section(
        "What a fit is",
        "A mixture is a value; a fit is a mixture with the record of how it was found.",
        (
            "emplus.Mixture",
            *_of("emplus.search.fit", "Fit Run"),
            *_of("emplus.search.record", "Candidates Candidate"),
            "emplus.engine.outcome.Outcome",
            "emplus.data.coding.Coding",
        ),
    ),
    Section(
        "Choosing and judging",
        "See :doc:`/choosing` and :doc:`/diagnostics`.",
        (
            *_of("emplus", "select Selection bootstrap_test diagnose"),
            "emplus.selection",
            "emplus.diagnostics",
        ),
    ),
    Section(
        "Files",
        "Model files without pickle, and fits that can be broken off (:doc:`/checkpoints`).",
        (*_of("emplus", "load Checkpoint"), "emplus.io"),
    ),
    Section("Data sets", "By name, and drawn with known truth.", ("emplus.datasets",)),
    Section(
        "Pictures",
        "Computed first and drawn second.",
        ("emplus.plotting",),
    ),
    Section(
        "Searches",
        "See :doc:`/searches`. By name: ``emplus.search.registry.make_search``.",
        (
            "emplus.search.base",
            "emplus.search.restarts.Restarts",
            *_of("emplus.search", "reset random_swap annealing split_merge registry path"),
            *_of("emplus.search", "compare comparison optima walk"),
        ),
    ),
    Section(
        "Starts",
        "The first mixture of a climb: ``init_params=``.",
        (
            "emplus.starts.base.Start",
            *_of("emplus.starts.centres", "KMeansPlusPlus KMeans RandomRows"),
            *_of("emplus.starts", "given perturbed registry calibration"),
        ),
    ),
    Section(
        "Engine",
        "The loop, what it repeats, what watches it; see :doc:`/optimizers` and :doc:`/online`.",
        (
            *_of("emplus.engine", "loop problem rules acceleration gradient blockwise online"),
            *_of("emplus.engine", "registry observers ascent journal partial coordinates"),
        ),
    ),
    Section(
        "Families",
        "What a component is; :doc:`/architecture` has the contract.",
        (
            *_of(
                "emplus.families.base", "Family Counting Parameters Statistics Kernel Coordinates"
            ),
            *_of("emplus.families.gaussian", "Gaussian GaussianParameters PhantomRows"),
            *_of("emplus.families.covariance_matrices", "Full Tied"),
            *_of("emplus.families.covariance_variances", "Diagonal Spherical"),
            "emplus.families.factor_analyzer.FactorAnalyzer",
            *_of("emplus.families.factor_parameters", "FactorParameters CommonFactors Noise"),
            "emplus.families.factor_prior.PhantomFactorRows",
            "emplus.families.bernoulli.Bernoulli",
            "emplus.families.categorical.Categorical",
            *_of("emplus.families.discrete", "Probabilities PseudoCounts CountStatistics"),
            *_of("emplus.families.product", "Product ProductParameters"),
            "emplus.families.registry",
        ),
    ),
    Section(
        "Data",
        "Where rows live; see :doc:`/scaling`.",
        (
            *_of("emplus.data", "base memory.ArraySource opening.open_rows cluster.DaskSource"),
            *_of("emplus.numerics.moments", "Moments running_step"),
        ),
    ),
    Section("Gaussian ARTMAP", "Its parts; see :doc:`/artmap`.", ("emplus.artmap.categories",)),
    Section(
        "Extending",
        "See :doc:`/add-a-family` and :doc:`/add-a-search`.",
        _of("emplus", "register_family register_search"),
    ),
    Section("Errors and warnings", "", ("emplus.errors",)),
)


def documented() -> list[tuple[Section, list[str]]]:
    """Every section with the full names of what it holds."""
    # What `import emplus` gives is documented by that name, not by the one of its module.
    public = {id(getattr(emplus, name)): f"emplus.{name}" for name in emplus.__all__}
    seen: set[int] = set()
    found = [(section, _held(section.names, public, seen)) for section in SECTIONS]
    if rest := _held(tuple(public.values()), public, seen):
        found.append((Section("More", "", tuple(rest)), rest))
    return found


def index() -> str:
    """The page with a table for each section."""
    parts = [
        underlined("API reference"),
        "The estimators and functions that ``import emplus`` gives stand first; what they are made "
        "of follows. :doc:`command-line` has the commands.\n",
        ".. toctree::\n   :hidden:\n\n   command-line\n",
    ]
    for section, names in documented():
        parts.append(underlined(section.title, "-"))
        if section.words:
            parts.append(f"{section.words}\n")
        parts.append(".. autosummary::\n   :toctree: .\n   :nosignatures:\n")
        parts += [f"   {name}" for name in names]
        parts.append("")
    return "\n".join(parts)


def _held(names: tuple[str, ...], public: dict[int, str], seen: set[int]) -> list[str]:
    held = []
    for name in names:
        target = _found(name)
        members = [(name, target)]
        if isinstance(target, ModuleType):
            members = [(f"{name}.{own}", getattr(target, own)) for own in target.__all__]
        for full, value in members:
            elsewhere = id(value) in seen or public.get(id(value), full) != full
            if not elsewhere and _is_documentable(value):
                seen.add(id(value))
                held.append(full)
    return held


def _found(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:  # then it is something in a module
        parent, _, last = name.rpartition(".")
        return getattr(import_module(parent), last)


def _is_documentable(value: Any) -> bool:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    return value.__module__.startswith("emplus") and bool(inspect.getdoc(value))
