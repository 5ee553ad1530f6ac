"""The command line: `emplus fit`, `select`, `compare`, `predict`, `score`, `impute`, `plot`, ...

Commands import what they need when they run, so that ``emplus --help`` answers at once.
"""

from emplus.cli.app import main

__all__ = ["main"]
