"""The command line: `emplus fit`, `predict`, `score`, `sample`, `info`, `plot`, `datasets`.

Commands import what they need when they run, so that ``emplus --help`` answers at once.
"""

from emplus.cli.app import main

__all__ = ["main"]
