"""From data to a first mixture."""
