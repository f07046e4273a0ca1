"""Pipeline logic: what to build, what is released where."""
