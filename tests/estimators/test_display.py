"""What notebooks show: HTML that is well formed, escaped and says what there is to say."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from typing import Any

import pytest
import sklearn

from emplus import (
    BernoulliMixture,
    GaussianARTMAP,
    GaussianMixture,
    Mixture,
    MixtureClassifier,
    datasets,
    load,
)
from emplus.engine.outcome import Outcome
from emplus.markup import box, facts, number, table
from emplus.search.fit import Fit
from emplus.search.record import Candidate, Candidates

X = datasets.load("faithful").X
MODEL = GaussianMixture(3, random_state=0).fit(X)


class Page(HTMLParser):
    """Every tag is closed, none runs anything; the text of each cell is kept."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.marked: list[int] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "table", "thead", "tbody", "tr", "th", "td"}
        assert {name for name, _ in attrs} <= {"style", "class", "scope", "colspan"}
        self.open.append(tag)
        if tag == "tr":
            if "background" in (dict(attrs).get("style") or ""):
                self.marked.append(len(self.rows))
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += data


def shown(estimator: Any) -> Page:
    """What a notebook shows, which asks in either of two ways."""
    bundle = estimator._repr_mimebundle_()
    assert bundle["text/plain"] == repr(estimator)
    assert bundle["text/html"] == estimator._repr_html_()
    return Page(bundle["text/html"])


def test_before_the_fit_it_is_scikit_learns_diagram() -> None:
    for estimator in (GaussianMixture(3), MixtureClassifier(), GaussianARTMAP()):
        assert "sk-container" in estimator._repr_html_()
        assert "sk-container" in estimator._repr_mimebundle_()["text/html"]


def test_after_the_fit_it_says_how_that_went() -> None:
    page = shown(MODEL)
    told = {row[0]: row[1] for row in page.rows if len(row) == 2}
    assert "GaussianMixture, fitted" in page.text
    assert told["family"] == "gaussian (covariance_type full)"
    assert told["mixture"] == "3 components, 2 columns"
    assert told["rows"] == "272 of total weight 272"
    assert told["log-likelihood"] == f"{MODEL.lower_bound_:.6f} a row"
    assert told["BIC"] == f"{MODEL.bic(X):.2f} (lower is better)"
    assert told["outcome"] == MODEL.result_.outcome.sentence
    assert told["cost"].startswith(f"{MODEL.result_.passes:.4g} passes")
    weights = [row for row in page.rows if len(row) == 3][1:]
    assert [row[1] for row in weights] == [f"{weight:.4f}" for weight in MODEL.weights_]


def test_a_fit_and_a_loaded_model_and_a_stream(tmp_path: Any) -> None:
    assert Page(MODEL.result_._repr_html_()).text.startswith("Fit")
    MODEL.save(tmp_path / "m.safetensors")
    assert "BIC" in shown(load(tmp_path / "m.safetensors")).text
    stream = GaussianMixture(2, random_state=0).partial_fit(X[:200]).partial_fit(X[200:])
    page = shown(stream)
    assert "BIC" not in page.text
    assert Outcome.STREAMED.sentence in page.text


def test_classifiers() -> None:
    iris = datasets.load("iris")
    classifier = MixtureClassifier(GaussianMixture(2), random_state=0).fit(iris.X, iris.y)
    named = [str(label) for label in classifier.classes_]
    assert [row[0] for row in shown(classifier).rows[1:]] == named
    artmap = GaussianARTMAP(random_state=0).fit(iris.X, iris.y)
    page = shown(artmap)
    assert sum(int(row[1]) for row in page.rows[1:]) == len(artmap.category_classes_)


def test_scikit_learns_setting_turns_it_off() -> None:
    with sklearn.config_context(display="text"):
        assert set(MODEL._repr_mimebundle_()) == {"text/plain"}
        with pytest.raises(AttributeError):
            MODEL._repr_html_()


def candidate(place: int, **given: Any) -> Candidate:
    facts = {
        "round": place,
        "kind": "split_merge",
        "components": ((0, 1, 2), (3, 4, 5)),
        "predicted": math.nan,
        "gain": -math.inf,
        "accepted": False,
        "passes": 3.25,
        "start": 0,
        "outcome": Outcome.CONVERGED,
    }
    return Candidate(**{**facts, **given})


def test_candidates_are_a_table_with_the_accepted_marked() -> None:
    page = Page(Candidates([candidate(1), candidate(2, accepted=True, gain=1.5)])._repr_html_())
    assert page.text.startswith("2 candidates, 1 accepted")
    assert page.rows[1] == ["1", "split_merge", "(0, 1, 2) (3, 4, 5)", "–", "−inf", "", "3.25"]
    assert page.rows[2][3:6] == ["–", "1.5", "✓"]
    assert page.marked == [2]


def test_real_candidates_and_none() -> None:
    drawn = datasets.make_mixture("overlapping", 400, d=2, k=6, separation=2.0, seed=0)
    found = GaussianMixture(6, search="reset", random_state=0).fit(drawn.X).result_
    page = Page(found.candidates._repr_html_())
    assert len(page.rows) == (len(found.candidates) + 1 if found.candidates else 0)
    assert Page(Candidates()._repr_html_()).text == "0 candidates"


def test_long_tables_are_cut_with_a_count() -> None:
    page = Page(Candidates([candidate(place) for place in range(1, 2001)])._repr_html_())
    assert "1,976 more" in page.text
    assert len(page.rows) == 26
    assert [row[0] for row in page.rows[1:3] + page.rows[-2:]] == ["1", "2", "1999", "2000"]
    assert len(Page(Candidates([candidate(place) for place in range(25)])._repr_html_()).rows) == 26


EVIL = "<script>alert('&')</script>"


def test_everything_is_escaped() -> None:
    for text in (
        box(EVIL, facts([(EVIL, EVIL)]), table([EVIL], [[EVIL]], end=EVIL)),
        Candidates([candidate(1, kind=EVIL)])._repr_html_(),
    ):
        assert "<script" not in text
        assert EVIL in Page(text).text


def test_nothing_depends_on_the_background() -> None:
    for text in (MODEL._repr_html_(), Candidates([candidate(1, accepted=True)])._repr_html_()):
        assert "color:" not in text.replace("background-color:", "")
        assert "#" not in text


@pytest.mark.parametrize("weight", [0.0, 1e-300])
def test_odd_fits_are_shown(weight: float) -> None:
    mixture = Mixture.gaussian([0.0, 1.0], [[0.0], [1.0]], [[1.0], [1.0]], "diag")
    fit = Fit(
        mixture, math.nan, 0.0, Outcome.INTERRUPTED, 0, 0.0, (), (), (), 0.0, 0, max(weight, 1e-300)
    )
    assert "nan" in Page(fit._repr_html_()).text


def test_numbers() -> None:
    assert [number(value) for value in (0.1, 1e9, math.inf)] == ["0.1", "1e+09", "inf"]


def test_sparse_binary_rows() -> None:
    model = BernoulliMixture(2, random_state=0).fit(X.mean(axis=0) < X)
    assert "bernoulli" in shown(model).text
