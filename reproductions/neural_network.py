"""Is a neural network a mixture model? Five sigmoids beside five Gaussians.

    python reproductions/neural_network.py [--quick] [--output DIR]

The question: "do neural networks fall in the general domain of mixture models?", since one hidden
layer is a mixture of functions too, and "a sigmoid looks a lot like the cumulative density function
of a gaussian". Here a network with five sigmoid hidden units and a mixture with five components are
fitted to a density and to two classes. The mixture's sum is a density by construction; that of the
network is not. One case is exact: posteriors of Gaussians with one covariance are a softmax layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from scipy.linalg import cho_solve
from scipy.special import expit, ndtr, softmax
from sigmoid_network import UNITS, fitted
from sklearn.preprocessing import scale

from emplus import GaussianMixture, Mixture, MixtureClassifier
from emplus.datasets import make_mixture
from emplus.plotting.style import INK, MUTED, PALE, darken, palette

Floats = NDArray[np.floating[Any]]

SEED = 0
# The slope at which a logistic sigmoid is nearest to the Gaussian distribution function.
SLOPE = 1.702
# Three Gaussians in one column, two of them one hill; hardly a row is beyond REACH.
TRUTH = Mixture.gaussian([0.4, 0.35, 0.25], [[-1.8], [0.8], [1.7]], [0.2, 0.5, 0.12], "spherical")
REACH = 4.0
# Half the width of the plane that is shown, and the distance of rows that are far from all others.
SHOWN, FAR = 12.0, 30.0
SURE = 0.95
# How long a network is trained.
LONG, SHORT = (
    {"starts": starts, "seed": SEED, "max_iter": most} for starts, most in ((10, 2000), (1, 150))
)


def density_part(run: Run) -> tuple[Numbers, Numbers]:
    """Both fitted to rows of one column: the mixture to the rows, the network to a histogram."""
    rng = np.random.default_rng(SEED)
    rows, _ = TRUTH.sample(run.pick(2000, 400), rng)
    held_out, _ = TRUTH.sample(run.pick(10_000, 1000), rng)
    heights, edges = np.histogram(rows, bins=60, range=(-REACH, REACH), density=True)
    centres = 0.5 * (edges[1:] + edges[:-1])
    network = fitted(centres[:, None], heights, classes=False, **run.pick(LONG, SHORT))
    search = run.pick("split_merge", "em")
    model = GaussianMixture(UNITS, search=search, random_state=SEED, n_jobs=1).fit(rows)
    wide, step = np.linspace(-3.0 * REACH, 3.0 * REACH, 24_001, retstep=True)
    wide = wide[:, None]
    truth = np.exp(TRUTH.log_density(wide))
    found: Numbers = {"rows": len(rows), "held_out": len(held_out)}
    for name, values in (
        ("network", network.output(wide)),
        ("mixture", np.exp(model.score_samples(wide))),
    ):
        off = (values - truth)[np.abs(wide[:, 0]) <= REACH]
        share = (off @ off) / (truth @ truth)
        whole = abs(values.sum() * step - 1.0)
        found[name] = {"integral_error": whole, "lowest": values.min(), "squared_error": share}
    found["network"]["limits"] = network.limits()
    found["mixture"]["log_likelihood"] = model.score(held_out)
    found["truth"] = TRUTH.log_density(held_out).mean()
    x = np.linspace(-1.5 * REACH, 1.5 * REACH, 481)[:, None]
    arrays = {
        "x": x[:, 0],
        "units": network.hidden(x) * network.outward,
        "network": network.output(x),
        "components": np.exp(model.mixture_.log_joint(x)),
        **{"heights": heights, "centres": centres},
    }
    return found, arrays


def classes_part(run: Run) -> tuple[Numbers, Numbers]:
    """Both fitted to two classes of three Gaussians each, in the plane."""
    n = run.pick(1000, 300)
    drawn = make_mixture("overlapping", n + run.pick(10_000, 1000), k=6, separation=3.0, seed=4)
    X = drawn.X - drawn.means.mean(axis=0)
    y = drawn.y % 2
    network = fitted(X[:n], y[:n].astype(float), classes=True, **run.pick(LONG, SHORT))
    template = GaussianMixture(UNITS, search=run.pick("split_merge", "em"), n_jobs=1)
    model = MixtureClassifier(template, unlabeled=None, random_state=SEED).fit(X[:n], y[:n])
    shares = {
        "network": expit(network.output(X)),
        "mixture": model.predict_proba(X)[:, 1],
        "truth": drawn.mixture.responsibilities(drawn.X)[:, 1::2].sum(axis=1),
    }
    found: Numbers = {"rows": n, "held_out": len(X) - n}
    for name, share in shares.items():
        own, labels = share[n:], y[n:]
        right = np.where(labels == 1, own, 1.0 - own).clip(1e-300)
        accuracy = ((own > 0.5) == labels).mean()
        found[name] = {"accuracy": accuracy, "log_loss": -np.log(right).mean()}
    angle = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    far = FAR * np.column_stack([np.cos(angle), np.sin(angle)])
    both = {"network": expit(network.output(far)), "mixture": model.predict_proba(far)[:, 1]}
    lowest = model.score_samples(X[:n]).min()
    found["far"] = {
        "sure": {name: (np.abs(p - 0.5) > SURE - 0.5).mean() for name, p in both.items()},
        "flagged": (model.score_samples(far) < lowest).mean(),
        "held_out_flagged": (model.score_samples(X[n:]) < lowest).mean(),
        "lowest": lowest,
    }
    across, up = np.meshgrid(*[np.linspace(-SHOWN, SHOWN, 121)] * 2)
    plane = np.column_stack([across.ravel(), up.ravel()])
    arrays = {
        **{"X": X[:n], "y": y[:n], "across": across, "up": up},
        "map_network": expit(network.output(plane)).reshape(across.shape),
        "map_mixture": model.predict_proba(plane)[:, 1].reshape(across.shape),
        "map_density": model.score_samples(plane).reshape(across.shape),
    }
    return found, arrays


def softmax_part(run: Run) -> Numbers:
    """Weights of a layer from a mixture with one covariance, and what it says of the same rows."""
    X = scale(run.data("iris").X)
    model = GaussianMixture(UNITS, covariance_type="tied", random_state=SEED, n_jobs=1).fit(X)
    lower = np.linalg.cholesky(model.covariances_)
    W = cho_solve((lower, True), model.means_.T).T
    b = np.log(model.weights_) - 0.5 * np.einsum("jd,jd->j", W, model.means_)
    layer = softmax(X @ W.T + b, axis=1)
    return {"difference": np.abs(layer - model.predict_proba(X)).max(), "rows": len(X)}


def measure(run: Run) -> Measured:
    x = np.linspace(-8.0, 8.0, 160_001)
    numbers: Numbers = {"sigmoid": np.abs(expit(SLOPE * x) - ndtr(x)).max()}
    numbers["density"], curves = density_part(run)
    numbers["classes"], maps = classes_part(run)
    return Measured(numbers | {"softmax": softmax_part(run)}, curves | maps)


def claims(numbers: Numbers) -> list[Claim]:
    density = numbers["density"]
    network, mixture = density["network"], density["mixture"]
    low, high = network["limits"]
    return [
        Claim(
            "sigmoid",
            "a sigmoid looks a lot like the cumulative density function of a gaussian.",
            "0.0095",
            f"1 / (1 + exp(-{SLOPE:g} x)) is at most {numbers['sigmoid']:.4f} away",
            "below 0.01 everywhere",
            numbers["sigmoid"] < 0.01,
        ),
        Claim(
            "sums",
            "one hidden layer is a mixture of functions that are aggregated into a function.",
            "-",
            f"squared error of {UNITS} sigmoids {100 * network['squared_error']:.1f} %, of {UNITS} "
            f"Gaussians {100 * mixture['squared_error']:.1f} % of the true density's square",
            "both below 10 %",
            max(network["squared_error"], mixture["squared_error"]) < 0.1,
        ),
        Claim(
            "no_density",
            "neural networks do not use probability distributions per se.",
            "-",
            f"the network falls to {network['lowest']:.3f} and tends to {low:.3f} and {high:.3f}, "
            f"so has no integral; the mixture's is off by {mixture['integral_error']:.0e}",
            "network below 0 or a limit not 0; mixture at least 0 and its integral 1 within 1e-6",
            (network["lowest"] < 0.0 or max(abs(low), abs(high)) > 1e-6)
            and (mixture["lowest"] >= 0.0 and mixture["integral_error"] < 1e-6),
        ),
        *class_claims(numbers["classes"]),
        Claim(
            "softmax",
            "the posteriors of Gaussians with one covariance are a softmax layer.",
            "-",
            f"differ by at most {numbers['softmax']['difference']:.0e} on {UNITS} components",
            "within 1e-12",
            numbers["softmax"]["difference"] < 1e-12,
        ),
    ]


def class_claims(found: Numbers) -> list[Claim]:
    far, sure = found["far"], found["far"]["sure"]
    best = found["truth"]["accuracy"]
    told = {name: found[name]["accuracy"] for name in ("network", "mixture")}
    return [
        Claim(
            "classes",
            "both produce a high value for things that belong to a given class.",
            "-",
            ", ".join(
                f"{name} {100 * told[name]:.1f} % right (log-loss {found[name]['log_loss']:.3f})"
                for name in told
            )
            + f"; the truth {100 * best:.1f} % ({found['truth']['log_loss']:.3f})",
            "both within 5 points of the truth on rows held out",
            min(told.values()) > best - 0.05,
        ),
        Claim(
            "far",
            "only the mixture knows when a row is unlike all others.",
            "-",
            f"{FAR:g} units away the network is {100 * SURE:.0f} % sure in "
            f"{100 * sure['network']:.0f} % of directions, the mixture's posteriors in "
            f"{100 * sure['mixture']:.0f} %, but its p(x) flags {100 * far['flagged']:.0f} %",
            f"network sure in over 25 %; all flagged, at most 5 % of rows held out "
            f"({100 * far['held_out_flagged']:.2g} %)",
            sure["network"] > 0.25 and far["flagged"] == 1.0 and far["held_out_flagged"] <= 0.05,
        ),
    ]


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    top, bottom = figure.subplots(2, 3)
    parts = arrays["components"]
    draw_curve(top[0], arrays, arrays["units"], arrays["network"], "network: five sigmoids")
    draw_curve(top[1], arrays, parts, parts.sum(axis=1), "mixture: five Gaussians")
    draw_sigmoid(top[2])
    draw_map(bottom[0], arrays, "map_network", "network: P(class | x)")
    draw_map(bottom[1], arrays, "map_mixture", "mixture: P(class | x)")
    draw_density(bottom[2], arrays, numbers["classes"]["far"]["lowest"])


def draw_curve(ax: Any, arrays: Arrays, parts: Any, total: Any, words: str) -> None:
    """A sum, its summands, and the histogram of the rows."""
    x, centres = arrays["x"], arrays["centres"]
    ax.bar(centres, arrays["heights"], centres[1] - centres[0], color=PALE)
    for part, colour in zip(parts.T, darken(palette(UNITS), 0.75), strict=True):
        ax.plot(x, part, color=colour, linewidth=1.0)
    ax.plot(x, total, color=INK, linewidth=1.8)
    ax.axhline(0.0, color=MUTED, linewidth=0.6)
    ax.set(title=words, xlabel="x (units)", ylabel="density, summands", xlim=(x[0], x[-1]))


def draw_sigmoid(ax: Any) -> None:
    x = np.linspace(-4.5, 3.5, 321)
    ax.plot(x, ndtr(x), color="#56B4E9", linewidth=4.0, label="Gaussian cdf")
    ax.plot(x, expit(SLOPE * x), color="#D55E00", linewidth=1.2, label=f"sigmoid({SLOPE:g} x)")
    ax.plot(x, 10.0 * (expit(SLOPE * x) - ndtr(x)), color=INK, ls=":", label="difference × 10")
    ax.set(title="a hidden unit, a Gaussian's cdf", xlabel="x (standard deviations)")
    ax.set(ylabel="value", ylim=(-0.15, 1.35))
    ax.legend(loc="upper left", borderaxespad=0.0)


def draw_map(ax: Any, arrays: Arrays, key: str, words: str) -> None:
    """The probability of the second class, far beyond the rows."""
    across, up = arrays["across"], arrays["up"]
    levels = np.linspace(0.0, 1.0, 11)
    filled = ax.contourf(across, up, arrays[key].clip(0.0, 1.0), levels, cmap="PuOr", alpha=0.5)
    ax.contour(across, up, arrays[key], [0.5], colors="white", linewidths=1.2)
    draw_plane(ax, arrays, filled, [0.0, 0.5, 1.0], words)


def draw_density(ax: Any, arrays: Arrays, lowest: float) -> None:
    """log p(x), and what is less likely than any row of the fit."""
    across, up, shown = arrays["across"], arrays["up"], arrays["map_density"]
    levels = np.linspace(-160.0, 0.0, 17)
    filled = ax.contourf(across, up, shown, levels, cmap="Greys_r", extend="min")
    ax.contour(across, up, shown, [lowest], colors=INK, linewidths=1.4, linestyles="--")
    draw_plane(ax, arrays, filled, [-150.0, -100.0, -50.0, 0.0], "mixture: log p(x) (nats)")


def draw_plane(ax: Any, arrays: Arrays, filled: Any, ticks: list[float], words: str) -> None:
    """The rows on top, a bar beside."""
    X, colours = arrays["X"], np.where(arrays["y"] == 1, "#2D004B", "#B35806")
    ax.scatter(X[:, 0], X[:, 1], s=2.5, c=colours, linewidths=0, alpha=0.8, rasterized=True)
    ax.set(title=words, xlabel="$x_1$ (units)", ylabel="$x_2$ (units)", aspect="equal")
    ax.figure.colorbar(filled, ax=ax, shrink=0.7, ticks=ticks)


def notes(numbers: Numbers) -> list[str]:
    density, classes = numbers["density"], numbers["classes"]
    return [
        f"Density: {density['rows']:,} rows of three Gaussians; the network is fitted to their "
        "histogram by least squares, the mixture to the rows. Held-out log-likelihood: mixture "
        f"{density['mixture']['log_likelihood']:.3f}, truth {density['truth']:.3f} nats a row; the "
        "network has none.",
        f"Classes: {classes['rows']:,} rows, cross-entropy against five Gaussians a class. Dashed: "
        "the density of the least likely row of the fit. A component is 0.6 to 1 units wide. Seed "
        "0; L-BFGS, the best of its starts.",
    ]


REPRODUCTION = Reproduction(
    name="neural_network",
    title="Is a neural network a mixture model?",
    source='Question "Do neural networks fall in the general domain of mixture models?"',
    size=(9.0, 7.8),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
