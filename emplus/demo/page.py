"""The page: three tabs below a headline."""

from __future__ import annotations

from typing import Any

from bokeh.models import Div, InlineStyleSheet, TabPanel, Tabs

from emplus.demo.bernoulli_tab import BernoulliTab
from emplus.demo.choices import Reader, Sheet
from emplus.demo.fit_tab import FitTab
from emplus.demo.look import stacked
from emplus.demo.mixture_tab import MixtureTab

__all__ = ["fill"]

_HEADLINE = (
    "<h1 style='font-size:20px;margin:0;display:inline'>emplus</h1>"
    "<span style='color:#57606a;margin-left:10px'>mixture models, and how a search finds the "
    "best of them</span>"
)


def fill(document: Any, reader: Reader, sheet: Sheet | None = None) -> None:
    """Put the page into a document, with everything that one visitor needs.

    Parameters
    ----------
    document : bokeh.document.Document
    reader : Reader
        Reads what the visitor brings.
    sheet : Sheet, optional
        A table to begin with.
    """
    mixture = MixtureTab()
    fit = FitTab(document, reader, sheet)
    bernoulli = BernoulliTab(document)
    tabs = Tabs(
        tabs=[
            TabPanel(child=mixture.root, title="Mixture"),
            TabPanel(child=fit.root, title="Fit"),
            TabPanel(child=bernoulli.root, title="Bernoulli"),
        ],
        active=1,
        name="tabs",
        sizing_mode="stretch_width",
        stylesheets=[InlineStyleSheet(css=".bk-tab { font-size: 15px; padding: 6px 16px; }")],
    )
    headline = Div(text=_HEADLINE, sizing_mode="stretch_width")
    root = stacked(
        headline, tabs, styles={"max-width": "1400px", "margin": "0 auto", "padding": "8px 14px"}
    )
    document.add_root(root)
    document.title = "emplus"

    def leave(context: Any) -> None:
        fit.close()
        bernoulli.close()

    document.on_session_destroyed(leave)
