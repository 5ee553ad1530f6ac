r"""EM for a classifier of mixtures when the classes of some rows are not known.

All classes together are one mixture whose components each belong to a class. A row whose class is
known can come from that class's components only, any other row from all of them:

.. math::
    \ell = \sum_{i \text{ known}} w_i \log \pi_{y_i} p_{y_i}(x_i)
         + \sum_{i \text{ unknown}} w_i \log \sum_c \pi_c p_c(x_i)
         + \sum_c \log \operatorname{prior}(\theta_c)

An iteration shares the unknown rows out among the classes, then among each class's components, and
maximizes: EM of the one mixture (Nigam, McCallum, Thrun & Mitchell 2000), whatever the families.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from emplus.data.memory import ArraySource
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_or_minus_infinity
from emplus.numerics.threads import single_threaded

__all__ = ["Climbed", "Part", "PartialLabels"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Part:
    """One class: its mixture, and the rows that may be its own.

    Parameters
    ----------
    mixture : Mixture
    prior : object
        Of its components; it stays as it is.
    rows : (m,) ndarray of int
        Numbers of the rows known to be of the class, and of those of unknown class.
    table : (n, d) array
        All rows as the family works on them.
    n_jobs : int or None
        Threads.
    """

    mixture: Mixture
    prior: Any
    rows: NDArray[np.intp]
    table: Any
    n_jobs: int | None

    def log_density(self) -> Array:
        """Log densities of its rows (m,)."""
        source = ArraySource(self.table[self.rows], n_jobs=self.n_jobs)
        return source.map_rows(self.mixture.log_density)

    def log_prior(self) -> float:
        """Log density of its components' parameters."""
        family = self.mixture.family
        return float(np.sum(family.log_prior(self.mixture.parameters, self.prior)))

    def evaluate(self, weight: Array) -> tuple[Problem, State]:
        """One pass over its rows with these weights (m,)."""
        source = ArraySource(self.table[self.rows], weight, self.n_jobs)
        problem = Problem(self.mixture.family, source, self.prior)
        with single_threaded():
            return problem, problem.evaluate(self.mixture)

    def stepped(self, weight: Array) -> tuple[Part, float]:
        """The class after a step of EM, and how many nats of its objective may be rounding."""
        problem, state = self.evaluate(weight)
        try:
            with single_threaded():
                mixture = problem.maximize(state.statistics)
        except SingularComponentError:
            # The others still rise while this one stays where it is.
            mixture = self.mixture
        return replace(self, mixture=mixture), state.rounding


@dataclass(frozen=True)
class Shared:
    """What the rows are under the present model.

    Parameters
    ----------
    objective : float
        Log-likelihood and log priors, in nats.
    weights : list of (m,) ndarray
        How much of each of its rows belongs to each class, times the row's weight.
    """

    objective: float
    weights: list[Array]


@dataclass(frozen=True)
class Climbed:
    """Where the climb ended.

    Parameters
    ----------
    parts : list of Part
    log_priors : (C,) ndarray
        Logarithms of the probabilities of the classes.
    weights : list of (m,) ndarray
        As of `Shared`.
    objectives : list of float
        At the start and after each iteration.
    outcome : Outcome
    """

    parts: list[Part]
    log_priors: Array
    weights: list[Array]
    objectives: list[float]
    outcome: Outcome


@dataclass(frozen=True)
class PartialLabels:
    """Rows some of whose classes are known.

    Parameters
    ----------
    codes : (n,) ndarray of int
        The class of each row, -1 where it is not known.
    weight : (n,) ndarray
        Weights of the rows.
    fixed : bool
        Whether the probabilities of the classes stay as they are.
    """

    codes: NDArray[np.intp]
    weight: Array
    fixed: bool

    def climb(self, parts: list[Part], log_priors: Array, tol: float, max_iter: int) -> Climbed:
        """EM until the objective changes by no more than ``tol`` nats a unit of weight.

        Notes
        -----
        An iteration costs two passes over the rows of each class: all rows of unknown class
        belong to every one of them.
        """
        shared, total = self.share(parts, log_priors), float(self.weight.sum())
        objectives, outcome = [shared.objective], Outcome.ITERATIONS_EXHAUSTED
        for _ in range(max_iter):
            stepped = [one.stepped(own) for one, own in zip(parts, shared.weights, strict=True)]
            proposal = [part for part, _ in stepped]
            proposed = log_priors if self.fixed else frequencies(shared.weights)
            following = self.share(proposal, proposed)
            gain = following.objective - shared.objective
            if not gain >= 0:
                # No more than rounding, or a sign that a step was not what it should be.
                rounding = sum(lost for _, lost in stepped) + 1e-9 * total
                outcome = Outcome.CONVERGED if gain >= -rounding else Outcome.OBJECTIVE_FELL
                break
            parts, log_priors, shared = proposal, proposed, following
            objectives.append(shared.objective)
            if gain <= tol * total:
                outcome = Outcome.CONVERGED
                break
        return Climbed(parts, log_priors, shared.weights, objectives, outcome)

    def share(self, parts: list[Part], log_priors: Array) -> Shared:
        """The E step over classes, and the objective of the present model."""
        unknown = self.codes < 0
        joint = np.empty((int(unknown.sum()), len(parts)))
        objective, known = 0.0, []
        for place, (part, log_prior) in enumerate(zip(parts, log_priors, strict=True)):
            own = part.log_density().astype(np.float64)
            asked = unknown[part.rows]
            joint[:, place] = own[asked] + log_prior
            known.append(~asked)
            # Rows that are known to be of a class count, even if its prior was given as 0.
            labelled = own[~asked] + (log_prior if np.isfinite(log_prior) else 0.0)
            objective += float(labelled @ self.weight[part.rows[~asked]]) + part.log_prior()
        total = logsumexp(joint, axis=1)
        objective += float(total @ self.weight[unknown])
        joint = np.exp(joint - total[:, None])
        weights: list[Array] = []
        for place, part in enumerate(parts):
            weight = self.weight[part.rows].astype(np.float64)
            weight[~known[place]] *= joint[:, place]
            weights.append(weight)
        return Shared(objective, weights)


def frequencies(weights: list[Array]) -> Array:
    """Logarithms of the parts of the classes in all rows."""
    totals = np.array([weight.sum() for weight in weights])
    return np.asarray(log_or_minus_infinity(totals / totals.sum()))
