"""Measure the shop and its upper limit in the same run: `make bench`."""
