"""Where rows live: blocks of them, and sums over the blocks."""
