"""Place, read and cancel orders."""
