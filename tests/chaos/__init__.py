"""Faults against real processes, with the books checked after each: `make chaos`."""
