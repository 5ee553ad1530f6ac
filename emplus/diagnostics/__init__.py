"""What is wrong with a fitted mixture: light, duplicate and collapsed components, and entropy."""

from emplus.diagnostics.diagnose import diagnose
from emplus.diagnostics.diagnosis import Diagnosis, Pair

__all__ = ["Diagnosis", "Pair", "diagnose"]
