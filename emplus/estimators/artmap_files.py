"""What a model file holds of Gaussian ARTMAP, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.artmap.categories import Categories
from emplus.artmap.scaling import Scaling
from emplus.estimators.class_codes import classes_from_json, classes_to_json

if TYPE_CHECKING:
    from emplus.estimators.gaussian_artmap import GaussianARTMAP

__all__ = ["pack_voters", "unpack_voters"]

Array = NDArray[np.floating]

_COUNTS = ("n_epochs", "n_samples_seen")


def pack_voters(model: GaussianARTMAP) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays of float64 and facts fit for JSON, from which learning goes on to the same bits."""
    voters = model._voters
    arrays = {
        "means": np.concatenate([voter.means for voter in voters]),
        "variances": np.concatenate([voter.variances for voter in voters]),
        "counts": np.concatenate([voter.counts for voter in voters]),
        "category_classes": np.concatenate([voter.classes for voter in voters]),
        "voter_sizes": np.asarray([voter.size for voter in voters]),
        "shift": model._scaling.shift,
        "unit": model._scaling.unit,
    }
    facts = {
        "classes": classes_to_json(model.classes_),
        "seeds": model._seeds,
        "n_epochs": int(model.n_epochs_),
        "n_samples_seen": int(model.n_samples_seen_),
        "converged": bool(model.converged_),
    }
    return {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}, facts


def unpack_voters(
    model: GaussianARTMAP, arrays: Mapping[str, Array], facts: Mapping[str, Any]
) -> None:
    """Set the fitted attributes of ``model`` from what `pack_voters` made.

    Raises
    ------
    ValueError
        If arrays or facts are missing or do not fit together.
    """
    classes = classes_from_json(facts["classes"])
    for name in _COUNTS:
        if type(facts.get(name)) is not int or facts[name] < 0:
            raise ValueError(f"its {name} is not a count")
    shift, unit = _array(arrays, "shift", 1), _array(arrays, "unit", 1)
    if shift.shape != unit.shape or not (unit > 0.0).all():
        raise ValueError("its units of the columns do not fit together")
    sizes = _whole(arrays, "voter_sizes", 1 + len(_array(arrays, "counts", 1)))
    if not len(sizes) or not (sizes > 0).all():
        raise ValueError("it has a voter without categories")
    model.n_features_in_, model.classes_ = len(shift), classes
    voters = _voters(model, arrays, sizes)
    model._seeds = _seeds(facts.get("seeds"), len(sizes))
    model._scaling, model._voters = Scaling(shift, unit), voters
    model.n_epochs_, model.n_samples_seen_ = facts["n_epochs"], facts["n_samples_seen"]
    model.converged_ = facts.get("converged") is True


def _voters(
    model: GaussianARTMAP, arrays: Mapping[str, Array], sizes: NDArray[np.intp]
) -> list[Categories]:
    means, variances = _array(arrays, "means", 2), _array(arrays, "variances", 2)
    counts, d = _array(arrays, "counts", 1), model.n_features_in_
    codes = _whole(arrays, "category_classes", len(model.classes_))
    k = int(sizes.sum())
    if not (means.shape == variances.shape == (k, d) and counts.shape == codes.shape == (k,)):
        raise ValueError("its categories do not fit together")
    if not ((variances > 0.0).all() and (counts > 0.0).all()):
        raise ValueError("a category has a variance or a count that is not above 0")
    blank, parts = model._without_categories(), np.split(np.arange(k), np.cumsum(sizes)[:-1])
    return [
        Categories.restored(
            means[part],
            variances[part],
            counts[part],
            codes[part],
            n_classes=blank.n_classes,
            floor=blank.floor,
        )
        for part in parts
    ]


def _array(arrays: Mapping[str, Array], name: str, ndim: int) -> Array:
    array = arrays.get(name)
    if array is None or array.ndim != ndim or not np.isfinite(array).all():
        raise ValueError(f"its {name} are not an array of {ndim} axes of finite numbers")
    return array.astype(np.float64)


def _whole(arrays: Mapping[str, Array], name: str, below: int) -> NDArray[np.intp]:
    array = _array(arrays, name, 1)
    if not ((array == np.floor(array)) & (array >= 0) & (array < below)).all():
        raise ValueError(f"its {name} are not whole numbers below {below}")
    return array.astype(np.intp)


def _seeds(seeds: Any, n_voters: int) -> list[list[int]]:
    fitting = isinstance(seeds, list) and len(seeds) == n_voters
    for seed in seeds if fitting else [None]:
        if not isinstance(seed, list) or not seed:
            raise ValueError("its seeds are not one for each voter")
        if not all(type(word) is int and 0 <= word < 2**32 for word in seed):
            raise ValueError("its seeds are not whole numbers")
    return list(seeds)
