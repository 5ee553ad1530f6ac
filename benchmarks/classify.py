"""Classifiers of one Gaussian mixture a class, beside the same of scikit-learn's mixtures.

    python benchmarks/classify.py [--sets letter,satellite,vowel] [--seeds 1] [--components 8]

Full covariances, as many components in each class, published splits: accuracy on the test rows and
seconds of the fit. Ours is `MixtureClassifier` with the default search and prior; scikit-learn's is
Bayes' rule over its `GaussianMixture` with its defaults, class by class. The data are read from
$EMPLUS_DATA.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as Theirs

from emplus import GaussianMixture, MixtureClassifier, datasets

Array = NDArray[np.floating]


def ours(X: Array, y: Any, X_test: Array, args: argparse.Namespace, seed: int) -> Any:
    """Classes of the test rows."""
    mixture = GaussianMixture(args.components, search=args.search)
    return MixtureClassifier(mixture, random_state=seed).fit(X, y).predict(X_test)


def theirs(X: Array, y: Any, X_test: Array, args: argparse.Namespace, seed: int) -> Any:
    """The same of scikit-learn's mixtures."""
    classes, counts = np.unique(y, return_counts=True)
    joint = np.empty((len(X_test), len(classes)))
    for place, (label, count) in enumerate(zip(classes, counts, strict=True)):
        mixture = Theirs(args.components, covariance_type="full", random_state=seed)
        joint[:, place] = mixture.fit(X[y == label]).score_samples(X_test) + np.log(count / len(y))
    return classes[joint.argmax(axis=1)]


CLASSIFIERS = (("emplus", ours), ("scikit-learn", theirs))


def main() -> None:
    """Run the sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="letter,satellite,vowel")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--search", default="split_merge")
    args = parser.parse_args()
    # Some of the many mixtures do not settle, or have constant columns; accuracy is what is asked.
    warnings.simplefilter("ignore")
    print(f"{args.components} components a class, full covariances, search={args.search}")
    print(f"{'set':12s}{'classifier':14s}{'mean':>8s}{'lowest':>8s}{'highest':>9s}{'s a fit':>9s}")
    for name in args.sets.split(","):
        data = datasets.load(name)
        if data.y is None or data.X_test is None or data.y_test is None:
            parser.error(f"{name} has no published split with classes")
        for who, predict in CLASSIFIERS:
            right, begun = [], time.perf_counter()
            for seed in range(args.seeds):
                predicted = predict(data.X, data.y, data.X_test, args, seed)
                right.append(float(np.mean(predicted == data.y_test)))
            seconds = (time.perf_counter() - begun) / args.seeds
            print(
                f"{name:12s}{who:14s}{np.mean(right):8.4f}{min(right):8.4f}{max(right):9.4f}"
                f"{seconds:9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
