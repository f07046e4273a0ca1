"""Placing, reading and cancelling orders."""
