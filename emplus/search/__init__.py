"""From starts to the best fit that can be found."""
