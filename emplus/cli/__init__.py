"""The command line: `emplus fit`, `compare`, `predict`, `score`, `sample`, `info`, `plot`, ...

Commands import what they need when they run, so that ``emplus --help`` answers at once.
"""

from emplus.cli.app import main

__all__ = ["main"]
