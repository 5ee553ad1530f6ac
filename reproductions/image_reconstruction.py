"""Photographs rebuilt from four numbers a block: PCA, and factor analyzers by EM and split-merge.

    python reproductions/image_reconstruction.py [--quick] [--output DIR]

The lecture shows an image whose 8 x 8 blocks are each rebuilt from a few factors, by one subspace
(PCA) and by a mixture of them, fitted by EM and by split-and-merge; Ueda et al. (2000, section
5.4.1) print the errors. Here are the two photographs that come with scikit-learn in grey levels,
each rebuilt by the model of its own blocks and by that of the other one's.

A block is projected onto the subspace of the analyzer that is nearest to it, which is the least
squared error that mean and loadings allow; the posterior mean without noise, which is what
`FactorAnalyzerMixture.reconstruct` gives, is measured beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pictures import COLOURS
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from sklearn.datasets import load_sample_image

from emplus import FactorAnalyzerMixture
from emplus.plotting.style import INK, MUTED, PALE

Floats = NDArray[np.floating[Any]]

IMAGES = ("china", "flower")
SEARCHES = ("em", "split_merge")
FACTORS, SIDE = 4, 8
PUBLISHED = {"pca": 15.8e3, "em": 10.1e3, "split_merge": 7.3e3}
# Brightness of red, green and blue (ITU-R BT.601).
BRIGHTNESS = (0.299, 0.587, 0.114)
# Rows and columns of the enlarged part of each photograph.
DETAILS = {"china": (112, 232, 120, 300), "flower": (96, 216, 330, 510)}
WORDS = {"pca": "PCA", "em": "analyzers, EM", "split_merge": "analyzers, split-merge"}


def grey(name: str, cut: tuple[slice, slice]) -> Floats:
    """A part of a photograph in grey levels 0 .. 255, cut to whole blocks."""
    levels: Floats = (load_sample_image(f"{name}.jpg") @ np.array(BRIGHTNESS))[cut]
    height, width = (size // SIDE * SIDE for size in levels.shape)
    return levels[:height, :width]


def to_blocks(image: Floats) -> Floats:
    """Blocks as rows (n, 64)."""
    height, width = image.shape
    cut = image.reshape(height // SIDE, SIDE, width // SIDE, SIDE)
    return cut.swapaxes(1, 2).reshape(-1, SIDE * SIDE)


def to_image(blocks: Floats, shape: tuple[int, ...]) -> Floats:
    """The way back."""
    cut = blocks.reshape(shape[0] // SIDE, shape[1] // SIDE, SIDE, SIDE)
    return cut.swapaxes(1, 2).reshape(shape)


def axes_of(blocks: Floats, factors: int) -> tuple[Floats, Floats]:
    """Mean (1, d) and leading principal axes (1, d, q)."""
    mean = blocks.mean(axis=0)
    _, _, directions = np.linalg.svd(blocks - mean, full_matrices=False)
    return mean[None], directions[:factors].T[None]


def rebuilt(blocks: Floats, means: Floats, loadings: Floats) -> Floats:
    """Each block's projection onto the nearest of the subspaces (k, d), (k, d, q)."""
    nearest = np.full(len(blocks), np.inf)
    found = np.empty_like(blocks)
    for mean, directions in zip(means, loadings, strict=True):
        basis = np.linalg.qr(directions)[0]
        projected = mean + (blocks - mean) @ basis @ basis.T
        errors = np.square(blocks - projected).sum(axis=1)
        closer = errors < nearest
        nearest[closer], found[closer] = errors[closer], projected[closer]
    return found


def error(blocks: Floats, other: Floats) -> float:
    """Squared error a block, summed over its pixels."""
    return float(np.square(blocks - other).sum(axis=1).mean())


def errors(blocks: dict[str, Floats], subspaces: tuple[Floats, Floats]) -> dict[str, float]:
    """Error of both photographs, rebuilt from the same subspaces."""
    return {name: error(own, rebuilt(own, *subspaces)) for name, own in blocks.items()}


def fit(blocks: Floats, analyzers: int, search: str, seed: int) -> FactorAnalyzerMixture:
    """Analyzers that share one noise, as Ghahramani and Hinton's do.

    With a noise for each, likelihood spends several of them on the blank sky, whose blocks need no
    factors at all, and squared error is worse.
    """
    return FactorAnalyzerMixture(
        analyzers,
        n_factors=FACTORS,
        noise="shared",
        init_params="random_from_data",
        search=search,
        random_state=seed,
    ).fit(blocks)


def measure(run: Run) -> Measured:
    analyzers, seeds = run.pick(10, 4), list(range(run.pick(5, 1)))
    cut = run.pick((slice(None), slice(None)), (slice(96, 256), slice(120, 360)))
    images = {name: grey(name, cut) for name in IMAGES}
    blocks = {name: to_blocks(image) for name, image in images.items()}
    arrays: dict[str, Floats] = dict(images)

    def keep(method: str, subspaces: tuple[Floats, Floats]) -> None:
        for name, own in blocks.items():
            arrays[f"{name}_{method}"] = to_image(rebuilt(own, *subspaces), images[name].shape)

    found: dict[str, Any] = {name: {search: [] for search in SEARCHES} for name in IMAGES}
    for fitted, own in found.items():
        own["pca"] = errors(blocks, axes_of(blocks[fitted], FACTORS))
        own["pca_one_more"] = errors(blocks, axes_of(blocks[fitted], FACTORS + 1))
    keep("pca", axes_of(blocks[IMAGES[0]], FACTORS))
    tasks = [(name, search, seed) for name in IMAGES for search in SEARCHES for seed in seeds]
    for fitted, search, seed in run.each(tasks, "fits"):
        model = fit(blocks[fitted], analyzers, search, seed)
        subspaces = model.means_, model.loadings_
        found[fitted][search].append(
            {
                "log_likelihood": model.lower_bound_,
                "posterior": {
                    name: error(own, model.reconstruct(own)) for name, own in blocks.items()
                },
                **errors(blocks, subspaces),
            }
        )
        if (fitted, seed) == (IMAGES[0], 0):
            keep(search, subspaces)
    sizes = {"blocks": len(blocks[IMAGES[0]]), "analyzers": analyzers, "seeds": seeds}
    return Measured({"fitted_to": found, **sizes}, arrays)


def mean_error(numbers: Numbers, method: str, shown: str, fitted: str) -> float:
    """Squared error a block; that of a search is the mean over its seeds."""
    own = numbers["fitted_to"][fitted][method]
    return float(np.mean([one[shown] for one in (own if isinstance(own, list) else [own])]))


def claims(numbers: Numbers) -> list[Claim]:
    means = {
        (shown, fitted): [mean_error(numbers, method, shown, fitted) for method in WORDS]
        for shown in IMAGES
        for fitted in IMAGES
    }
    own = {name: means[name, name] for name in IMAGES}
    crossed = {name: means[name, other] for name, other in zip(IMAGES, IMAGES[::-1], strict=True)}
    gains = {name: em / pca for name, (pca, em, _) in own.items()}
    further = {name: best / em for name, (_, em, best) in own.items()}
    longer = {name: mean_error(numbers, "pca_one_more", name, name) for name in IMAGES}
    return [
        _order(
            "order",
            "squared error falls from PCA to analyzers by EM to analyzers by split-and-merge.",
            ", ".join(f"{value / 1e3:.1f}e3" for value in PUBLISHED.values()) + " a block",
            own,
        ),
        _order("order_other", "so it does on the image that was not fitted.", "-", crossed),
        _ratio(
            "em_ratio", "analyzers by EM leave two thirds of the error of PCA.", gains, "pca em"
        ),
        _ratio(
            "split_merge_ratio",
            "split-and-merge leaves three quarters of the error of EM.",
            further,
            "em split_merge",
        ),
        Claim(
            "bits",
            "the gain is not that of the bits that tell the analyzer: PCA with one factor more is "
            "worse than EM.",
            "-",
            "; ".join(
                f"{name} {longer[name] / 1e3:.1f}e3 against {own[name][1] / 1e3:.1f}e3"
                for name in IMAGES
            ),
            "on both images, means over seeds",
            all(longer[name] > own[name][1] for name in IMAGES),
        ),
    ]


def _order(key: str, says: str, published: str, found: dict[str, list[float]]) -> Claim:
    ours = "; ".join(
        f"{name} " + ", ".join(f"{value / 1e3:.2f}e3" for value in values)
        for name, values in found.items()
    )
    falls = all(pca > em > best for pca, em, best in found.values())
    return Claim(key, says, published, ours, "on both images, means over seeds", falls)


def _ratio(key: str, says: str, found: dict[str, float], pair: str) -> Claim:
    whole, part = pair.split()
    published = PUBLISHED[part] / PUBLISHED[whole]
    return Claim(
        key,
        says,
        f"{published:.2f}",
        ", ".join(f"{name} {value:.2f}" for name, value in found.items()),
        "within 0.15 on both images, means over seeds",
        all(abs(value - published) <= 0.15 for value in found.values()),
    )


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.045, wspace=0.0, hspace=0.0)
    whole, chart = figure.subfigures(2, 1, height_ratios=(5.7, 1.75))
    height, width = arrays[IMAGES[0]].shape
    top, bottom, left, right = DETAILS[IMAGES[0]]
    tall, short = height / width, (bottom - top) / (right - left)
    axes = whole.subplots(4, 4, height_ratios=(tall, short, tall, short))
    for row, name in enumerate(IMAGES):
        top, bottom, left, right = (int(edge * height / 424) for edge in DETAILS[name])
        for column, method in enumerate(("", *WORDS)):
            image = arrays[f"{name}_{method}" if method else name]
            above, below = axes[2 * row, column], axes[2 * row + 1, column]
            for ax, shown in ((above, image), (below, image[top:bottom, left:right])):
                ax.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                ax.set_axis_off()
            above.set_title(_heading(numbers, name, method), fontsize=8.5)
    _draw_errors(numbers, chart.subplots())


def _heading(numbers: Numbers, name: str, method: str) -> str:
    if not method:
        return f"{name.capitalize()}\noriginal"
    own = numbers["fitted_to"][IMAGES[0]][method]
    found = (own[0] if isinstance(own, list) else own)[name]
    decibels = 10.0 * np.log10(255.0**2 * SIDE**2 / found)
    return f"{WORDS[method]}\n{found / 1e3:.1f}e3, {decibels:.1f} dB"


def _draw_errors(numbers: Numbers, ax: Any) -> None:
    cases = [(shown, shown) for shown in IMAGES] + list(zip(IMAGES, IMAGES[::-1], strict=True))
    for step, search in zip((-0.16, 0.16), SEARCHES, strict=True):
        colour = COLOURS[search]
        for place, (shown, fitted) in enumerate(cases, 1):
            pca = mean_error(numbers, "pca", shown, fitted)
            found = [one[shown] / pca for one in numbers["fitted_to"][fitted][search]]
            ax.plot(found, [place + step] * len(found), "o", color=colour, alpha=0.6)
        published = PUBLISHED[search] / PUBLISHED["pca"]
        ax.plot(published, 0, "D", color=colour, label=WORDS[search])
    names = [f"{shown}, model of {fitted}" for shown, fitted in cases]
    ax.axvline(1.0, color=MUTED, linewidth=1.0)
    ax.annotate("PCA", (1.0, 0.0), (4, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_yticks(range(len(cases) + 1), ["published", *names])
    ax.set_ylim(len(cases) + 0.5, -0.6)
    ax.grid(axis="y", color=PALE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("squared error a block / that of PCA")
    ax.legend(loc="lower left", labelcolor=INK)


def notes(numbers: Numbers) -> list[str]:
    return [
        "Pictures: both photographs rebuilt by models of china (seed 0), squared error a block "
        "and peak signal-to-noise ratio; under each a part of it, enlarged.",
        f"Grey levels 0 to 255, {numbers['blocks']} blocks a photograph, "
        f"{numbers['analyzers']} analyzers with 4 factors and one common noise, begun at random "
        f"blocks; a dot is one of {len(numbers['seeds'])} seeds. Published: another image.",
    ]


REPRODUCTION = Reproduction(
    name="image_reconstruction",
    title="Photographs from four numbers a block: PCA and mixtures of factor analyzers",
    source='Lecture, "Image Reconstruction"; Ueda et al. (2000), section 5.4.1, figure 6',
    size=(7.6, 9.9),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
