"""Bad input gives a sentence and exit code 2; nothing is lost, no traceback is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import emplus

ROOT = Path(emplus.__file__).parents[1]
Run = Callable[..., Result]


GOOD = "a,b\n1,2\n3,5\n4,4\n7,1\n"
NUMBERS = ["fit", "t.csv", "--family", "gaussian"]
FACTORS = ["fit", "t.csv", "--family", "factor-analyzer"]
IMAGES = ["--plot", "p.png", "--image-shape"]
DRAW = ["plot", "m.safetensors", "faithful", "--output", "p.png"]
BITS = "a,b\n0,1\n1,1\n1,0\n,0\n"
MANY = "a,b\n" + "".join(f"1,n{i}\n" for i in range(10_000))
LABELS = ["fit", "t.csv", "-k", "2", "--labels-column", "l"]
BAD: list[tuple[str, list[str], str]] = [
    # content of t.csv, arguments, part of the sentence
    ("", ["fit", "t.csv"], "'t.csv' is empty"),
    ("a,b\n", ["fit", "t.csv"], "has a header but no rows"),
    ("a,b\n1,2\n3,x\n", NUMBERS, "'b' of 't.csv' holds text in row 2 (line 3): 'x'"),
    ("a,b\n1,2\ninf,4\n", ["fit", "t.csv"], "Column 'a' of 't.csv'"),
    ("a,b\n1,2\n3,inf\n", ["fit", "t.csv"], "Column 'b' of 't.csv' is infinite (inf) in row 2"),
    ("a,b\n1,2\n3,4,5\n", ["fit", "t.csv"], "3 cells instead of 2 in line 3"),
    (GOOD, ["fit", "t.csv", "-k", "5"], "5"),
    (GOOD, ["fit", "t.csv", "-k", "0"], "n_components"),
    (GOOD, ["fit", "t.csv", "-k", "-1"], "n_components"),
    (GOOD, ["fit", "t.csv", "-k", "two"], "'two' is not a valid integer"),
    (GOOD, ["fit", "t.csv", "-k", "1e9"], "'1e9' is not a valid integer"),
    (GOOD, ["fit", "t.csv", "-k", "1000000000"], "n_components = 1000000000"),
    (GOOD, ["fit", "t.csv", "--columns", "a,c"], "Unknown column of 't.csv' 'c'"),
    (GOOD, ["fit", "t.csv", "--columns", "a,,b"], "is not a list of names"),
    (GOOD, ["fit", "t.csv", "--family", "gausian"], "did you mean 'gaussian'"),
    (GOOD, ["fit", "t.csv", "--search", "me"], "did you mean 'em'"),
    (GOOD, ["fit", "t.csv", "--covariance", "sferical"], "did you mean 'spherical'"),
    (GOOD, ["fit", "t.csv", "--init", "kmean"], "did you mean 'kmeans'"),
    (GOOD, ["fit", "t.csv", "--factors", "1"], "--factors is an option of --family factor-analy"),
    (GOOD, ["fit", "t.csv", "--noise", "diag"], "--noise is an option of --family factor-analyz"),
    (GOOD, ["compare", "t.csv", "--loadings", "own"], "--loadings is an option of --family factor"),
    (
        GOOD,
        [*FACTORS, "--covariance", "full"],
        "--family gaussian or mixed, not of factor-analyzer",
    ),
    (GOOD, [*FACTORS, "--factors", "-1"], "n_factors must be a whole number of at least 0; it is"),
    (GOOD, [*FACTORS, "--factors", "two"], "'two' is not a valid integer"),
    (GOOD, [*FACTORS, "--factors", "3"], "n_factors=3 is more than n_features=2"),
    (GOOD, [*FACTORS, "--noise", "isotrop"], "did you mean 'isotropic'"),
    (GOOD, [*FACTORS, "--loadings", "comon"], "did you mean 'common'"),
    (GOOD, [*FACTORS, "--reg-covar", "-1"], "reg_covar"),
    (GOOD, ["fit", "t.csv", *IMAGES, "2x2"], "Images of 2 x 2 have 4 pixels, but the rows have 2"),
    (GOOD, ["fit", "t.csv", *IMAGES, "0x2"], "Images of 0 x 2 have 0 pixels, but the rows have 2"),
    (GOOD, ["fit", "t.csv", *IMAGES, "1by2"], "'1by2' is not HEIGHTxWIDTH, as in 8x8"),
    (GOOD, ["fit", "t.csv", *IMAGES, "-1x2"], "'-1x2' is not HEIGHTxWIDTH"),
    (GOOD, ["fit", "t.csv", *IMAGES, ""], "'' is not HEIGHTxWIDTH"),
    (GOOD, ["fit", "t.csv", *IMAGES, "9" * 5000 + "x1"], "is not HEIGHTxWIDTH"),
    (GOOD, ["fit", "t.csv", "--image-shape", "1x2"], "say where with --plot PNG"),
    (GOOD, [*DRAW, "--image-shape", "8x8"], "have 64 pixels, but the rows have 2 columns"),
    (GOOD, [*DRAW, "--image-shape", "square"], "'square' is not HEIGHTxWIDTH"),
    (GOOD, ["fit", "t.csv", "--tol", "nan"], "tol"),
    (GOOD, ["fit", "t.csv", "--tol", "-1"], "tol"),
    (GOOD, ["fit", "t.csv", "--max-iter", "0"], "max_iter"),
    (GOOD, ["fit", "t.csv", "--n-init", "0"], "n_init"),
    (GOOD, ["fit", "t.csv", "--reg-covar", "-1"], "reg_covar"),
    (GOOD, ["fit", "t.csv", "--reg-covar", "much"], "'much' is neither a number nor 'auto'"),
    (GOOD, ["fit", "t.csv", "--search", "reset+em"], "it can come first only"),
    (GOOD, ["fit", "t.csv", "--search", "em", "--max-moves", "3"], "'em' has no budget"),
    (GOOD, ["fit", "t.csv", "--max-moves", "-3"], "moves must be at least 0"),
    (GOOD, ["fit", "t.csv", "--max-seconds", "nan"], "seconds must be at least 0"),
    (GOOD, ["fit", "t.csv", "--trace", "p.gif"], "must end in one of .png, .svg, .pdf"),
    (GOOD, ["fit", "t.csv", "--trace", "p.png", "--plot", "p.png"], "name the same file"),
    (GOOD, ["fit", "t.csv", "--threads", "0"], "n_jobs"),
    (GOOD, ["fit", "t.csv", "--seed", "-1"], "-1 is not in the range"),
    (GOOD, ["fit", "t.csv", "--seed", "x"], "'x' is not a valid integer"),
    (GOOD, ["fit", "t.csv", "--weights-column", "v"], "Unknown column of 't.csv' 'v'"),
    ("a,w\n1,1\n2,-3\n", ["fit", "t.csv", "--weights-column", "w"], "is negative (-3) in row 2"),
    ("a,w\n1,0\n2,0\n", ["fit", "t.csv", "--weights-column", "w"], "is 0 in every row"),
    ("a,w\n1,1\n2,\n", ["fit", "t.csv", "--weights-column", "w"], "(NaN) in row 2"),
    ("a,w\n1,1\n2,0\n3,0\n", ["fit", "t.csv", "--weights-column", "w", "-k", "2"], "1 rows"),
    (GOOD, ["fit", "t.csv", "--output", "no/m"], "--output 'no/m': there is no folder"),
    (GOOD, ["fit", "t.csv", "--json", "no/r"], "--json 'no/r': there is no folder"),
    (GOOD, ["fit", "t.csv", "--plot", "no/p.png"], "--plot 'no/p.png': there is no folder"),
    (GOOD, ["fit", "t.csv", "--output", "."], "is a folder"),
    (GOOD, ["fit", "t.csv", "--output", ""], "needs the name of a file"),
    (GOOD, ["fit", "t.csv", "--plot", "p.gif"], "must end in one of .png, .svg, .pdf"),
    (GOOD, ["fit", "t.csv", "--output", "t.csv"], "would replace the file that is read"),
    (GOOD, ["fit", "t.csv", "--output", "m", "--json", "m"], "name the same file"),
    (GOOD, ["fit", "m.safetensors"], "is a saved model, not data"),
    (GOOD, ["fit", "u.csv"], "There is no file 'u.csv'"),
    (GOOD, ["fit", "faithfull"], "did you mean 'faithful'"),
    (GOOD, ["fit", "."], "is a folder"),
    (GOOD, ["fit"], "Missing argument 'DATA'"),
    (GOOD, ["fit", "t.csv", "--component", "2", "--nonsense"], "No such option"),
    (GOOD, ["fti"], "No such command 'fti'"),
    (GOOD, ["predict", "t.csv", "faithful"], "looks like text"),
    (GOOD, ["predict", "m.safetensors", "m.safetensors"], "is a saved model, not data"),
    (GOOD, ["predict", "none.safetensors", "faithful"], "There is no model file"),
    (GOOD, ["predict", ".", "faithful"], "is a folder"),
    (GOOD, ["predict", "m.safetensors", "t.csv"], "lacks the columns 'eruptions', 'waiting'"),
    ("eruptions,waiting,c\n1,2,3\n", ["predict", "m.safetensors", "t.csv"], "column 'c' that"),
    ("1,2,3\n", ["predict", "m.safetensors", "t.csv"], "has 3 columns, but the model was"),
    ("eruptions,waiting\n1,inf\n", ["predict", "m.safetensors", "t.csv"], "Column 'waiting'"),
    ("eruptions,waiting\n", ["score", "m.safetensors", "t.csv"], "no rows"),
    (GOOD, ["predict", "m.safetensors", "faithful", "--output", "no/p"], "there is no folder"),
    (GOOD, ["predict", "m.safetensors", "faithful", "--output", "m.safetensors"], "replace"),
    (GOOD, ["sample", "m.safetensors", "-n", "0"], "0 is not in the range"),
    (GOOD, ["sample", "m.safetensors", "-n", "few"], "'few' is not a valid integer"),
    (GOOD, ["sample", "t.csv"], "looks like text"),
    (GOOD, ["info", "t.csv"], "looks like text"),
    (GOOD, ["plot", "m.safetensors", "faithful", "--output", "p.txt"], "must end in one of"),
    (GOOD, ["plot", "m.safetensors", "faithful"], "Missing option '--output'"),
    (GOOD, ["plot", "m.safetensors", "--output", "p.png"], "is drawn over DATA; say which"),
    # families of other columns than numbers
    ("a,d\n1,2020-01-31\n2,\n3,2020-02-01\n", ["fit", "t.csv"], "'d' of 't.csv' holds dates: "),
    (MANY, ["fit", "t.csv"], "Column 'b' has 10,000 categories, more than 1,000"),
    ("a,b\nx,\ny,\nx,\n", ["fit", "t.csv"], "Column 'b' has no values"),
    ("a,b\n1,\n2,\n5,\n", ["fit", "t.csv"], "Every value is missing in column 'b'"),
    ("a,b\n1,\n0,\n", ["fit", "t.csv"], "Every value is missing in column 'b'"),
    (BITS, ["fit", "t.csv", "--covariance", "diag"], "not of bernoulli, which suits this table"),
    (BITS, ["compare", "t.csv", "--standardize"], "--standardize is an option of --family gauss"),
    (BITS, ["fit", "t.csv", "--family", "categorical", "--standardize"], "not of categorical"),
    (BITS, ["fit", "t.csv", "--family", "mixed", "--binarize", "1"], "of --family bernoulli, not"),
    (BITS, ["fit", "t.csv", "--binarize", "nan"], "binarize=nan must be finite"),
    (GOOD, ["fit", "t.csv", "--prior", "2"], "--family bernoulli, categorical or mixed, not of ga"),
    (BITS, ["fit", "t.csv", "--prior", "much"], "'much' is neither a number nor 'auto'"),
    (BITS, ["fit", "t.csv", "--prior", "-1"], "prior=-1.0 must be finite and at least 0"),
    (BITS, ["select", "t.csv", "--prior", "much"], "'much' is neither a number nor 'auto'"),
    (GOOD, ["fit", "t.csv", "--categorical", "c"], "Unknown column of 't.csv' 'c'"),
    (GOOD, ["fit", "t.csv", "--continuous", "c"], "Unknown column of 't.csv' 'c'"),
    (GOOD, ["fit", "t.csv", "--binary", "a,,b"], "--binary 'a,,b' is not a list of names"),
    (GOOD, ["fit", "t.csv", "--binary", "b"], "Column 'b' is to be binary, but it holds 4 values"),
    (GOOD, ["fit", "t.csv", "--binary", "b", "--categorical", "b"], "listed as binary and as cat"),
    (GOOD, ["select", "t.csv", "--categorical", "c"], "Unknown column of 't.csv' 'c'"),
    (GOOD, ["select", "t.csv", "--family", "full", "--categorical", "a"], "goes with none of the"),
    (GOOD, ["select", "t.csv", "--covariance", "tied"], "goes with none of the families full"),
    ("a,b\n1,x\n2,y\n", ["fit", "t.csv", "--continuous", "b"], "is to be continuous, but it hol"),
    ("a,b\n1,x\n2,y\n", ["fit", "t.csv", "--family", "bernoulli"], "holds text in row 1 (line 2)"),
    (GOOD, ["fit", "t.csv", "--family", "mixed", "--factors", "1", "--covariance", "full"], "drop"),
    ("a,l\n1,0\n2,2\n", LABELS, "Labels column 'l' of 't.csv' holds 2 in row 2 (line 3); compon"),
    ("a,l\n1,0\n2,0.5\n", LABELS, "holds 0.5 in row 2 (line 3); components are 0 to 1"),
    ("a,l\n1,0\n2,-2\n", LABELS, "holds -2 in row 2 (line 3)"),
    ("a,l\n1,0\n2,one\n", LABELS, "holds text in row 2 (line 3): 'one' is not a number; compon"),
    (GOOD, LABELS, "Unknown column of 't.csv' 'l'"),
    ("a,l\n1,0\n2,1\n", [*LABELS, "--columns", "a,l"], "'l' cannot be data and labels at once"),
    ("a,l\n1,0\n2,1\n", [*LABELS, "--weights-column", "l"], "cannot be weights and labels at on"),
    (GOOD, ["impute", "m.safetensors", "t.csv"], "lacks the columns 'eruptions', 'waiting'"),
    (GOOD, ["impute", "m.safetensors", "faithful", "--seed", "1"], "--seed goes with --draw"),
    (GOOD, ["impute", "t.csv", "faithful"], "looks like text"),
    ("eruptions,waiting\n1,often\n", ["impute", "m.safetensors", "t.csv"], "holds text in row 1"),
    (GOOD, ["impute", "m.safetensors", "faithful", "--output", "no/f.csv"], "there is no folder"),
]


@pytest.mark.parametrize(("content", "args", "part"), BAD)
def test_bad_input(content: str, args: list[str], part: str, model: str, run: Run) -> None:
    Path("t.csv").write_text(content)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    result = run(*args)
    assert result.exit_code == 2
    assert part in result.stderr
    assert result.stderr.startswith("emplus: error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    "args",
    [
        ["fit", "faithful", "--output", "/dev/full"],
        ["fit", "faithful", "--json", "/dev/full"],
        ["predict", "m.safetensors", "faithful", "--output", "/dev/full"],
        ["score", "m.safetensors", "faithful", "--output", "/dev/full"],
        ["sample", "m.safetensors", "-n", "9999", "--output", "/dev/full"],
    ],
)
def test_a_full_disk(args: list[str], model: str, run: Run) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_one_failed_output_loses_no_other(run: Run) -> None:
    result = run("fit", "faithful", "--output", "/dev/full", "--json", "r.json", "--plot", "p.png")
    assert result.exit_code == 2
    assert "Gaussian mixture" in result.stdout
    assert Path("p.png").exists()
    assert json.loads(Path("r.json").read_text())["files"] == {"picture": "p.png"}


def test_full_standard_output_is_a_sentence(model: str, run: Run) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "emplus.cli", "sample", model, "-n", "9"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=120,
        )
    assert "emplus: error: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_a_closed_pipe_is_quiet(model: str, run: Run) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "emplus.cli", "sample", model, "-n", "200000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 141


def test_letters_that_the_terminal_lacks_are_replaced() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emplus.cli", "fit", "faithful"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        timeout=120,
    )
    assert done.returncode == 0
    assert b"+/-" in done.stdout
