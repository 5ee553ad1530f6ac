"""Colours, sizes and words that every picture shares; arrays and numbers only.

The palette starts with six colours of Okabe and Ito's colour-blind-safe set [1]_ and goes on by
farthest-point choice: each next colour is the one whose nearest earlier colour, as seen by the
*least* able of three kinds of vision (normal, protanope, deuteranope; matrices of [2]_), is
farthest away in Oklab [3]_. The first ``k`` colours are therefore about as different as ``k``
colours can be, for every ``k`` up to 200.

References
----------
.. [1] M. Okabe and K. Ito, "Color Universal Design", 2002.
.. [2] G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A physiologically-based model for
   simulation of color vision deficiency", IEEE TVCG 15(6), 2009, table 1 (severity 1).
.. [3] B. Ottosson, "A perceptual color space for image processing", 2020.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INK",
    "MUTED",
    "PALE",
    "PALETTE_SIZE",
    "darken",
    "linear_to_srgb",
    "oklab",
    "palette",
    "srgb_to_linear",
    "weight_label",
]

Floats = NDArray[np.float64]

PALETTE_SIZE = 200
"""Different colours in the palette; further components begin again at the first."""

INK = "#222222"
"""Lines and words that carry the message."""
MUTED = "#6b6b6b"
"""Ticks, captions and other things that should not compete."""
PALE = "#dcdcdc"
"""Histogram bars and grid lines."""

# Okabe and Ito without black (the colour of the total density) and yellow (too pale for points).
_FIRST = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

_VISIONS = np.array(
    [
        np.eye(3),
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    ]
)
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def srgb_to_linear(colours: Floats) -> Floats:
    """Light intensities of sRGB values in [0, 1]; any shape, O(size)."""
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Floats) -> Floats:
    """Inverse of `srgb_to_linear`; any shape, O(size)."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def oklab(light: Floats) -> Floats:
    """Oklab coordinates (L, a, b) of linear RGB ``(..., 3)``, where distances match the eye."""
    lab: Floats = np.cbrt(np.clip(light, 0.0, 1.0) @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def _candidates() -> Floats:
    """Displayable colours (linear RGB) dark enough for white paper and not near grey."""
    lightness, chroma, hue = np.meshgrid(
        np.linspace(0.40, 0.80, 11),
        np.array([0.09, 0.13, 0.17, 0.21]),
        np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False),
        indexing="ij",
    )
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1).reshape(-1, 3)
    light = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T
    inside: Floats = light[np.all((light >= 0.0) & (light <= 1.0), axis=1)]
    return inside


def _seen(light: Floats) -> Floats:
    """Oklab coordinates under each vision: ``(m, 3)`` linear RGB to ``(3, m, 3)``."""
    return oklab(np.einsum("vij,mj->vmi", _VISIONS, light))


@lru_cache(maxsize=1)
def _all_colours() -> Floats:
    first = np.array([[int(c[i : i + 2], 16) / 255.0 for i in (1, 3, 5)] for c in _FIRST])
    light = np.vstack([srgb_to_linear(first), _candidates()])
    seen = _seen(light)
    chosen: list[int] = []
    nearest = np.full(len(light), np.inf)
    for step in range(PALETTE_SIZE):
        new = step if step < len(first) else int(np.argmax(nearest))
        chosen.append(new)
        distance = np.linalg.norm(seen - seen[:, new : new + 1], axis=-1).min(axis=0)
        nearest = np.minimum(nearest, distance)
    colours = linear_to_srgb(light[chosen])
    colours[: len(first)] = first
    colours.setflags(write=False)
    return colours


def palette(k: int) -> Floats:
    """Colours of ``k`` components.

    Parameters
    ----------
    k : int
        Number of components; beyond 200 the colours repeat.

    Returns
    -------
    colours : ndarray (k, 3)
        sRGB values in [0, 1]. Component ``j`` has the same colour whatever ``k`` is.

    Examples
    --------
    >>> palette(2).round(2).tolist()
    [[0.0, 0.45, 0.7], [0.84, 0.37, 0.0]]
    """
    return _all_colours()[np.arange(k) % PALETTE_SIZE]


def darken(colours: Floats, lightness: float = 0.5) -> Floats:
    """The same hues at most this light in Oklab, so that white words can be read on them."""
    light = srgb_to_linear(colours)
    factor = np.minimum(1.0, lightness / np.maximum(oklab(light)[..., :1], 1e-6))
    return linear_to_srgb(light * factor**3)


def weight_label(weight: float) -> str:
    """A mixing weight in three digits.

    Examples
    --------
    >>> [weight_label(w) for w in (0.35587, 0.0002, 0.0)]
    ['0.356', '<0.001', '0']
    """
    if weight <= 0.0:
        return "0"
    return f"{weight:.3f}" if weight >= 0.0005 else "<0.001"
