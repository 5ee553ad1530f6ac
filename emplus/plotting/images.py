"""Components of rows that are images: their means and factors, as images again."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.plotting.profiles import profile

__all__ = ["ImageGrid", "check_image_shape", "image_grid"]

Floats = NDArray[np.float64]

# Images on a page.
_MANY = 160


@dataclass(frozen=True, eq=False)
class ImageGrid:
    """Means and factors of components as images of height h and width w.

    Attributes
    ----------
    components : ndarray (m,)
        The components shown, the heaviest first.
    weights : ndarray (m,)
    means : ndarray (m, h, w)
        Probabilities of a 1 where pixels are 0 or 1.
    factors : ndarray (m, f, h, w)
        Columns of the loadings: what a pixel changes by when a factor rises by one standard
        deviation. f is 0 where components have no factors.
    n_components, n_factors : int
        Of the mixture; m and f may be fewer.
    binary : bool
        Whether pixels are 0 or 1.
    """

    components: NDArray[np.intp]
    weights: Floats
    means: Floats
    factors: Floats
    n_components: int
    n_factors: int
    binary: bool = False

    @property
    def mean_limits(self) -> tuple[float, float]:
        """Least and largest value in the means, 0 and 1 of probabilities; never equal."""
        if self.binary:
            return 0.0, 1.0
        low, high = float(self.means.min()), float(self.means.max())
        return (low, high) if low < high else (low - 1.0, high + 1.0)

    @property
    def reach(self) -> float:
        """The largest change that a factor makes, above 0."""
        return float(np.abs(self.factors).max(initial=0.0)) or 1.0


def check_image_shape(image_shape: Any, n_features: int) -> tuple[int, int]:
    """Height and width as whole numbers whose product is the number of columns.

    Raises
    ------
    ArgumentError
        With the number of pixels and the number of columns.
    """
    shape = tuple(image_shape) if isinstance(image_shape, tuple | list | np.ndarray) else ()
    if len(shape) != 2 or not all(_is_count(side) for side in shape):
        raise ArgumentError(
            f"image_shape={image_shape!r} is not a pair of whole numbers, (height, width), whose "
            f"product is {n_features}, the number of columns."
        )
    height, width = (int(side) for side in shape)
    if height * width != n_features:
        raise ArgumentError(
            f"Images of {height} x {width} have {height * width} pixels, but the rows have "
            f"{n_features} column{'s' * (n_features != 1)}; height times width must be that."
        )
    return height, width


def _is_count(side: object) -> bool:
    if isinstance(side, bool):
        return False
    return isinstance(side, numbers.Integral) and int(side) >= 0


def image_grid(
    mixture: Mixture,
    image_shape: tuple[int, int],
    *,
    max_components: int | None = None,
    max_factors: int = 8,
) -> ImageGrid:
    """The means of the heaviest components as images, and their longest factors.

    Parameters
    ----------
    mixture : Mixture
    image_shape : (int, int)
        Height and width; columns are pixels, line by line from the top left.
    max_components : int, optional
        60 without factors, fewer where each has many images.
    max_factors : int, default=8

    Returns
    -------
    images : ImageGrid

    Raises
    ------
    ArgumentError
        If the shape is not that of the columns, or columns are neither all numbers nor all binary.

    Examples
    --------
    >>> mixture = Mixture.gaussian([0.2, 0.8], np.eye(2, 6), np.ones((2, 6)), "diag")
    >>> shown = image_grid(mixture, (2, 3), max_components=1)
    >>> shown.components.tolist(), shown.means.shape, shown.factors.shape
    ([1], (1, 2, 3), (1, 0, 2, 3))
    """
    height, width = check_image_shape(image_shape, mixture.n_features)
    weights = np.asarray(mixture.weights, dtype=np.float64)
    found = profile(mixture)
    pixels = found.numbers.names or [one for one in found.categories if one.binary]
    if len(pixels) < mixture.n_features:
        raise ArgumentError(
            "Images are rows of numbers, or of zeros and ones, and of nothing else."
        )
    parameters: Any = mixture.parameters
    loadings = np.zeros((len(weights), mixture.n_features, 0))
    if hasattr(parameters, "loadings"):
        loadings = np.asarray(parameters.loadings, dtype=np.float64)
    if max_components is None:
        max_components = min(60, _MANY // (1 + min(loadings.shape[2], max_factors)))
    shown = np.argsort(-weights, kind="stable")[:max_components]
    binary = not len(found.numbers.names)
    means = found.numbers.means
    if binary:
        means = np.stack([one.probabilities[:, 1] for one in found.categories], axis=1)
    means = means[shown]
    factors = loadings[shown, :, :max_factors].swapaxes(1, 2)
    return ImageGrid(
        components=shown,
        weights=weights[shown],
        means=means.reshape(-1, height, width),
        factors=factors.reshape(*factors.shape[:2], height, width),
        n_components=len(weights),
        n_factors=loadings.shape[2],
        binary=binary,
    )
