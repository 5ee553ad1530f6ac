"""Parameters of factor analyzers as named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emplus.families.base import Array
from emplus.families.factor_common import common_parameters
from emplus.families.factor_parameters import CommonFactors, FactorParameters, Noise

__all__ = ["packed", "unpacked"]

_ARRAYS = ("means", "loadings", "noise_variance")
_COMMON_ARRAYS = ("offset", "basis", "factor_means", "factor_roots", "noise_variance")


def packed(parameters: FactorParameters) -> dict[str, Array]:
    """Means, loadings and noise variances, or what makes them where loadings are common."""
    noise = np.asarray(parameters.noise)
    common = parameters.common
    if common is None:
        own = (parameters.means, parameters.loadings, noise)
        return dict(zip(_ARRAYS, own, strict=True))
    shared = (common.offset, common.basis, common.means, common.roots, noise)
    return dict(zip(_COMMON_ARRAYS, shared, strict=True))


def unpacked(
    arrays: Mapping[str, Array], n_factors: int, structure: Noise, *, common: bool
) -> FactorParameters:
    """Parameters from `packed` arrays; ValueError says what does not fit."""
    found = {}
    for name in _COMMON_ARRAYS if common else _ARRAYS:
        if name not in arrays:
            raise ValueError(f"the array {name!r} is missing")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"the array {name!r} holds values that are not finite")
        found[name] = np.asarray(arrays[name], dtype=np.float64)
    _check_shapes(found, n_factors, structure)
    noise = found["noise_variance"]
    if not (noise > 0).all():
        raise ValueError("a value in 'noise_variance' is not positive")
    if common:
        space = CommonFactors(*(found[name] for name in _COMMON_ARRAYS[:4]))
        with np.errstate(over="ignore", invalid="ignore"):
            parameters = common_parameters(space, noise, structure, turned=False)
        if not (np.isfinite(parameters.means).all() and np.isfinite(parameters.loadings).all()):
            raise ValueError("the means or loadings of a component are not finite")
        return parameters
    return FactorParameters(found["means"], found["loadings"], noise, structure)


def _check_shapes(found: Mapping[str, Array], q: int, structure: Noise) -> None:
    lead = "factor_means" if "factor_means" in found else "means"
    if found[lead].ndim != 2 or not len(found[lead]):
        shape = found[lead].shape
        raise ValueError(f"{lead!r} has shape {shape} instead of (components, ...)")
    k = len(found[lead])
    d = found["offset"].size if "offset" in found else found[lead].shape[1]
    if not d:
        raise ValueError("there are no columns: the shape of the arrays leaves none")
    shapes = {
        "means": (k, d),
        "loadings": (k, d, q),
        "offset": (d,),
        "basis": (d, q),
        "factor_means": (k, q),
        "factor_roots": (k, q, q),
        "noise_variance": structure.shape(k, d),
    }
    for name, array in found.items():
        if array.shape != shapes[name]:
            raise ValueError(f"{name!r} has shape {array.shape} instead of {shapes[name]}")
