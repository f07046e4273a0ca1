"""Faults against real processes, with the invariants checked after each: `make chaos`."""
