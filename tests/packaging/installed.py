"""What an installed emplus must do without any of its extras; run in a clean environment."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

# What belongs to an extra as a whole, and what that brings.
OF_AN_EXTRA = {"emplus.demo": "bokeh"}
EXTRAS = ("pyarrow", "dask", "distributed", "bokeh")

FITS = """
import numpy as np
from emplus import (BernoulliMixture, CategoricalMixture, FactorAnalyzerMixture, FamilyMixture,
    GaussianARTMAP, GaussianMixture, MixedMixture, MixtureClassifier, datasets, load, plotting)

X, wine = datasets.load("faithful").X, datasets.load("wine")
table = datasets.make_mixed_table(200, k=2, missing=0.1, seed=0).table
for model, rows in (
    (GaussianMixture(2, random_state=0), X),
    (FactorAnalyzerMixture(2, random_state=0), wine.X),
    (BernoulliMixture(2, random_state=0), X > X.mean(axis=0)),
    (CategoricalMixture(2, random_state=0), np.where(X > X.mean(axis=0), "more", "less")),
    (MixedMixture(2, random_state=0), table),
    (FamilyMixture(2, family="gaussian", random_state=0), X),
):
    model.fit(rows)
    model.save("m.safetensors")
    assert np.array_equal(load("m.safetensors").predict(rows), model.predict(rows))
    model.sample(3, random_state=0)
    plotting.plot_fit(model, rows, "m.png")
    model._repr_html_()
for classifier in (MixtureClassifier(random_state=0), GaussianARTMAP(random_state=0)):
    assert classifier.fit(wine.X, wine.y).score(wine.X, wine.y) > 0.9
"""


def main() -> None:
    """Check, and say what was checked; the working folder is left alone."""
    here = [name for name in EXTRAS if find_spec(name) is not None]
    assert not here, f"{here} are installed, so nothing can be told about doing without them"
    print(f"{_imported()} modules imported without an extra")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _command("--version", says="emplus ")
        _command("fit", "faithful", "-k", "2", "--plot", "f.png", "--output", "f.safetensors")
        _command("info", "f.safetensors", "faithful", says="Nothing is wrong")
        Path("x.parquet").write_bytes(b"PAR1")
        _command("fit", "x.parquet", says="emplus[parquet]", code=2)
        Path("x.csv").write_text("a,b\n1,2\n3,5\n4,4\n")
        _command("fit", "x.csv", "--cluster", "local:2", says="emplus[cluster]", code=2)
        _command("demo", "--no-browser", says="emplus[demo]", code=2)
        done = subprocess.run([sys.executable, "-c", FITS], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        os.chdir("/")
    print("commands and estimators run")


def _imported() -> int:
    """Import every module, each of which may need nothing but what is required."""
    import emplus

    count = 0
    for module in pkgutil.walk_packages(emplus.__path__, "emplus."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            owner = ".".join(module.name.split(".")[:2])
            if OF_AN_EXTRA.get(owner) != str(error.name).split(".")[0]:
                sys.exit(f"{module.name} needs {error.name}, which nobody need have installed.")
            continue
        count += 1
    return count


def _command(*arguments: str, says: str = "", code: int = 0) -> None:
    """Run a command of the installed script."""
    script = Path(sys.executable).with_name("emplus")
    done = subprocess.run([str(script), *arguments], capture_output=True, text=True)
    told = f"emplus {' '.join(arguments)}: code {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == code, told
    assert says in done.stdout + done.stderr, told
    assert "Traceback" not in done.stderr, told
    assert "Warning" not in done.stderr, told


if __name__ == "__main__":
    main()
