"""Arrays only: log-space sums, moments that merge, triangular factors, threads of BLAS."""
