"""The HTTP layer: dispatch, responses, caching, headers."""
