"""The log of what happened to orders, for other programs."""
