"""The mixtures of a classifier, one fitted to the rows of each class."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from emplus.data.memory import ArraySource
from emplus.engine.journal import Journal
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import DataError, DataWarning, FitError, say
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.class_rows import ClassRows
from emplus.estimators.class_spread import steadied
from emplus.estimators.coded import CodedEstimator
from emplus.estimators.partial_labels import Climbed, Part, PartialLabels, frequencies
from emplus.estimators.telling import warn_of_rows
from emplus.estimators.validation import make_rng
from emplus.numerics.logspace import log_or_minus_infinity

__all__ = ["ClassFits", "Fitted"]

Array = NDArray[np.floating]

# A row that is less of a class than this is left out of the first fit to it.
_NEXT_TO_NOTHING = 1e-9

# How the warning of rows begins in which nothing is there.
_EMPTY_ROWS = "Every value is missing in"

# Known rows for each component of the first fits, beside those that span the columns.
_TIMES_SPANNED = 2

# Numbers of rows, and how much of each is of a class; None where all of it is.
_Share = tuple[NDArray[np.intp], Array | None]


@dataclass(frozen=True)
class Fitted:
    """Mixtures and probabilities of the classes, and how they were found."""

    mixtures: list[Any]
    priors: Array
    objectives: list[float]
    converged: bool
    n_unlabeled: int


@dataclass(frozen=True)
class ClassFits:
    """Fits of one mixture estimator to the rows of each class.

    Parameters
    ----------
    reader : mixture estimator
        Unfitted, but it has read the table.
    rows : ClassRows
    n_components : list of int
        Of each class.
    priors : (C,) ndarray or None
        Probabilities of the classes, where they are given.
    random_state : int, RandomState, Generator or None
        None for the reader's own.
    journal : Journal
        Where they are written down.
    """

    reader: Any
    rows: ClassRows
    n_components: list[int]
    priors: Array | None
    random_state: Any
    journal: Journal = field(default_factory=Journal)

    def fitted(self, tol: float, max_iter: int) -> Fitted:
        """A mixture for each class."""
        known: list[_Share] = [(own, None) for own in self.rows.known]
        if not len(self.rows.unknown):
            fits, log_priors = self._fits(known, _Told(self.reader)), self._log_priors()
            return Fitted(fits, np.exp(log_priors), [_objective(fits, log_priors)], True, 0)
        with warnings.catch_warnings():
            # What there is to say is said of the fits that follow.
            warnings.simplefilter("ignore")
            borne = self._borne()
            first = borne._climb(borne._fits(known, _Told(self.reader)), tol, max_iter)
        fits = self._fits(self._shares(first), _Told(self.reader))
        climbed = self._climb(fits, tol, max_iter)
        converged = climbed.outcome is Outcome.CONVERGED
        if not converged:
            steps = len(climbed.objectives) - 1
            sentence = f"After {steps} iterations over the classes: {climbed.outcome.sentence}"
            say(ConvergenceWarning, sentence)
        mixtures = [_at(one, climbed, c) for c, one in enumerate(fits)]
        priors, n = np.exp(climbed.log_priors), len(self.rows.unknown)
        return Fitted(mixtures, priors, climbed.objectives, converged, n)

    def _borne(self) -> ClassFits:
        """The same fits with no more components than the known rows can tell apart."""
        needed = _TIMES_SPANNED * (self.rows.rows.shape[1] + 1)
        most = [max(1, len(own) // needed) for own in self.rows.known]
        few = [min(pair) for pair in zip(self.n_components, most, strict=True)]
        return replace(self, n_components=few)

    def _log_priors(self) -> Array:
        """Of the known rows, where they are not given."""
        if self.priors is not None:
            return np.asarray(log_or_minus_infinity(self.priors))
        return frequencies([self.rows.counts[own] for own in self.rows.known])

    def _fits(self, shares: list[_Share], told: _Told) -> list[Any]:
        """A fit to the rows of each class, which are its own or in part."""
        seeds = self._seeds()
        fits = [self._fit(c, *share, seeds[c], told) for c, share in enumerate(shares)]
        sources = []
        for own, resp in shares:
            weight = self.rows.counts[own] * (1.0 if resp is None else resp)
            sources.append(ArraySource(self.rows.rows[own], weight, self.reader.n_jobs))
        told.tell(self.rows.rows)
        return steadied(fits, sources)

    def _climb(self, fits: list[Any], tol: float, max_iter: int) -> Climbed:
        """EM over the classes from these fits."""
        parts = []
        for one, own in zip(fits, self.rows.known, strict=True):
            rows = np.concatenate([own, self.rows.unknown])
            parts.append(Part(one.mixture_, one.prior_, rows, self.rows.rows, self.reader.n_jobs))
        partial = PartialLabels(self.rows.codes, self.rows.counts, self.priors is not None)
        start = self._log_priors()
        if self.priors is None:
            start = frequencies(partial.share(parts, start).weights)
        return partial.climb(parts, start, tol, max_iter)

    def _shares(self, climbed: Climbed) -> list[_Share]:
        """The rows that are not next to nothing of a class, and how much they are of it."""
        shares: list[_Share] = []
        for part, weight in zip(climbed.parts, climbed.weights, strict=True):
            resp = weight / self.rows.counts[part.rows]
            some = resp > _NEXT_TO_NOTHING
            shares.append((part.rows[some], resp[some]))
        return shares

    def _fit(
        self,
        c: int,
        own: NDArray[np.intp],
        shares: Array | None,
        seed: int,
        told: _Told,
    ) -> Any:
        """The mixture of one class, of rows which are its own or in part."""
        label = self.rows.classes.tolist()[c]
        estimator = clone(self.reader).set_params(random_state=seed)
        table, weight = self.rows.take(own)
        if shares is not None:
            weight = shares if weight is None else weight * shares
        k = min(self.n_components[c], self.rows.distinct(own, self.n_components[c]))
        if shares is not None:
            k = min(k, max(1, int(shares.sum() + 1e-9)))
        if k < self.n_components[c]:
            told.fewer.append(f"{label!r} has {k} for {self.n_components[c]}")
        estimator.set_params(n_components=k)
        coding = getattr(self.reader, "coding_", None)
        if coding is not None:
            estimator._whole_coding = coding
        estimator._warn_of_data = _silent
        try:
            with told.of(label):
                estimator.fit(table, sample_weight=weight, checkpoint=self.journal)
        except (DataError, FitError) as error:
            raise type(error)(f"Class {label!r}: {error}") from error
        for own_name in ("_whole_coding", "_warn_of_data"):
            vars(estimator).pop(own_name, None)
        if estimator.result_.outcome is Outcome.INTERRUPTED:
            # One mixture would be usable; a classifier of which the rest is missing is not.
            raise KeyboardInterrupt
        return estimator

    def _seeds(self) -> list[int]:
        """A seed for each class, which depends on no other class."""
        given = self.reader.random_state if self.random_state is None else self.random_state
        # Of a generator: the first number that it draws.
        entropy = self.journal.step("seed", lambda: int(make_rng(given).integers(2**63)))
        seeds = []
        for label in self.rows.classes.tolist():
            digest = hashlib.sha256(f"{type(label).__name__} {label!r}".encode()).digest()
            words = np.frombuffer(digest[:16], dtype="<u4").tolist()
            drawn = np.random.SeedSequence(entropy, spawn_key=words).generate_state(2)
            seeds.append(int(drawn[0]) << 31 | int(drawn[1]) >> 1)
        return seeds


class _Told:
    """Warnings of the fits to classes, each said once with the classes that it is of."""

    def __init__(self, reader: Any):
        self.fewer: list[str] = []
        self._reader = reader
        self._said: dict[tuple[type[Warning], str], list[str]] = {}

    @contextmanager
    def of(self, label: Any) -> Iterator[None]:
        """Keep the warnings that are given meanwhile."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for one in caught:
            if str(one.message).startswith(_EMPTY_ROWS):
                continue  # said of the whole table, by the numbers that the rows have there
            self._said.setdefault((one.category, str(one.message)), []).append(repr(label))

    def tell(self, rows: Any) -> None:
        """Say them, and of the columns what is to be said of all the rows."""
        if self.fewer:
            classes = "class" if len(self.fewer) == 1 else "classes"
            say(
                DataWarning,
                f"Fewer different rows than components in {len(self.fewer)} {classes} "
                f"({_listed(self.fewer)}); such a class gets as many components as rows.",
            )
        for (category, sentence), labels in self._said.items():
            say(category, f"Class {_listed(labels)}: {sentence}")
        kind = CodedEstimator if isinstance(self._reader, CodedEstimator) else MixtureEstimator
        family = self._reader._family(rows.shape[1])
        source = ArraySource(rows)
        warn_of_rows(source)
        kind._warn_of_data(self._reader, Problem(family, source, None))


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:5]) + (", ..." if len(parts) > 5 else "")


def _silent(problem: Problem) -> None:
    """Columns are spoken of for all classes together."""


def _objective(fits: list[Any], log_priors: Array) -> float:
    """Log-likelihood of rows and classes, and log priors of parameters."""
    known = [
        one.result_.objective + one.result_.total_weight * log_prior
        for one, log_prior in zip(fits, log_priors, strict=True)
        if np.isfinite(log_prior)
    ]
    return float(sum(known))


def _at(estimator: Any, climbed: Climbed, c: int) -> Any:
    """The estimator of one class where the climb over all classes ended."""
    part, weight = climbed.parts[c], climbed.weights[c]
    _, state = part.evaluate(weight)
    estimator._adopt(
        replace(
            estimator.result_,
            mixture=part.mixture,
            log_likelihood=state.log_likelihood,
            log_prior=state.log_prior,
            outcome=climbed.outcome,
            n_iter=len(climbed.objectives) - 1,
            trace=(state.objective,),
            log_likelihoods=(state.log_likelihood,),
            n_rows=len(part.rows),
            total_weight=float(weight.sum()),
        )
    )
    return estimator
