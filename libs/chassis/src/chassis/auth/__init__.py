"""Verify tokens and credentials."""
