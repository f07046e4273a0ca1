"""Fixtures and helpers for the tests of both services."""
