"""One BLAS thread in each process of the suite, and no sweeps over what stays to the end."""

from __future__ import annotations

import gc
import os

import pytest

# Before NumPy is imported. Workers of pytest-xdist and processes that tests start inherit it: on as
# many cores as there are workers, more threads would only wait for each other. Tests of threads
# say how many they want.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def pytest_collection_finish(session: pytest.Session) -> None:
    # Thousands of tests and their tables live as long as the process does; looking through them at
    # every full collection would find nothing.
    gc.collect()
    gc.freeze()
