"""Refunds that staff request, by line or by amount."""
