"""Limits of one order."""

MOST_LINES = 50
LARGEST_QTY = 999
