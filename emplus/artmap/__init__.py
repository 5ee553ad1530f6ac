"""Gaussian ARTMAP (Williamson 1996, 1997): categories that learn one row at a time."""
