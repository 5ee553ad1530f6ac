"""The data that the page offers, its server, and the command that starts it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from emplus.cli.demo import _Reader
from emplus.errors import DataError, EmplusError
from tests.demo.browser import demo_server

pytest.importorskip("bokeh", reason="the page needs the extra 'demo'")

from emplus.demo.choices import MOST_ROWS, OWN, Sheet, offered
from emplus.demo.mixture_tab import MixtureTab


@pytest.mark.parametrize("name", [name for name in offered() if name != OWN])
def test_every_data_set_that_is_offered_can_be_shown(name: str) -> None:
    rows = offered()[name]()
    assert rows.X.shape[1] == 2
    assert 2 <= rows.k <= len(rows.X) <= MOST_ROWS
    (left, right), (low, high) = rows.limits
    assert (([left, low] < rows.X) & ([right, high] > rows.X)).all()
    again = offered()[name]()
    assert np.array_equal(rows.X, again.X)


def test_of_a_table_two_columns_are_shown_without_its_holes() -> None:
    X = np.array([[1.0, 2.0, np.nan], [np.nan, 1.0, 4.0], [3.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    sheet = Sheet(("a", "b", "c"), X)
    assert sheet.rows().X.tolist() == [[1.0, 2.0], [3.0, 5.0], [7.0, 8.0]]
    rows = sheet.rows((2, 0))
    assert rows.X.tolist() == [[6.0, 3.0], [9.0, 7.0]]
    assert rows.names == ("c", "a")
    assert rows.note == "2 rows with an empty cell are left out."
    many = Sheet(("a", "b"), np.random.default_rng(0).normal(size=(20_000, 2))).rows()
    assert len(many.X) == MOST_ROWS
    assert "6000 of 20000" in many.note


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros((5, 1)), "this table has 1"),
        (np.full((5, 2), np.nan), "Only 0 of 5 rows"),
        (np.full((5, 2), 1e200), "cannot be drawn"),
    ],
)
def test_what_cannot_be_shown_is_refused(X: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Sheet(tuple("ab"[: X.shape[1]]), X).rows()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a,b\n1,2\n3,4,5\n", "row"),
        ("a,b\n", "no rows"),
        ("a,b\nx,y\nz,w\n", "has 0"),
        ("a,b\n" + "1.5,2.5\n" * 30 + "1,oops\n", "oops"),
        ("\x00\x01\x02", "not a table"),
    ],
)
def test_a_bad_upload_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(EmplusError, match=said) as error:
        _Reader().parse("rows.csv", text.encode()).rows()
    assert "\n" not in str(error.value)


def test_an_upload_is_read_like_a_file(tmp_path: Path) -> None:
    text = "x\ty\tname\n1.5\t2\tu\n3\t4\tv\n5\t\tw\n"
    (tmp_path / "rows.tsv").write_text(text)
    brought = _Reader().parse("rows.tsv", text.encode())
    opened = _Reader().open(str(tmp_path / "rows.tsv"))
    assert brought.names == opened.names == ("x", "y")
    assert np.array_equal(brought.X, opened.X, equal_nan=True)
    assert brought.rows().X.tolist() == [[1.5, 2.0], [3.0, 4.0]]


def test_the_page_is_served_on_loopback_only() -> None:
    with demo_server() as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert "emplus" in answer.read().decode()
        port = int(address.rsplit(":", 1)[1].strip("/"))
        for own in _other_addresses():
            with socket.socket() as stranger:
                stranger.settimeout(2.0)
                assert stranger.connect_ex((own, port)) != 0
        # A page of another site that is open in the same browser gets no session.
        for origin, code in (("http://evil.example", 403), (address.strip("/"), 101)):
            assert _answer(port, origin) == code


def _other_addresses() -> list[str]:
    found = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    return [str(own) for own in found if not str(own).startswith("127.")]


def _answer(port: int, origin: str) -> int:
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: bokeh, {_token(port)}",
        f"Origin: {origin}",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(1000).split()[1])


def _token(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        return str(answer.read().decode().split('"token":"')[1].split('"')[0])


def test_proportions_give_way_and_axes_keep_their_right_angle() -> None:
    tab = MixtureTab()
    tab._slid(0, 1.0)
    assert tab.mixture.weights.tolist() == [1.0, 0.0, 0.0]
    tab._slid(0, 0.4)  # what was nothing grows again, evenly
    assert tab.mixture.weights.tolist() == pytest.approx([0.4, 0.3, 0.3])
    tab._dragged(0, 1.0, 2.0)
    tab._dragged(1, 1.0, 6.0)
    tab._dragged(2, 2.0, 2.0)
    family, parameters = tab.mixture.family, tab.mixture.parameters
    covariance = family.full_covariances(parameters)[0]  # type: ignore[attr-defined]  # Gaussian
    assert parameters.means[0].tolist() == [1.0, 2.0]
    assert covariance == pytest.approx(np.diag([0.25, 4.0]), abs=1e-12)
    tab._dragged(1, 1.0, 2.0)  # an axis of no length would be no Gaussian
    assert np.linalg.eigvalsh(tab.mixture.family.full_covariances(tab.mixture.parameters)[0])[0] > 0  # type: ignore[attr-defined]  # Gaussian
