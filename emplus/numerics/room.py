"""How much memory there is."""

from __future__ import annotations

import os

__all__ = ["physical_memory"]


def physical_memory() -> float:
    """Bytes of memory that this machine has; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return float("inf")
