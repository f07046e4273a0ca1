"""Product catalogue and orders."""
