"""The same data, seed and version give the same bits, whatever the threads and the process."""

from __future__ import annotations

import os
import subprocess
import sys

_FITS = """
import hashlib, sys, warnings
import numpy as np
import emplus
from emplus import *
warnings.simplefilter("ignore")
jobs = int(sys.argv[1])
rng = np.random.default_rng(0)
# More rows than one thread takes at a time, and columns enough for products of matrices.
X = rng.normal(size=(12_000, 24)) + 2.0 * rng.integers(4, size=(12_000, 1))
holed = np.where(rng.random((1500, 6)) < 0.1, np.nan, X[:1500, :6])
fits = {
    "full": GaussianMixture(3, max_iter=8, n_jobs=jobs, random_state=0).fit(X),
    "tied": GaussianMixture(
        3, covariance_type="tied", search="em", tol=1e-4, n_jobs=jobs, random_state=0
    ).fit(X),
    "float32": GaussianMixture(3, search="em", tol=1e-4, n_jobs=jobs, random_state=0).fit(
        X.astype(np.float32)
    ),
    "factors": FactorAnalyzerMixture(
        3, search="em", max_iter=8, n_jobs=jobs, random_state=0
    ).fit(X),
    "bernoulli": BernoulliMixture(
        3, binarize=3.0, max_iter=8, n_jobs=jobs, random_state=0
    ).fit(X[:9000]),
    "holes": GaussianMixture(3, search="em", tol=1e-4, n_jobs=jobs, random_state=0).fit(holed),
    "lbfgs": GaussianMixture(
        2, optimizer="lbfgs", search="em", max_iter=6, n_jobs=jobs, random_state=0
    ).fit(X),
}
for name, model in fits.items():
    arrays = model.mixture_.family.pack(model.mixture_.parameters)
    digest = hashlib.sha256(repr(model.result_.trace).encode())
    for array in arrays.values():
        digest.update(array.tobytes())
    rows = X[:9000, : model.n_features_in_]
    digest.update(model.score_samples(rows).tobytes() + model.predict_proba(rows).tobytes())
    print(name, digest.hexdigest())
"""


def fitted(threads: int, hash_seed: str) -> list[str]:
    """Digests of the fits, by a process of its own."""
    number = str(threads)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), number),
    }
    done = subprocess.run(
        [sys.executable, "-c", _FITS, number],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_same_bits_for_any_number_of_threads() -> None:
    one = fitted(1, "0")
    assert len(one) == 7
    assert fitted(4, "7") == one
