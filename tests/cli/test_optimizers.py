"""What commands take and tell about optimizers, and of models that were streamed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import emplus
from emplus.cli.compare import compare as compare_command
from emplus.cli.fit import fit as fit_command
from emplus.cli.options import ACCELERATIONS as NAMED_ACCELERATIONS
from emplus.cli.options import OPTIMIZERS as NAMED_OPTIMIZERS
from emplus.cli.select import select as select_command
from emplus.engine.gradient import LBFGS
from emplus.engine.registry import ACCELERATIONS, OPTIMIZERS, make_rule
from emplus.engine.rules import EM

Run = Callable[..., Result]

PLAIN = ("--search", "em")
COMMANDS: dict[str, tuple[str, ...]] = {
    "fit": ("faithful", "-k", "2", *PLAIN),
    "compare": ("faithful", "-k", "2", "--searches", "em", "--seeds", "2"),
    "select": ("faithful", "-k", "2", *PLAIN),
}
every_command = pytest.mark.parametrize("command", COMMANDS)

# Options, and what reports say of them.
WAYS: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({"accelerate": "auto"}, None),
    ({"optimizer": "em", "accelerate": "none"}, "em, not accelerated"),
    ({"accelerate": "squarem"}, "em, accelerated by squarem"),
    ({"accelerate": "anderson"}, "em, accelerated by anderson"),
    ({"optimizer": "em+lbfgs"}, "em+lbfgs"),
    ({"optimizer": "gradient", "accelerate": "none"}, "gradient"),
    ({"optimizer": "stepwise"}, "stepwise"),
    ({"optimizer": "incremental"}, "incremental"),
]
every_way = pytest.mark.parametrize(("options", "words"), WAYS, ids=str)

BAD: list[tuple[list[str], str]] = [
    (["--optimizer", "lbgfs"], "Unknown optimizer 'lbgfs'; did you mean 'lbfgs'?"),
    (["--optimizer", "stepwise+em"], "Unknown optimizer 'stepwise+em'"),
    (["--accelerate", "squarm"], "Unknown acceleration 'squarm'; did you mean 'squarem'?"),
    (
        ["--accelerate", "squarem", "--optimizer", "lbfgs"],
        "--accelerate squarem is for --optimizer em; with lbfgs leave it out.",
    ),
]


def given(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def told(text: str) -> str | None:
    """What a report says of the optimizer."""
    found = [line for line in text.splitlines() if line.startswith("optimizer ")]
    assert len(found) <= 1
    return found[0].removeprefix("optimizer").strip() if found else None


def test_the_help_names_every_optimizer_and_acceleration() -> None:
    named = NAMED_OPTIMIZERS.split(", ")
    assert set(OPTIMIZERS) == {name for name in named if "+" not in name}
    # Those that begin with EM are rules, too; no name is there that is not one.
    assert len({str(make_rule(name)) for name in named}) == len(named)
    assert set(NAMED_ACCELERATIONS.split(", ")) == set(ACCELERATIONS)
    arguments = inspect.signature(emplus.GaussianMixture).parameters
    for command in (fit_command, compare_command, select_command):
        helps = {option.name: str(getattr(option, "help", "")) for option in command.params}
        for option, names in (
            ("optimizer", NAMED_OPTIMIZERS),
            ("accelerate", NAMED_ACCELERATIONS),
        ):
            assert names in helps[option]
            assert f"[default: {arguments[option].default}]" in helps[option]


@every_way
def test_reports_and_model_files_tell_what_is_not_the_default(
    options: dict[str, str], words: str | None, run: Run
) -> None:
    files = ("--output", "m", "--json", "r.json")
    result = run("fit", *COMMANDS["fit"], *given(options), *files)
    assert result.exit_code == 0
    assert told(result.stdout) == words
    assert told(run("info", "m").stdout) == words
    arguments = json.loads(Path("r.json").read_text())["arguments"]
    defaults = {"optimizer": "em", "accelerate": "auto"}
    assert {name: arguments[name] for name in defaults} == {**defaults, **options}


@every_way
def test_the_fit_is_the_estimators(options: dict[str, str], words: str | None, run: Run) -> None:
    args = (*COMMANDS["fit"], "--tol", "1e-9", *given(options), "--json", "r.json", "--quiet")
    assert run("fit", *args).exit_code == 0
    ended = json.loads(Path("r.json").read_text())["fit"]
    arguments: dict[str, Any] = dict(options)
    model = emplus.GaussianMixture(2, search="em", tol=1e-9, random_state=0, **arguments)
    result = model.fit(emplus.datasets.load("faithful").X).result_
    # How the numbers lie in memory changes their last places, and with them when a run ends.
    assert ended["objective"] == pytest.approx(result.objective, abs=1e-4)
    assert ended["passes"] == pytest.approx(result.passes, rel=0.05, abs=1)


def test_a_rule_without_a_name_is_told_as_such(run: Run) -> None:
    X = emplus.datasets.load("faithful").X
    emplus.GaussianMixture(2, optimizer=LBFGS(memory=3), random_state=0).fit(X).save("m")
    assert told(run("info", "m").stdout) == "a step rule of its own, which a file cannot hold"


def test_none_is_plain_em(run: Run) -> None:
    assert isinstance(make_rule("em", "none"), EM)
    assert run("fit", *COMMANDS["fit"], "--accelerate", "none", "--output", "m").exit_code == 0
    result = emplus.load("m").result_
    assert result.passes == result.n_iter + 1


@every_command
def test_every_command_climbs_as_it_is_told(command: str, run: Run) -> None:
    options = ("--optimizer", "lbfgs", "--json", "r.json")
    text = run(command, *COMMANDS[command], *options).stdout
    assert json.loads(Path("r.json").read_text())["arguments"]["optimizer"] == "lbfgs"
    if command == "compare":
        assert "gaussian (2 continuous columns); optimizer lbfgs\n" in text
        # What climbs so is no plain EM.
        assert "The search 'em' from 2 starts" in text
        assert "Plain EM" in run(command, *COMMANDS[command]).stdout


@every_command
@pytest.mark.parametrize(("args", "part"), BAD, ids=lambda value: str(value)[:30])
def test_bad_ways_are_refused_in_a_sentence(
    command: str, args: list[str], part: str, run: Run
) -> None:
    # Before the table is read.
    result = run(command, "nowhere.csv", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith("emplus: error: ")
    assert part in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_rule_that_the_family_has_no_use_for(run: Run) -> None:
    args = ("iris", "-k", "2", "--family", "factor-analyzer", "--optimizer", "incremental")
    result = run("fit", *args, "--output", "m")
    assert result.exit_code == 2
    assert "sums of factors do not add so" in result.stderr
    assert not Path("m").exists()


def test_info_of_a_streamed_model(run: Run) -> None:
    X = emplus.datasets.load("faithful").X
    model = emplus.GaussianMixture(2, random_state=0)
    for first in range(0, 272, 68):
        model.partial_fit(X[first : first + 68])
    model.save("m")
    lines = dict(
        line.split(maxsplit=1) for line in run("info", "m").stdout.splitlines()[:10] if line
    )
    fit = model.result_
    assert lines["outcome"] == "The rows came block by block, and more may follow."
    assert lines["fitted"] == "on       272 rows of total weight 272, in blocks"
    # It is not what the rows score under the model that the file holds.
    assert lines["log-likelihood"] == (
        f"{fit.log_likelihood:.6f} ({fit.log_likelihood / 272:.6f} a row), "
        "each later block scored before it was learned"
    )
    assert lines["iterations"] == f"{fit.n_iter}, of which one for each later block"
    batch = emplus.GaussianMixture(2, random_state=0).fit(X)
    batch.save("b")
    text = run("info", "b").stdout
    assert "fitted on       272 rows of total weight 272\n" in text
    assert f"log-likelihood  {batch.result_.log_likelihood:.6f}\n" in text


def test_a_streamed_model_at_work(run: Run) -> None:
    X = emplus.datasets.load("faithful").X
    emplus.GaussianMixture(2, random_state=0).partial_fit(X[:136]).partial_fit(X[136:]).save("m")
    assert run("predict", "m", "faithful").stdout.count("\n") == 273
    assert run("score", "m", "faithful").exit_code == 0
    assert run("plot", "m", "faithful", "--output", "p.png", "--trace", "t.png").exit_code == 0
    assert Path("t.png").stat().st_size > 0
    assert json.loads(run("info", "m", "--json").stdout)["header"]["fit"]["outcome"] == "streamed"
