"""``emplus demo``: what is said where there is no page to open."""

from __future__ import annotations

import socket

import pytest

from emplus.cli.demo import _Reader
from emplus.errors import ArgumentError
from tests.cli.conftest import Run

pytest.importorskip("bokeh", reason="the page needs the extra 'demo'")

from emplus.demo.server import make_server


def test_a_port_that_is_taken(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ArgumentError, match=f"Port {port} is taken"):
            make_server(_Reader(), None, port)
        done = run("demo", "--no-browser", "--port", str(port))
    assert done.exit_code == 2
    assert f"Port {port} is taken" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.csv",), "no file"),
        (("-",), "standard input"),
        (("--port", "70000"), "70000"),
        (("iriss",), "iris"),
    ],
)
def test_bad_arguments_end_with_a_sentence(run: Run, arguments: tuple[str, ...], said: str) -> None:
    done = run("demo", "--no-browser", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_bokeh_the_command_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emplus.cli.demo.find_spec", lambda name: None)
    done = run("demo")
    assert done.exit_code == 2
    assert "pip install 'emplus[demo]'" in done.stderr
