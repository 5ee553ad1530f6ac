"""The table of all claims as they came out: ``reproductions/README.md``, from the JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reproduction import FIGURES

from emplus.io import replacing

__all__ = ["README", "SCRIPTS", "readme", "write_readme"]

README = Path(__file__).with_name("README.md")

SCRIPTS = (
    "em_demo",
    "old_faithful_animation",
    "mixture_density",
    "number_of_components",
    "gradient_vs_em",
    "running_moments",
    "split_merge_steps",
    "split_merge_performance",
    "reset_heuristic",
    "factor_analyzers_spiral",
    "image_reconstruction",
    "digits",
    "bernoulli_digits",
    "gaussian_artmap",
    "neural_network",
)
"""One a figure, in the order in which they are regenerated."""

_HEAD = """# Reproductions

Every figure of the lecture, the tutorial, the question and the papers that emplus grew from,
regenerated. This page is written by the scripts from what they measured; do not edit it.

```
make figures                                   # all of them, into figures/
python reproductions/NAME.py                   # one of them
python reproductions/NAME.py --quick           # a small part of it, into figures/quick/
python reproductions/NAME.py --data FOLDER     # where data sets are that are not bundled
```

Sources:

- **Lecture**: D. S. Touretzky, *Mixture Models and the EM Algorithm*, 15-496/782 Artificial Neural
  Networks, 2004, 30 slides.
- **Ueda et al.**: N. Ueda, R. Nakano, Z. Ghahramani and G. E. Hinton, SMEM algorithm for mixture
  models, *Neural Computation* 12(9), 2000.
- **Tutorial**: *Gaussian mixture models*, with its interactive demos.
- **Question**: *Do neural networks fall in the general domain of mixture models?*, 2020, with its
  comments and answer.

[Slips in the sources](../docs/errata.md) lists what is wrong in their formulas.

Seeds are fixed. A claim *holds* when what is measured meets the tolerance beside it; where a claim
of a source does not hold here, this table and the picture's caption say so.
"""


def readme(folder: Path = FIGURES) -> str:
    """The page, from the numbers that full runs left in a folder."""
    parts = [_HEAD]
    found = [_read(folder / f"{name}.json") for name in SCRIPTS]
    judged = [claim["holds"] for one in found if one for claim in one["claims"]]
    parts.append(
        f"{sum(judged)} of {len(judged)} claims hold; "
        f"{sum(one['seconds'] for one in found if one) / 60.0:.1f} minutes of work.\n"
    )
    parts += [_section(name, one) for name, one in zip(SCRIPTS, found, strict=True)]
    return "\n".join(parts)


def write_readme() -> None:
    """Write the page beside the scripts."""
    with replacing(README) as place:
        Path(place).write_text(readme(), encoding="utf-8")


def _read(place: Path) -> dict[str, Any] | None:
    if not place.is_file():
        return None
    told: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return told


def _section(name: str, told: dict[str, Any] | None) -> str:
    if told is None:
        return f"## `{name}`\n\nNot regenerated yet: `python reproductions/{name}.py`.\n"
    rows = [
        f"| {_cell(claim['says'])} | {_cell(claim['published'])} | {_cell(claim['ours'])} "
        f"| {_cell(claim['tolerance'])} | **{claim['verdict']}** |"
        for claim in told["claims"]
    ]
    return "\n".join(
        [
            f"## `{name}`: {told['title']}\n",
            f"{told['source']}. [Picture](../figures/{name}.png), "
            f"[numbers](../figures/{name}.json), {told['seconds']:.0f} s.\n",
            "| claim | published | measured | holds when | verdict |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
