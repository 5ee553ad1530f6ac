"""The one loop, its step rules, what ends it and what watches it."""
